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

from jaxosim.arrays.forward import with_forward_jacobian
from jaxosim.arrays.indexing import stack
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
    sizes = [context.number(element, tag, 1.0, least=0) for tag in ("radius", "length")]
    active = context.boolean(element, "active", True)
    return Spec(element.name, frame, active, read_quadrant(context, element), *sizes)


def build(specs: Sequence[Spec]) -> Params:
    """Their numbers."""
    return Params(
        radius=np.array([spec.radius for spec in specs], float),
        length=np.array([spec.length for spec in specs], float),
    )


def wrap_line(p1: jax.Array, p2: jax.Array, params: Params, sides: Sides, alone: bool) -> WrapLine:
    """Wrap a straight piece from p1 to p2 around a cylinder.

    Args:
      p1: `[3]` (m) in the frame of the cylinder.
      p2: `[3]` (m) likewise.
      params: of the cylinder.
      sides: quadrant.
      alone: whether no other wrap shares the path.

    Returns:
      Tangent points and the length of the helix between them.
    """
    radius, limited = params.radius, sides.limited
    first, second = _end(p1, radius), _end(p2, radius)
    near, hits = _nearest(p1, p2, params)
    inside = (first.squared < radius**2) | (second.squared < radius**2)
    side1, side2 = on_active_side(p1, sides), on_active_side(p2, sides)
    apart = (side1 != side2) & ~on_active_side(near, sides)
    mandatory = hits & (side1 | side2 | ~limited)
    possible = limited & ~mandatory & (apart | ~(side1 | side2))

    is_a1, is_a2 = nearest_pair(
        _radial(first.a), _radial(first.b), _radial(second.a), _radial(second.b)
    )
    use_ab, far = _on_quadrant(first, second, sides)
    r1 = jnp.where(jnp.where(limited, use_ab, is_a1), first.a, first.b)
    r2 = jnp.where(jnp.where(limited, ~use_ab, is_a2), second.a, second.b)
    far = far & limited
    long = limited & (dot(_radial(r1) + _radial(r2), (r1 - p1) + (r2 - p2)) < 0)
    z1, z2 = _slide(p1, p2, r1, r2, first, second, radius, far)
    beyond = [jnp.abs(z) > params.length / 2 for z in (z1, z2)]
    there = ~inside & ~(beyond[0] & beyond[1])

    turned = jnp.arctan2(*_sine_cosine(r1, r2))
    angle = jnp.where(long, 2 * math.pi - turned, turned)
    if not alone:
        turn = jnp.where(long, -angle, angle)
        reach = (safe_divide(_sine_cosine(r, p)[0], radius) for r, p in ((r1, p1), (r2, p2)))
        given = stack([z1, z2, p1[2], p2[2], *reach, radius, turn])
        z1, z2 = _tightened(given, there.astype(z1.dtype)[None])
    length = safe_norm(stack([radius * angle, z2 - z1]))
    ends = _at_height(r1, z1), _at_height(r2, z2)
    return WrapLine(inside, possible & there, mandatory & there, *ends, length)


def on_surface(points: jax.Array, params: Params) -> jax.Array:
    """Points `[row, point, 3]` (m) moved onto the cylinders, at their heights."""
    distance = safe_norm(points[..., :2])
    factor = safe_divide(params.radius[:, None], distance)[..., None]
    return jnp.concatenate([factor * points[..., :2], points[..., 2:]], axis=-1)


class _End(NamedTuple):
    """One end of the piece: its squared distance from the axis, and its two tangent points."""

    squared: jax.Array  # (m²)
    distance: jax.Array  # (m)
    a: jax.Array  # [3] (m) at the height of the end, as b
    b: jax.Array


def _end(p: jax.Array, radius: jax.Array) -> _End:
    """Tangent points, in the cross section of the end; finite also if the end is inside."""
    squared = p[0] ** 2 + p[1] ** 2
    distance = sqrt_or_zero(squared)
    outward = unit(_radial(p))
    sideways = stack([-outward[1], outward[0], jnp.zeros_like(distance)])
    sine = safe_divide(radius, distance)
    along = radius * sine * outward + _axial(p)
    across = radius * sqrt_or_zero(1 - sine**2) * sideways
    return _End(squared, distance, along + across, along - across)


def _radial(p: jax.Array) -> jax.Array:
    """The part `[3]` perpendicular to the axis."""
    return p * np.array([1.0, 1.0, 0.0], p.dtype)


def _axial(p: jax.Array) -> jax.Array:
    """The part `[3]` along the axis."""
    return p * np.array([0.0, 0.0, 1.0], p.dtype)


def _at_height(p: jax.Array, z: jax.Array) -> jax.Array:
    """The point `[3]` of the same cross-sectional place at height z."""
    return stack([p[0], p[1], z])


