"""WrapCylinder: a path that turns around a circular cylinder about the z axis of its frame.

OpenSim slides the tangent points of the cross section along the cylinder to a plane through the
ends of the piece, and joins them by a helix. Only where several wraps share a path does it slide
them on, until the helix continues the straight pieces within a tenth of a degree.

Source: OpenSim `WrapCylinder`; see docs/theory/paths.md, "Cylinders".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import stack
from jaxosim.arrays.linalg import cross, dot
from jaxosim.arrays.safe import safe_divide, safe_norm
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec
from jaxosim.paths.wrap_object import (
    Rows,
    WrapLine,
    WrapObjectSpec,
    choose,
    nearest_pair,
    on_active_side,
    read_quadrant,
    sqrt_or_zero,
)
from jaxosim.pytree import array, pytree

FIELD = "wrap_cylinders"
AXIS = "wrap_cylinder"
TAG = "WrapCylinder"

# OpenSim's constants.
_PARALLEL = 2e-13  # squared sine below which two lines have no common perpendicular
_IN_PLANE = 1e-5 / 20  # z component of a plane's normal below which the plane meets no edge
_FARTHEST = 10.0 + 2e-4  # (m) by which tangent points slide at most
_STEPS = 100  # most by which a tangent point is slid on
_STEP = 1.5  # of the way to tangency that a step goes
_TANGENT = math.radians(0.1)  # (rad) deviation from tangency that ends the steps
_SEGMENT = 0.002  # (m) length of the pieces of a helix
_HEIGHT = float(np.finfo(float).eps)  # (m) of an end, below which OpenSim takes it for 0


@dataclass(frozen=True)
class Spec(WrapObjectSpec):
    """A cylinder along z, `length` long (m)."""

    radius: float
    length: float


@pytree
class Params:
    """Dimensions of the cylinders."""

    radius: jax.Array = array("wrap_cylinder", unit="m")
    length: jax.Array = array("wrap_cylinder", unit="m")


def read(context: Context, element: Element, frame: FrameSpec) -> Spec:
    """What the file says of one cylinder.

    Raises:
      OsimFormatError: a dimension is negative, or the quadrant is none.
    """
    sizes = [context.number(element, tag, 1.0) for tag in ("radius", "length")]
    for tag, size in zip(("radius", "length"), sizes, strict=True):
        if size < 0.0:
            raise element.error(f"expected a {tag} of 0 or more, found {size}")
    active = context.boolean(element, "active", True)
    return Spec(element.name, frame, active, read_quadrant(context, element), *sizes)


def build(specs: Sequence[Spec]) -> Params:
    """Their numbers."""
    return Params(
        radius=np.array([spec.radius for spec in specs], float),
        length=np.array([spec.length for spec in specs], float),
    )


def wrap_line(p1: jax.Array, p2: jax.Array, params: Params, rows: Rows) -> WrapLine:
    """Wrap straight pieces from p1 to p2 around cylinders.

    Args:
      p1: `[row, 3]` (m) in the frame of the cylinder.
      p2: `[row, 3]` (m) likewise.
      params: of the cylinder of each row.
      rows: quadrants.

    Returns:
      Tangent points and the length of the helix between them.
    """
    radius, limited = params.radius, rows.sign != 0
    first, second = _end(p1, radius), _end(p2, radius)
    near, hits = _nearest(p1, p2, params)
    inside = (first.squared < radius**2) | (second.squared < radius**2)
    side1, side2 = on_active_side(p1, rows), on_active_side(p2, rows)
    apart = (side1 != side2) & ~on_active_side(near, rows)
    mandatory = hits & (side1 | side2 | ~limited)
    possible = limited & ~mandatory & (apart | ~(side1 | side2))

    is_a1, is_a2 = nearest_pair(
        _radial(first.a), _radial(first.b), _radial(second.a), _radial(second.b)
    )
    use_ab, far = _on_quadrant(first, second, rows)
    r1 = choose(jnp.where(limited, use_ab, is_a1), first.a, first.b)
    r2 = choose(jnp.where(limited, ~use_ab, is_a2), second.a, second.b)
    far = far & limited
    long = limited & (dot(_radial(r1) + _radial(r2), (r1 - p1) + (r2 - p2)) < 0)
    z1, z2 = _slide(p1, p2, r1, r2, first, second, radius, far)
    beyond = [jnp.abs(z) > params.length / 2 for z in (z1, z2)]
    there = ~inside & ~(beyond[0] & beyond[1])

    turned = jnp.arctan2(*_sine_cosine(_radial(r1), _radial(r2), radius))
    angle = jnp.where(long, 2 * math.pi - turned, turned)
    if not rows.alone:
        z1, z2 = _tighten(p1, p2, r1, r2, z1, z2, radius, angle, long, there)
    length = safe_norm(stack([radius * angle, z2 - z1], axis=-1))
    ends = _at_height(r1, z1), _at_height(r2, z2)
    return WrapLine(inside, possible & there, mandatory & there, *ends, length)


def on_surface(points: jax.Array, params: Params) -> jax.Array:
    """Points `[row, point, 3]` (m) moved onto the cylinders, at their heights."""
    distance = safe_norm(points[..., :2])
    factor = safe_divide(params.radius[:, None], distance)[..., None]
    return jnp.concatenate([factor * points[..., :2], points[..., 2:]], axis=-1)


class _End(NamedTuple):
    """One end of the pieces: its squared distance from the axis, and its two tangent points."""

    squared: jax.Array  # [row] (m²)
    distance: jax.Array  # [row] (m)
    a: jax.Array  # [row, 3] (m) at the height of the end, as b
    b: jax.Array


def _end(p: jax.Array, radius: jax.Array) -> _End:
    """Tangent points, in the cross section of the end; finite also if the end is inside."""
    squared = p[:, 0] ** 2 + p[:, 1] ** 2
    distance = sqrt_or_zero(squared)
    outward = _radial(p) * safe_divide(jnp.ones_like(distance), distance)[:, None]
    sideways = stack([-outward[:, 1], outward[:, 0], jnp.zeros_like(distance)], axis=-1)
    sine = safe_divide(radius, distance)
    along = (radius * sine)[:, None] * outward + _axial(p)
    across = (radius * sqrt_or_zero(1 - sine**2))[:, None] * sideways
    return _End(squared, distance, along + across, along - across)


def _radial(p: jax.Array) -> jax.Array:
    """The part `[row, 3]` perpendicular to the axis."""
    return p * np.array([[1.0, 1.0, 0.0]], p.dtype)


def _axial(p: jax.Array) -> jax.Array:
    """The part `[row, 3]` along the axis."""
    return p * np.array([[0.0, 0.0, 1.0]], p.dtype)


def _at_height(p: jax.Array, z: jax.Array) -> jax.Array:
    """The point `[row, 3]` of the same cross-sectional place at height z."""
    return stack([p[:, 0], p[:, 1], z], axis=-1)


def _sine_cosine(a: jax.Array, b: jax.Array, radius: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sine and cosine, times the squared radius, of the angle about z from a to b."""
    sine, cosine = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1]
    return sine, jnp.where((sine == 0) & (cosine == 0), 1.0, cosine)


