"""WrapEllipsoid: a path that turns around an ellipsoid in a plane.

The plane goes through both ends of the piece and a point of the surface, which the method of the
PathWrap chooses; in it tangent points are sought, and the section between them is measured.

Source: OpenSim `WrapEllipsoid`; see docs/theory/paths.md, "Ellipsoids".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.forward import with_forward_jacobian
from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import cross, dot, matvec, transpose
from jaxosim.arrays.safe import safe_divide, safe_norm, unit
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec
from jaxosim.paths.ellipsoid import (
    NO_PLANE,
    Arc,
    Plane,
    arc_length,
    closest_point,
    entry,
    largest,
    quadric,
    tangent_point,
)
from jaxosim.paths.wrap_object import Sides, WrapLine, WrapObjectSpec, read_quadrant, sqrt_or_zero
from jaxosim.pytree import array, pytree

FIELD = "wrap_ellipsoids"
AXIS = "wrap_ellipsoid"
TAG = "WrapEllipsoid"

# OpenSim's constants.
_INSIDE = -1e-4  # value of the quadric of an end that is inside
_COLLINEAR = 1e-4  # one minus the cosine between ends that are seen in one direction
_LEAST_ALONG = 0.7073  # direction cosine of a piece up to which only the fan counts
_MOST_ALONG = 0.9  # from which only the axis does
_MARGIN = 0.3  # of the chord at its ends, over which the axis counts less
_FAN = 300  # parts of the chord


@dataclass(frozen=True)
class Spec(WrapObjectSpec):
    """An ellipsoid about the origin of its frame; `dimensions` are its semi-axes (m)."""

    dimensions: tuple[float, float, float]


@pytree
class Params:
    """Dimensions of the ellipsoids."""

    dimensions: jax.Array = array("wrap_ellipsoid", 3, unit="m")  # semi-axes


def read(context: Context, element: Element, frame: FrameSpec) -> Spec:
    """What the file says of one ellipsoid.

    Raises:
      OsimFormatError: a dimension is not positive, or the quadrant is none.
    """
    dimensions = context.vector(element, "dimensions", (0.05, 0.05, 0.05))
    if min(dimensions) <= 0.0:
        raise element.error(f"expected dimensions above 0, found {dimensions}")
    active = context.boolean(element, "active", True)
    return Spec(element.name, frame, active, read_quadrant(context, element), dimensions)


def build(specs: Sequence[Spec]) -> Params:
    """Their numbers."""
    return Params(dimensions=np.array([spec.dimensions for spec in specs], float).reshape(-1, 3))


def wrap_line(p1: jax.Array, p2: jax.Array, params: Params, sides: Sides, alone: bool) -> WrapLine:
    """Wrap a straight piece from p1 to p2 around an ellipsoid.

    Args:
      p1: `[3]` (m) in the frame of the ellipsoid.
      p2: `[3]` (m) likewise.
      params: of the ellipsoid.
      sides: quadrant and method.
      alone: whether no other wrap shares the path, which makes no difference here.

    Returns:
      Tangent points and the length between them; every wrap is mandatory.
    """
    a = params.dimensions
    scale = safe_divide(jnp.full_like(a[0], 3.0), a[0] + a[1] + a[2])
    chord = _chord(p1, p2, a)
    flags = stack([sides.is_axial, sides.is_midpoint, chord]).astype(p1.dtype)
    constants = [sides.direction, flags, jax.lax.stop_gradient(scale)[None]]
    found = _wrapped(concatenate([p1, p2, a]) * scale, concatenate(constants)) / scale
    no = jnp.zeros((), bool)
    return WrapLine(_inside(p1, p2, a), no, chord, found[:3], found[3:6], found[6])


def on_surface(points: jax.Array, params: Params) -> jax.Array:
    """Points `[row, point, 3]` (m) moved onto the ellipsoids, toward their centers."""
    size = safe_norm(points / params.dimensions[:, None])
    return safe_divide(jnp.ones_like(size), size)[..., None] * points


def _inside(p1: jax.Array, p2: jax.Array, a: jax.Array) -> jax.Array:
    """Whether an end is in the ellipsoid."""
    return (quadric(p1, a) < _INSIDE) | (quadric(p2, a) < _INSIDE)


def _roots(p1: jax.Array, p2: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where the line p2 + l (p1 - p2) meets the ellipsoid: whether, larger and smaller l."""
    along, end = (p1 - p2) / a, p2 / a
    square, double, rest = dot(along, along), 2 * dot(along, end), dot(end, end) - 1
    disc = double * double - 4 * square * rest
    root = sqrt_or_zero(disc)
    low, high = (safe_divide(sign * root - double, 2 * square) for sign in (-1.0, 1.0))
    return disc >= 0, high, low