def _sine_cosine(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sine and cosine, times the distances from the axis, of the angle about z from a to b."""
    sine, cosine = a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]
    return sine, jnp.where((sine == 0) & (cosine == 0), 1.0, cosine)


def _nearest(p1: jax.Array, p2: jax.Array, params: Params) -> tuple[jax.Array, jax.Array]:
    """The point of the line that is nearest to the axis, and whether the piece meets the cylinder.

    The cylinder has no ends here.
    """
    along = p2 - p1
    across = along[0] ** 2 + along[1] ** 2
    skew = (across > _PARALLEL * dot(along, along)) & (params.length > 0)
    fraction = safe_divide(-(p1[0] * along[0] + p1[1] * along[1]), jnp.where(skew, across, 0.0))
    near = p1 + fraction * along
    close = near[0] ** 2 + near[1] ** 2 < params.radius**2
    return near, skew & close & (fraction > 0) & (fraction < 1)


def _on_quadrant(first: _End, second: _End, sides: Sides) -> tuple[jax.Array, jax.Array]:
    """Whether a of the first and b of the second end are used, and whether the far apex is."""
    alpha = dot(_radial(first.a), _radial(second.b))
    beta = dot(_radial(first.b), _radial(second.a))
    wider = alpha < beta  # these are cosines
    a1, b1, a2, b2 = (on_active_side(x, sides) for x in (first.a, first.b, second.a, second.b))
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
    """Heights of the tangent points in the plane through both ends and the apex.

    The apex is a point of the surface at the height that divides the piece as the distances of
    its ends from the axis do.
    """
    fraction = safe_divide(first.distance, first.distance + second.distance)
    middle = p1 + fraction * (p2 - p1)
    center = _axial(middle)
    normal = cross(p1 - center, p2 - center)
    upright = unit(stack([-normal[1], normal[0], jnp.zeros_like(radius)]))
    facing = jnp.where((dot(middle, upright) > 0) != far, 1.0, -1.0)
    apex = center + facing * radius * upright
    plane = cross(p1 - apex, p2 - apex)
    size_of_plane = safe_norm(plane)
    slope = safe_divide(plane[2], size_of_plane)
    cuts = (jnp.abs(slope) >= _IN_PLANE) & jnp.any(upright != 0)
    z1, z2 = p1[2], p2[2]

    def height(r: jax.Array) -> jax.Array:
        rise = plane[0] * (r[0] - p1[0]) + plane[1] * (r[1] - p1[1])
        return z1 - safe_divide(rise, jnp.where(cuts, plane[2], 0.0))

    def toward(z: jax.Array, own: jax.Array, other: jax.Array) -> jax.Array:
        # OpenSim takes the height of the second end for a direction, which is none if it is 0.
        seen = jnp.where(jnp.abs(z2) >= _HEIGHT, z, z1)
        nearer = (seen - other) ** 2 < (own - other) ** 2
        return jnp.where(cuts & nearer & (jnp.abs(z - own) <= _FARTHEST), z, own)

    return toward(height(r1), z1, z2), toward(height(r2), z2, z1)


class _Ends(NamedTuple):
    """The helix and the straight pieces at its ends, seen along the tangents of the cylinder.

    Each end of the piece is `reach` ahead of its tangent point, along the tangent in the sense of
    rotation about z.
    """

    z: tuple[jax.Array, jax.Array]  # (m) heights of the tangent points
    p_z: tuple[jax.Array, jax.Array]  # (m) heights of the ends of the piece
    reach: tuple[jax.Array, jax.Array]  # (m)
    radius: jax.Array  # (m)
    turn: jax.Array  # (rad) from the first tangent point to the second, about z


@with_forward_jacobian
def _tightened(numbers: jax.Array, constants: jax.Array) -> jax.Array:
    """Heights `[2]` after sliding the tangent points until the helix continues the pieces.

    Args:
      numbers: `[8]` the fields of `_Ends`, one after the other.
      constants: `[1]` whether there is anything to do.
    """
    n = [numbers[i] for i in range(8)]
    ends = _Ends((n[0], n[1]), (n[2], n[3]), (n[4], n[5]), n[6], n[7])

    def goes_on(carry: tuple[jax.Array, ...]) -> jax.Array:
        return carry[2] & (carry[3] < _STEPS)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        z1, z2, going, steps = carry
        rise = z2 - z1
        count = jnp.floor(safe_norm(stack([ends.radius * ends.turn, rise])) / _SEGMENT)
        going = going & (count >= 2)
        part = jax.lax.stop_gradient(safe_divide(jnp.ones_like(count), count))
        new1, moved1 = _adjusted(ends, 0, z1, part * ends.turn, z1 + part * rise)
        new1 = jnp.where(going & moved1, new1, z1)
        new2, moved2 = _adjusted(ends, 1, z2, -part * ends.turn, new1 + (1 - part) * rise)
        new2 = jnp.where(going & moved2, new2, z2)
        return new1, new2, going & (moved1 | moved2), steps + 1

    start = (*ends.z, constants[0] > 0, jnp.zeros((), int))
    z1, z2, *_ = jax.lax.while_loop(goes_on, step, start)
    return stack([z1, z2])


def _adjusted(
    ends: _Ends, side: int, z: jax.Array, angle: jax.Array, w_z: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """New height of a tangent point, and whether it is not tangent yet.

    Args:
      ends: of helix and pieces.
      side: which end.
      z: height of its tangent point.
      angle: (rad) about z from there to the next point of the helix.
      w_z: height of that point.
    """
    p_z, reach, radius = ends.p_z[side], ends.reach[side], ends.radius
    inward, ahead = radius * (jnp.cos(angle) - 1), radius * jnp.sin(angle)
    rises = z - p_z, w_z - z
    widths = jnp.abs(reach), sqrt_or_zero(inward**2 + ahead**2)
    widths = [
        jnp.where((width == 0) & (rise == 0), 1.0, width)
        for width, rise in zip(widths, rises, strict=True)
    ]
    sine = jnp.abs(widths[0] * rises[1] - widths[1] * rises[0])
    moved = sine > math.tan(_TANGENT) * (widths[0] * widths[1] + rises[0] * rises[1])
    gap = ahead - reach
    fraction = safe_divide(-reach * gap, inward**2 + gap**2)
    meeting = p_z + fraction * (w_z - p_z)
    return z + _STEP * (meeting - z), moved