def _nearest(p1: jax.Array, p2: jax.Array, params: Params) -> tuple[jax.Array, jax.Array]:
    """The point of the line that is nearest to the axis, and whether the piece meets the cylinder.

    The cylinder has no ends here.
    """
    along = p2 - p1
    across = along[:, 0] ** 2 + along[:, 1] ** 2
    skew = (across > _PARALLEL * dot(along, along)) & (params.length > 0)
    fraction = safe_divide(
        -(p1[:, 0] * along[:, 0] + p1[:, 1] * along[:, 1]), jnp.where(skew, across, 0.0)
    )
    near = p1 + fraction[:, None] * along
    close = near[:, 0] ** 2 + near[:, 1] ** 2 < params.radius**2
    return near, skew & close & (fraction > 0) & (fraction < 1)


def _on_quadrant(first: _End, second: _End, rows: Rows) -> tuple[jax.Array, jax.Array]:
    """Whether a of the first and b of the second end are used, and whether the far apex is."""
    alpha = dot(_radial(first.a), _radial(second.b))
    beta = dot(_radial(first.b), _radial(second.a))
    wider = alpha < beta  # these are cosines
    a1, b1, a2, b2 = (on_active_side(x, rows) for x in (first.a, first.b, second.a, second.b))
    by_second = jnp.where(a2, False, jnp.where(b2, True, wider))
    by_first = jnp.where(a1 & b1, ~a2, a1)
    use_ab = jnp.where(a1 | b1, by_first, by_second)
    far = jnp.where(use_ab, wider, ~wider) | ~(a1 | b1 | a2 | b2)
    return use_ab, far


