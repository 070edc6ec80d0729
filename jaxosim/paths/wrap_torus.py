"""WrapTorus: a path that goes through a ring, over its inside.

OpenSim seeks the point of the piece that is nearest to the circle in the middle of the ring's tube,
puts a cylinder there, along the circle and as thick as the tube, and wraps over its inner side.

Source: OpenSim `WrapTorus`; see docs/theory/paths.md, "Tori".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.forward import with_forward_jacobian
from jaxosim.arrays.indexing import stack
from jaxosim.arrays.linalg import dot, matvec, transpose
from jaxosim.arrays.safe import safe_divide, safe_norm, unit
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec
from jaxosim.paths import wrap_cylinder
from jaxosim.paths.wrap_object import (
    NEVER,
    Sides,
    WrapLine,
    WrapObjectSpec,
    on_active_side,
    read_quadrant,
)
from jaxosim.pytree import array, pytree

FIELD = "wrap_tori"
AXIS = "wrap_torus"
TAG = "WrapTorus"

# OpenSim's constants.
_LENGTH = 10000.0  # (m) of the cylinder
_TOLERANCE = 1e-4  # of the search, both of the residual and of its place
_ROUNDS = 500
_BOUND = 0.2  # of the first step, in units of the slope
_DIFFERENCE = 1e-5  # (m) by which slopes are estimated


@dataclass(frozen=True)
class Spec(WrapObjectSpec):
    """A ring about z: the radius of its tube, and of the circle in the tube's middle (m)."""

    inner_radius: float
    outer_radius: float


@pytree
class Params:
    """Dimensions of the tori."""

    inner_radius: jax.Array = array("wrap_torus", unit="m")  # of the tube
    outer_radius: jax.Array = array("wrap_torus", unit="m")  # of the circle in its middle


def read(context: Context, element: Element, frame: FrameSpec) -> Spec:
    """What the file says of one torus.

    Raises:
      OsimFormatError: the inner radius is not positive, or not below the outer one, or the quadrant
        is none.
    """
    inner = context.number(element, "inner_radius", 0.01)
    outer = context.number(element, "outer_radius", 0.05)
    if not 0.0 < inner < outer:
        raise element.error(
            f"expected an inner_radius above 0 and below outer_radius, found {inner} and {outer}"
        )
    active = context.boolean(element, "active", True)
    return Spec(element.name, frame, active, read_quadrant(context, element), inner, outer)


def build(specs: Sequence[Spec]) -> Params:
    """Their numbers."""
    return Params(
        inner_radius=np.array([spec.inner_radius for spec in specs], float),
        outer_radius=np.array([spec.outer_radius for spec in specs], float),
    )


def wrap_line(p1: jax.Array, p2: jax.Array, params: Params, sides: Sides, alone: bool) -> WrapLine:
    """Wrap a straight piece from p1 to p2 through a torus.

    Args:
      p1: `[3]` (m) in the frame of the torus.
      p2: `[3]` (m) likewise.
      params: of the torus.
      sides: quadrant.
      alone: whether no other wrap shares the path.

    Returns:
      Tangent points and length; no wrap is mandatory. As in OpenSim a piece that finds no wrap at
      the cylinder counts as one that is too long to be taken.
    """
    radius = params.outer_radius
    first, second = _nearest(p1, p2, radius), _nearest(p2, p1, radius)
    active = [on_active_side(x, sides) | ~sides.limited for x in (first, second)]
    closer = _squared_distance(first, radius) < _squared_distance(second, radius)
    nearest = jnp.where(active[0] & (closer | ~active[1]), first, second)
    found = active[0] | active[1]

    outward = unit(nearest * np.array([1.0, 1.0, 0.0], p1.dtype))
    center = radius * outward
    x, none, one = -outward, jnp.zeros_like(radius), jnp.ones_like(radius)
    y = stack([none, none, -one])
    z = stack([-x[1], x[0], none])
    to_cylinder = stack([x, y, z])
    cylinder = wrap_cylinder.Params(radius=params.inner_radius, length=_LENGTH * one)
    inward = replace(sides, direction=jnp.asarray([1.0, 0.0, 0.0], p1.dtype))
    end1, end2 = (matvec(to_cylinder, p - center) for p in (p1, p2))
    line = wrap_cylinder.wrap_line(end1, end2, cylinder, inward, alone)
    wraps = line.possible | line.mandatory
    r1, r2 = (center + matvec(transpose(to_cylinder), r) for r in (line.r1, line.r2))
    no = jnp.zeros_like(found)
    length = jnp.where(wraps, line.length, 2 * NEVER)
    return WrapLine(no, found, no, r1, r2, length)


def on_surface(points: jax.Array, params: Params) -> jax.Array:
    """Points `[row, point, 3]` (m) moved onto the tori, toward the circles in their tubes."""
    flat = points * np.array([[[1.0, 1.0, 0.0]]], points.dtype)
    center = safe_divide(params.outer_radius[:, None], safe_norm(flat))[..., None] * flat
    apart = points - center
    return center + safe_divide(params.inner_radius[:, None], safe_norm(apart))[..., None] * apart


def _squared_distance(x: jax.Array, radius: jax.Array) -> jax.Array:
    """Squared distance (m²) from a point to the circle."""
    return dot(x, x) + radius**2 - 2 * radius * safe_norm(x[:2])


