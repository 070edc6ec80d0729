"""WrapSphere: a path that turns around a sphere along a great circle.

Source: OpenSim `WrapSphere`; see docs/theory/paths.md, "Spheres".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import cross, dot
from jaxosim.arrays.safe import safe_divide, safe_norm, unit
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec
from jaxosim.paths.wrap_object import (
    Sides,
    WrapLine,
    WrapObjectSpec,
    nearest_pair,
    on_active_side,
    read_quadrant,
    sqrt_or_zero,
)
from jaxosim.pytree import array, pytree

FIELD = "wrap_spheres"
AXIS = "wrap_sphere"
TAG = "WrapSphere"


@dataclass(frozen=True)
class Spec(WrapObjectSpec):
    """A sphere about the origin of its frame."""

    radius: float


@pytree
class Params:
    """Dimensions of the spheres."""

    radius: jax.Array = array("wrap_sphere", unit="m")


def read(context: Context, element: Element, frame: FrameSpec) -> Spec:
    """What the file says of one sphere.

    Raises:
      OsimFormatError: the radius is negative, or the quadrant is none.
    """
    radius = context.number(element, "radius", 0.05, least=0)
    active = context.boolean(element, "active", True)
    return Spec(element.name, frame, active, read_quadrant(context, element), radius)


def build(specs: Sequence[Spec]) -> Params:
    """Their numbers."""
    return Params(radius=np.array([spec.radius for spec in specs], float))


def wrap_line(p1: jax.Array, p2: jax.Array, params: Params, sides: Sides, alone: bool) -> WrapLine:
    """Wrap a straight piece from p1 to p2 around a sphere.

    Args:
      p1: `[3]` (m) in the frame of the sphere.
      p2: `[3]` (m) likewise.
      params: of the sphere.
      sides: quadrant.
      alone: whether no other wrap shares the path, which makes no difference here.

    Returns:
      Tangent points and the length of the arc between them; as in OpenSim, that of an arc longer
      than half the circle is negative.
    """
    radius, limited = params.radius, sides.limited
    hits = _hits(p1, p2, radius)
    inside = (safe_norm(p1) < radius) | (safe_norm(p2) < radius)
    normal = _normal(p1, p2)
    a1, b1 = _tangent_points(p1, normal, radius)
    a2, b2 = _tangent_points(p2, normal, radius)
    is_a1, is_a2 = nearest_pair(a1, b1, a2, b2)
    side1, side2 = on_active_side(p1, sides), on_active_side(p2, sides)
    possible, mandatory = _limited(p1, p2, radius, side1, side2, sides)
    there = hits & ~inside
    possible, mandatory = there & (possible | ~limited), there & limited & mandatory

    turning = limited & ~(side1 & side2)
    inward = -(p1 + p2)
    is_a1 = jnp.where(turning, dot(a1, inward) > dot(b1, inward), is_a1)
    is_a2 = jnp.where(turning, dot(a2, inward) > dot(b2, inward), is_a2)
    r1, r2 = jnp.where(is_a1, a1, b1), jnp.where(is_a2, a2, b2)
    flip = turning & (dot(r1 - p1 + r2 - p2, sides.direction) < 0)
    r1, r2 = jnp.where(is_a1 != flip, a1, b1), jnp.where(is_a2 != flip, a2, b2)
    far = turning & (dot(r1 + r2, r1 - p1 + r2 - p2) < 0)
    cosine = dot(r1, r2)
    sine = safe_norm(cross(r1, r2))
    angle = jnp.arctan2(sine, jnp.where((sine == 0) & (cosine == 0), 1.0, cosine))
    angle = jnp.where(far, angle - 2 * math.pi, angle)
    return WrapLine(inside, possible, mandatory, r1, r2, radius * angle)


def on_surface(points: jax.Array, params: Params) -> jax.Array:
    """Points `[row, point, 3]` (m) moved onto the spheres."""
    return safe_divide(params.radius[:, None], safe_norm(points))[..., None] * points


def _hits(p1: jax.Array, p2: jax.Array, radius: jax.Array) -> jax.Array:
    """Whether the line meets the sphere twice, both times between the ends."""
    back = p1 - p2
    a, b, c = dot(back, back), 2 * dot(p2, back), dot(p2, p2) - radius**2
    disc = b * b - 4 * a * c
    root = sqrt_or_zero(disc)
    low, high = (safe_divide(-b + sign * root, 2 * a) for sign in (-1.0, 1.0))
    return (disc >= 0) & (a > 0) & (low > 0) & (low < 1) & (high > 0) & (high < 1)


def _normal(p1: jax.Array, p2: jax.Array) -> jax.Array:
    """Unit normal `[3]` of the plane through the center and both ends.

    # OpenSim differs: if the line passes within 1e-5 of the center, its path becomes NaN; ours is
    # the limit, and through the center itself turns in a plane of our choice.
    """
    toward = unit(p2)
    normal = cross(p1 - p2, toward)
    x, y = np.eye(3, dtype=p1.dtype)[:2]
    upright = jnp.where(jnp.abs(toward[0]) < 0.6, x, y)
    return unit(jnp.where(safe_norm(normal) > 0, normal, cross(toward, upright)))


def _tangent_points(
    p: jax.Array, normal: jax.Array, radius: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Both points `[3]` at which lines from p in the plane touch the sphere."""
    distance = safe_norm(p)
    outward = unit(p)
    sine = safe_divide(radius, distance)
    along = radius * sine * outward
    across = radius * sqrt_or_zero(1 - sine**2) * cross(normal, outward)
    return along + across, along - across


def _limited(
    p1: jax.Array,
    p2: jax.Array,
    radius: jax.Array,
    side1: jax.Array,
    side2: jax.Array,
    sides: Sides,
) -> tuple[jax.Array, jax.Array]:
    """Whether a piece that meets a sphere limited to a quadrant may and must wrap."""
    back = p1 - p2
    toward = unit(back)
    along = dot(p1, toward)  # (m) from the first end to the point nearest to the center
    near = p1 - along * toward
    # OpenSim compares this distance, not the fraction of the piece, with 1.
    meets = (dot(near, near) < radius**2) & (along > 0) & (along < 1)
    apart = (side1 != side2) & ~on_active_side(near, sides)
    mandatory = (side1 | side2) & meets
    return ~mandatory & (apart | ~(side1 | side2)), mandatory