def _slide(
    p1: jax.Array,
    p2: jax.Array,
    r1: jax.Array,
    r2: jax.Array,
    first: _End,
    second: _End,
    radius: jax.Array,
    far: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Heights `[row]` of the tangent points in the plane through both ends and the apex.

    The apex is a point of the surface at the height that divides the piece as the distances of
    its ends from the axis do.
    """
    fraction = safe_divide(first.distance, first.distance + second.distance)
    middle = p1 + fraction[:, None] * (p2 - p1)
    center = _axial(middle)
    normal = cross(p1 - center, p2 - center)
    upright = stack([-normal[:, 1], normal[:, 0], jnp.zeros_like(radius)], axis=-1)
    size = safe_norm(upright)
    upright = upright * safe_divide(jnp.ones_like(size), size)[:, None]
    facing = jnp.where((dot(middle, upright) > 0) != far, 1.0, -1.0)
    apex = center + (facing * radius)[:, None] * upright
    plane = cross(p1 - apex, p2 - apex)
    size_of_plane = safe_norm(plane)
    slope = safe_divide(plane[:, 2], size_of_plane)
    cuts = (jnp.abs(slope) >= _IN_PLANE) & (size > 0)
    z1, z2 = p1[:, 2], p2[:, 2]

    def height(r: jax.Array) -> jax.Array:
        rise = plane[:, 0] * (r[:, 0] - p1[:, 0]) + plane[:, 1] * (r[:, 1] - p1[:, 1])
        return z1 - safe_divide(rise, jnp.where(cuts, plane[:, 2], 0.0))

    def toward(z: jax.Array, own: jax.Array, other: jax.Array) -> jax.Array:
        # OpenSim takes the height of the second end for a direction, which is none if it is 0.
        seen = jnp.where(jnp.abs(z2) >= _HEIGHT, z, z1)
        nearer = (seen - other) ** 2 < (own - other) ** 2
        return jnp.where(cuts & nearer & (jnp.abs(z - own) <= _FARTHEST), z, own)

    return toward(height(r1), z1, z2), toward(height(r2), z2, z1)


def _tighten(
    p1: jax.Array,
    p2: jax.Array,
    r1: jax.Array,
    r2: jax.Array,
    z1: jax.Array,
    z2: jax.Array,
    radius: jax.Array,
    angle: jax.Array,
    long: jax.Array,
    there: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Heights `[row]` after sliding the tangent points until the helix continues the pieces."""
    turn = jnp.where(long, -angle, angle)

    def step(
        heights: tuple[jax.Array, jax.Array, jax.Array], _: None
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        z1, z2, going = heights
        rise = z2 - z1
        count = jnp.floor(
            jax.lax.stop_gradient(safe_norm(stack([radius * angle, rise], axis=-1))) / _SEGMENT
        )
        going = going & (count >= 2)
        part = safe_divide(jnp.ones_like(count), count)
        new1, moved1 = _adjusted(p1, r1, z1, _turned(r1, part * turn), z1 + part * rise)
        new1 = jnp.where(going & moved1, new1, z1)
        rest = 1 - part
        new2, moved2 = _adjusted(p2, r2, z2, _turned(r1, rest * turn), new1 + rest * rise)
        new2 = jnp.where(going & moved2, new2, z2)
        return (new1, new2, going & (moved1 | moved2)), None

    (z1, z2, _), _ = jax.lax.scan(step, (z1, z2, there), None, length=_STEPS)
    return z1, z2


def _turned(r: jax.Array, angle: jax.Array) -> jax.Array:
    """Points `[row, 3]` turned about z."""
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    x, y = r[:, 0], r[:, 1]
    return stack([cosine * x - sine * y, sine * x + cosine * y, r[:, 2]], axis=-1)


def _adjusted(
    p: jax.Array, r: jax.Array, z: jax.Array, w: jax.Array, w_z: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """New height `[row]` of the tangent point r, and whether it is not tangent yet.

    Args:
      p: `[row, 3]` end of the piece.
      r: `[row, 3]` tangent point, whose height is z.
      z: `[row]`.
      w: `[row, 3]` first point of the helix, whose height is w_z.
      w_z: `[row]`.
    """
    before, after = _radial(r - p), _radial(w - r)
    moved = jnp.abs(_from_axis(before, z - p[:, 2]) - _from_axis(after, w_z - z)) > _TANGENT
    chord = _radial(w - p)
    fraction = safe_divide(dot(before, chord), dot(chord, chord))
    meeting = p[:, 2] + fraction * (w_z - p[:, 2])
    return z + _STEP * (meeting - z), moved


def _from_axis(radial: jax.Array, rise: jax.Array) -> jax.Array:
    """Angle `[row]` (rad) between a direction and the axis, without a gradient."""
    across = jax.lax.stop_gradient(safe_norm(radial))
    rise = jax.lax.stop_gradient(rise)
    flat = (across == 0) & (rise == 0)
    return jnp.arctan2(jnp.where(flat, 1.0, across), rise)