def _chord(p1: jax.Array, p2: jax.Array, a: jax.Array) -> jax.Array:
    """Whether both places at which a line meets the ellipsoid lie between its ends."""
    size = safe_norm(p1) * safe_norm(p2)
    apart = jnp.abs(safe_divide(dot(p1, p2), size) - 1) >= _COLLINEAR
    meets, high, low = _roots(p1, p2, a)
    between = (low > 0) & (low < 1) & (high > 0) & (high < 1)
    return ~_inside(p1, p2, a) & apart & meets & between


class _Piece(NamedTuple):
    """One straight piece, and where it meets the ellipsoid, in units in which that is about 1."""

    p1: jax.Array  # [3]
    p2: jax.Array  # [3]
    a: jax.Array  # [3] semi-axes
    first: jax.Array  # [3] intersection nearer to p1
    second: jax.Array  # [3] the other
    direction: jax.Array  # [3] of the quadrant; zero if there is none
    is_axial: jax.Array  # bool
    is_midpoint: jax.Array  # bool
    there: jax.Array  # bool: whether the piece wraps at all


class _Apex(NamedTuple):
    """How the point of the surface is sought through which the wrapping plane goes.

    It takes up to four nearest points: `AXIAL` that of a point of the piece in a coordinate plane,
    `BESIDE` that of another point, `BLENDED` that of a mean of both, and `PUSHED` that of the
    result moved toward the quadrant.
    """

    crossing: jax.Array  # [3] where the piece crosses the plane of a coordinate
    axis: jax.Array  # of that coordinate
    seen: jax.Array  # [3] the other point
    share: jax.Array  # of the first in the mean
    by_axis: jax.Array  # bool: whether the first counts
    beside: jax.Array  # bool: whether the other one does
    fan: jax.Array  # weight of the fan; zero if it has none
    from_chord: jax.Array  # bool: tangent points are sought from the chord's ends

    def point(self, found: jax.Array) -> jax.Array:
        """The point before the quadrant is looked at, from the four `[4, 3]`."""
        blended = jnp.where(self.beside, found[BLENDED], found[AXIAL])
        return jnp.where(self.by_axis, blended, found[BESIDE])


AXIAL, BESIDE, BLENDED, PUSHED = range(4)