def _nearest(a: jax.Array, b: jax.Array, radius: jax.Array) -> jax.Array:
    """The point `[3]` of the line from a to b that is nearest to the circle."""
    direction = unit(b - a)
    flat, flat_direction = a[:2], direction[:2]
    line = stack(
        [
            dot(a, direction),
            dot(flat, flat_direction),
            dot(flat_direction, flat_direction),
            dot(flat, flat),
            radius,
        ]
    )
    return a + _place(line, jnp.zeros(0, line.dtype)) * direction


class _Search(NamedTuple):
    """State of the search along a line."""

    place: jax.Array  # (m) from its start
    residual: jax.Array
    size: jax.Array  # of the place, times the scale when it was reached
    scale: jax.Array  # largest slope so far
    bound: jax.Array  # of the next step, times the scale
    damping: jax.Array
    moved: jax.Array  # bool: whether a step has succeeded
    ended: jax.Array  # bool
    rounds: jax.Array


@with_forward_jacobian
def _place(line: jax.Array, _: jax.Array) -> jax.Array:
    """Where on a line OpenSim's search for the point nearest to a circle ends, `[1]` (m).

    MINPACK's search by damped least squares, of one residual by one variable. It ends far from
    rounding, so that the result is that of its path.

    Args:
      line: `[5]` its start times its direction; the same in the plane of the circle; the square of
        the direction and that of the start in that plane; the radius of the circle.
    """

    def goes_on(at: _Search) -> jax.Array:
        return ~at.ended & (at.rounds < _ROUNDS)

    zero, no = jnp.zeros_like(line[0]), jnp.zeros((), bool)
    bound = jnp.full_like(zero, _BOUND)
    start = _Search(
        zero, _residual(line, zero), zero, zero, bound, zero, no, no, jnp.zeros((), int)
    )
    return jax.lax.while_loop(goes_on, lambda at: _one_round(line, at), start).place[None]


def _residual(line: jax.Array, place: jax.Array) -> jax.Array:
    """Derivative (m) of the squared distance from the circle by the place on a line."""
    along, flat_along, share, flat, radius = (line[i] for i in range(5))
    squared = share * place**2 + 2 * flat_along * place + flat
    positive = squared > 0
    distance = jnp.sqrt(jnp.where(positive, squared, 1.0))
    change = jnp.where(positive, (share * place + flat_along) / distance, 0.0)
    return 2 * (along + place) - 4 * radius * change


def _one_round(line: jax.Array, at: _Search) -> _Search:
    """Try one step, and change bound and damping by how the residual follows."""
    slope = (_residual(line, at.place + _DIFFERENCE) - at.residual) / _DIFFERENCE
    flat = (at.residual == 0) | (slope == 0)
    scale = jnp.where(at.scale == 0, jnp.abs(slope), jnp.maximum(at.scale, jnp.abs(slope)))
    step, damping = _step(at, slope, scale)
    length = scale * jnp.abs(step)
    bound = jnp.where(at.moved, at.bound, jnp.minimum(at.bound, length))
    place = at.place + step
    residual = _residual(line, place)
    ratio = safe_divide(jnp.abs(residual), jnp.abs(at.residual))
    actual = jnp.where(0.1 * ratio < 1, 1 - ratio**2, -1.0)
    linear = safe_divide(slope * step, at.residual) ** 2
    damped = damping * safe_divide(length, at.residual) ** 2
    predicted = linear + 2 * damped
    gain = safe_divide(actual, predicted)

    fall = -(linear + damped)
    shrink = jnp.where(actual >= 0, 0.5, 0.5 * safe_divide(fall, fall + 0.5 * actual))
    shrink = jnp.where((0.1 * ratio >= 1) | (shrink < 0.1), 0.1, shrink)
    poor, good = gain <= 0.25, (damping == 0) | (gain >= 0.75)
    grown = jnp.where(good, 2 * length, bound)
    bound = jnp.where(poor, shrink * jnp.minimum(bound, 10 * length), grown)
    damping = jnp.where(poor, damping / shrink, jnp.where(good, 0.5 * damping, damping))

    moved = (gain >= 1e-4) & ~flat
    place = jnp.where(moved, place, at.place)
    settled = (jnp.abs(actual) <= _TOLERANCE) & (predicted <= _TOLERANCE) & (0.5 * gain <= 1)
    size = jnp.where(moved, scale * jnp.abs(place), at.size)
    short = bound <= _TOLERANCE * size
    return _Search(
        place=place,
        residual=jnp.where(moved, residual, at.residual),
        size=size,
        scale=scale,
        bound=bound,
        damping=damping,
        moved=at.moved | moved,
        ended=flat | settled | short,
        rounds=at.rounds + 1,
    )


def _step(at: _Search, slope: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The step within the bound, and the damping that makes it so short; 0 for Newton's."""
    newton = -safe_divide(at.residual, slope)
    pull = jnp.abs(slope * at.residual)
    highest = safe_divide(pull, scale * at.bound)
    lowest = highest - safe_divide(slope, scale) ** 2
    damping = jnp.minimum(jnp.maximum(at.damping, lowest), highest)

    def damped(damping: jax.Array) -> jax.Array:
        return -safe_divide(slope * at.residual, slope**2 + damping * scale**2)

    is_near = jnp.abs(scale * jnp.abs(damped(damping)) - at.bound) <= 0.1 * at.bound
    damping = jnp.where(is_near, damping, lowest)
    free = scale * jnp.abs(newton) <= 1.1 * at.bound
    return jnp.where(free, newton, damped(damping)), jnp.where(free, 0.0, damping)