@with_forward_jacobian
def _wrapped(numbers: jax.Array, constants: jax.Array) -> jax.Array:
    """Both tangent points and the length between them, `[7]`, of one piece.

    Args:
      numbers: `[9]` both ends and the semi-axes, in units in which these have a mean of 1.
      constants: `[7]` direction of the quadrant, whether the method is axial, and midpoint, whether
        the piece wraps, and how many units are a meter.
    """
    p1, p2, a = numbers[:3], numbers[3:6], numbers[6:]
    _, high, low = _roots(p1, p2, a)
    first, second = p2 + high * (p1 - p2), p2 + low * (p1 - p2)
    is_axial, is_midpoint, there = (constants[i] > 0 for i in (3, 4, 5))
    piece = _Piece(p1, p2, a, first, second, constants[:3], is_axial, is_midpoint, there)
    apex = _apex(piece)
    found = _nearest(piece, apex)
    flips, mirrored = _mirrored(piece, apex.point(found))
    start = jnp.where(apex.from_chord, stack([first, second]), apex.point(found)[None])
    start = jnp.where(flips, mirrored[None], start)
    pushed = jnp.where(apex.fan > 0, found[PUSHED], mirrored)
    point = jnp.where(flips, pushed, apex.point(found))
    # OpenSim differs: where the point is on the line of the piece, as on an axis of the ellipsoid,
    # it has no plane and raises; ours then goes through the end of an axis beside the piece.
    on_line = ~jnp.any(cross(p1 - p2, p1 - point) != 0)
    beside = jnp.where(np.arange(3) == largest(-jnp.abs(p1 - p2)), a, 0.0)
    start = jnp.where(on_line, beside[None], start)
    point = jnp.where(on_line, beside, point)
    normal = unit(cross(p1 - p2, p1 - point))
    plane = Plane(normal, -dot(normal, point))

    def tangent(_: None, end: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        return None, tangent_point(*end, a, plane, there)

    r = jax.lax.scan(tangent, None, (start, stack([p1, p2])))[1]
    limited = jnp.any(piece.direction != 0)
    length = arc_length(Arc(r[0], r[1], p1, p2), a, plane, constants[6], limited, there)
    return concatenate([r[0], r[1], length[None]])


def _apex(piece: _Piece) -> _Apex:
    """What the method makes of a piece.

    The axial method takes the point of the piece in the coordinate plane to which it is most
    perpendicular, and the nearest point of the section with that plane. The hybrid one takes the
    mean direction from points of the chord to their nearest points, a fan, and blends it with the
    axial method the more, the nearer the piece is to an axis.
    """
    chord = piece.second - piece.first
    cosines = jnp.abs(unit(piece.p1 - piece.p2))
    axis = largest(cosines)
    place = safe_divide(-entry(piece.first, axis), entry(chord, axis))
    is_hybrid = ~piece.is_axial & ~piece.is_midpoint
    along = entry(cosines, axis)
    within = (place >= 0) & (place <= 1)
    margin = jnp.where(within, jnp.minimum(place, 1 - place) / _MARGIN, 0.0)
    faded = _LEAST_ALONG + margin * (along - _LEAST_ALONG)
    along = jnp.where((along > _LEAST_ALONG) & (margin < 1), faded, along)
    by_axis = piece.is_axial | (is_hybrid & (along > _LEAST_ALONG))
    by_fan = is_hybrid & (along < _MOST_ALONG)
    share = (along - _LEAST_ALONG) / (_MOST_ALONG - _LEAST_ALONG)
    middle = piece.first + 0.5 * chord
    tip = middle + unit(_fan(piece.first, chord, piece.a, piece.there & by_fan))
    return _Apex(
        crossing=piece.first + place * chord,
        axis=axis,
        seen=jnp.where(piece.is_midpoint, middle, tip),
        share=share,
        by_axis=by_axis,
        beside=piece.is_midpoint | by_fan,
        fan=jnp.where(by_fan, jnp.where(by_axis, 1 - share, 1.0), 0.0),
        from_chord=piece.is_axial & ~((place > 0) & (place < 1)),
    )


def _nearest(piece: _Piece, apex: _Apex) -> jax.Array:
    """The four nearest points `[4, 3]`, one after the other, since some start from others."""

    def find(found: jax.Array, one: jax.Array) -> tuple[jax.Array, None]:
        flips, mirrored = _mirrored(piece, apex.point(found))
        blend = apex.share * found[AXIAL] + (1 - apex.share) * found[BESIDE]
        shrunk = jnp.where(piece.direction != 0, (1 - apex.fan) * mirrored, mirrored)
        points = stack([apex.crossing, apex.seen, blend, shrunk])
        needed = stack(
            [apex.by_axis, apex.beside, apex.by_axis & apex.beside, flips & (apex.fan > 0)]
        )
        active = piece.there & jnp.any(needed & (one > 0))
        plane = jnp.where(one[AXIAL] > 0, apex.axis, NO_PLANE)
        new = closest_point(matvec(transpose(points), one), piece.a, active, plane)
        return jnp.where(one[:, None] > 0, new[None], found), None

    none = jnp.zeros((4, 3), piece.a.dtype)
    return jax.lax.scan(find, none, np.eye(4, dtype=none.dtype))[0]


def _mirrored(piece: _Piece, point: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Whether a point of the surface is off the quadrant, and its mirror image."""
    along = dot(point, piece.direction)
    # As everywhere in OpenSim, zero is on the positive side.
    flips = (along < 0) | ((along == 0) & jnp.any(piece.direction < 0))
    return flips, jnp.where(piece.direction != 0, -point, point)


def _fan(start: jax.Array, chord: jax.Array, a: jax.Array, active: jax.Array) -> jax.Array:
    """Sum `[3]` of the directions from points of a chord to their nearest points."""

    def goes_on(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return active & (carry[0] < _FAN - 1)

    def step(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        i, total = carry
        point = start + i / _FAN * chord
        blade = closest_point(point, a, active) - point
        # Next to the surface a point is its own nearest one, but for rounding: no direction.
        has_length = safe_norm(blade) >= jnp.finfo(blade.dtype).eps
        return i + 1, total + jnp.where(has_length, unit(blade), 0.0)

    one = jnp.ones_like(start[0])
    return jax.lax.while_loop(goes_on, step, (one, jnp.zeros_like(start)))[1]
