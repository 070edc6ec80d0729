"""Points and arcs on an ellipsoid, by OpenSim's own iterations, which its results depend on.

All are of one ellipsoid about the origin, whose semi-axes `a` `[3]` are along x, y and z and have a
mean of about 1, which the tolerances count on. Where `active` is False no iteration is made, and
the result means nothing.

Source: OpenSim `WrapEllipsoid`; Eberly, "Distance from a point to an ellipsoid"; see
docs/theory/paths.md, "Ellipsoids".
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import cross, dot, matmul_nt, matvec
from jaxosim.arrays.positive_definite import inverse_positive, solve_positive
from jaxosim.arrays.safe import safe_divide, safe_norm, unit

# OpenSim's constants.
_ON_PLANE = 2e-13  # coordinate below which a point is in a coordinate plane
_ROOT = 1e-9  # value of the polynomial below which it is zero
_FARTHEST = 10.0  # beyond the sum of two semi-axes, of which all three have a mean of 1
_NEWTON_STEPS = 64
_ON_SURFACE = 1e-4  # value of the quadric below which a point is its own tangent point
_TANGENT = 1e-8  # sum of squares of residuals that ends the search
_ROUNDS = 50
_SHARE = 1 / 16  # of a damped step that is tried first
_DAMPING = 0.01
_DOUBLINGS = 1000
_SEGMENT = 0.001  # (m) of the chords of an arc
_MOST_SEGMENTS = 499
# OpenSim differs: damping that finds no lower sum grows 1,000 times there, until it is infinite and
# the point NaN; ours stops when the steps are below rounding.
_DAMPINGS = 60

NO_PLANE = -1


def entry(v: jax.Array, axis: jax.Array) -> jax.Array:
    """The entry of `[3]` at an axis that is not static."""
    return jnp.where(axis == 0, v[0], jnp.where(axis == 1, v[1], v[2]))


def largest(v: jax.Array) -> jax.Array:
    """Axis of the largest of three numbers; of equal ones the first."""
    return jnp.where(v[2] > jnp.where(v[1] > v[0], v[1], v[0]), 2, jnp.where(v[1] > v[0], 1, 0))


def quadric(p: jax.Array, a: jax.Array) -> jax.Array:
    """Zero on the surface, negative inside."""
    return dot(p / a, p / a) - 1


def _rotated(v: jax.Array, axis: jax.Array) -> jax.Array:
    """The entries of `[3]` in cyclic order from an axis on."""
    second, third = _cycled(v)
    return jnp.where(axis == 1, second, jnp.where(axis == 2, third, v))


def closest_point(
    q: jax.Array, a: jax.Array, active: jax.Array, plane: jax.Array | int = NO_PLANE
) -> jax.Array:
    """The point of the ellipsoid that is nearest to q, `[3]`.

    Args:
      q: `[3]`.
      a: semi-axes.
      active: bool.
      plane: axis whose coordinate is kept while the nearest point of an ellipse is sought; without
        one, that of a coordinate plane in which q lies.
    """
    tiny = max(_ON_PLANE, 2 * float(jnp.finfo(q.dtype).eps))
    near = jnp.abs(q) <= tiny
    rests = stack([a[1] + a[2], a[0] + a[2], a[0] + a[1]])
    rests = jnp.where(near, rests, _FARTHEST)
    narrowest = largest(-rests)
    plane = jnp.where((plane == NO_PLANE) & jnp.any(near), narrowest, plane)
    kept = plane != NO_PLANE
    axis = jnp.where(kept, plane, 0)
    q, a = _rotated(q, axis), _rotated(a, axis)
    free = stack([~kept, jnp.ones_like(kept), jnp.ones_like(kept)])
    on_axis = kept & ((jnp.abs(q[1]) <= tiny) | (jnp.abs(q[2]) <= tiny))
    general = _by_newton(q, a, free, active & ~on_axis)
    found = jnp.where(on_axis, _from_axis(q, a, tiny), general)
    return _rotated(found, jnp.where(axis == 0, 0, 3 - axis))


def _by_newton(q: jax.Array, a: jax.Array, free: jax.Array, active: jax.Array) -> jax.Array:
    """The nearest point, over the coordinates that are free.

    A root of a polynomial of the multiplier of the constraint, without a denominator; a coordinate
    that is kept contributes a factor of 1.
    """
    share = jnp.where(free, 1.0, 0.0).astype(q.dtype)
    squared = a * a
    weight = share * squared * q * q
    rounding = 8 * float(jnp.finfo(q.dtype).eps)

    def evaluate(t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Value, derivative, and value that counts as zero."""
        factor = jnp.where(free, t + squared, 1.0)
        after, before = _cycled(factor)
        after_share, before_share = _cycled(share)
        others = after * before
        whole = factor[0] * others[0]
        value = whole * whole - dot(weight, others * others)
        change = after * before_share + before * after_share
        slope = 2 * (whole * dot(share, others) - dot(weight, others * change))
        return value, slope, jnp.maximum(_ROOT, rounding * whole * whole)

    def goes_on(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        steps, _, is_root = carry
        return active & (steps < _NEWTON_STEPS) & ~is_root

    def step(
        carry: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        steps, t, _ = carry
        value, slope, least = evaluate(t)
        is_root = jnp.abs(value) < least
        return steps + 1, jnp.where(is_root, t, t - safe_divide(value, slope)), is_root

    inside = dot(share * q / a, q / a) < 1
    far = jnp.max(share * a) * safe_norm(share * q)
    start = (jnp.zeros((), int), jnp.where(inside, 0.0, far), jnp.zeros((), bool))
    t = jax.lax.while_loop(goes_on, step, start)[1]
    found = safe_divide(squared * q, t + squared)
    return jnp.where(free, found, q)


def _cycled(v: jax.Array) -> tuple[jax.Array, jax.Array]:
    """For each of three entries the next and the one before."""
    x, y, z = v[0], v[1], v[2]
    return stack([y, z, x]), stack([z, x, y])


def _from_axis(q: jax.Array, a: jax.Array, tiny: float) -> jax.Array:
    """The nearest point of the ellipse of the last two coordinates, if q is on one of its axes."""
    on_second, on_first = jnp.abs(q[1]) <= tiny, jnp.abs(q[2]) <= tiny

    def nearest(along: jax.Array, across: jax.Array, size: jax.Array, other: jax.Array):
        """Both coordinates of the point, the one along the axis on which q lies first."""
        tip = jnp.where(along >= 0, size, -size)
        at_tip = (other >= size) | (jnp.abs(along) >= size - other * other / size)
        place = safe_divide(size * size * along, jnp.where(at_tip, 0.0, size**2 - other**2))
        rest = jnp.abs(1 - (place / size) ** 2)
        beside = other * jnp.where(rest > 0, jnp.sqrt(jnp.where(rest > 0, rest, 1.0)), 0.0)
        return jnp.where(at_tip, tip, place), jnp.where(at_tip, across, beside)

    y, x = nearest(q[2], q[1], a[2], a[1])
    x_first, y_first = nearest(q[1], q[2], a[1], a[2])
    use_first = on_first & (~on_second | (a[1] < a[2]))
    return stack([q[0], jnp.where(use_first, x_first, x), jnp.where(use_first, y_first, y)])


class Plane(NamedTuple):
    """The points x with normal · x + offset = 0."""

    normal: jax.Array  # [3]
    offset: jax.Array


class _Search(NamedTuple):
    """State of the search for a tangent point."""

    x: jax.Array  # [4] the point, and the offset of its tangent plane
    total: jax.Array  # sum of the squares of the residuals
    before: jax.Array  # the one before
    damping: jax.Array
    rounds: jax.Array


_Tried = tuple[_Search, jax.Array]  # and the step that led there


class _Section(NamedTuple):
    """What a tangent point is sought for: a plane section, and a point in its plane."""

    p: jax.Array  # [3]
    a: jax.Array  # [3] semi-axes
    plane: Plane

    def residuals(self, x: jax.Array) -> jax.Array:
        """Distances `[4]` from plane and surface, and of the tangent plane from its point and p."""
        gradient = 2 * x[:3] / (self.a * self.a)
        return stack(
            [
                dot(self.plane.normal, x[:3]) + self.plane.offset,
                quadric(x[:3], self.a),
                dot(gradient, x[:3]) + x[3],
                dot(gradient, self.p) + x[3],
            ]
        )

    def total(self, x: jax.Array) -> jax.Array:
        """Sum of the squares of the residuals."""
        residuals = self.residuals(x)
        return dot(residuals, residuals)


def tangent_point(
    start: jax.Array, p: jax.Array, a: jax.Array, plane: Plane, active: jax.Array
) -> jax.Array:
    """The point of a plane section at which a line from p touches the ellipsoid, `[3]`.

    The search is by damped least squares, each step of which is doubled as long as that helps. It
    ends far from rounding, so that the result is that of its path.

    Args:
      start: `[3]` from which the search goes.
      p: `[3]` outside, or on the surface, where it is its own tangent point.
      a: semi-axes.
      plane: through p.
      active: bool.
    """
    outside = jnp.abs(quadric(p, a)) >= _ON_SURFACE
    section = _Section(p, a, plane)

    def goes_on(at: _Search) -> jax.Array:
        return active & outside & (at.total > _TANGENT) & (at.rounds < _ROUNDS)

    gradient = 2 * start / (a * a)
    x = concatenate([start, -dot(gradient, start)[None]])
    total = section.total(x)
    first = _Search(x, total, total, jnp.full((), _DAMPING, x.dtype), jnp.zeros((), int))
    end = jax.lax.while_loop(goes_on, lambda at: _one_round(section, at), first)
    # Where the search finds no tangent its derivative grows without bound, and counts as zero.
    found = jnp.where(end.total <= _TANGENT, end.x, jax.lax.stop_gradient(end.x))[:3]
    return jnp.where(outside, found, p)


def _one_round(section: _Section, at: _Search) -> _Search:
    """Damp until the sum falls, then double the step while it does."""
    matrix = _slopes(section, at.x[:3])
    pull = -matvec(matrix, section.residuals(at.x))
    square = matmul_nt(matrix, matrix)
    share = _SHARE * _reduced(at.x[:3], section.p)
    eye = np.eye(4, dtype=at.x.dtype)

    def is_no_lower(tried: _Tried) -> jax.Array:
        return (tried[0].total >= tried[0].before) & (tried[0].rounds < _DAMPINGS)

    def damped(tried: _Tried) -> _Tried:
        here = tried[0]
        system = square * (1 + here.damping * eye)
        step = share * solve_positive(system, inverse_positive(system), pull)
        x = here.x + step
        damping, rounds = 4 * here.damping, here.rounds + 1
        return _Search(x, section.total(x), here.total, damping, rounds), step

    def is_lower(tried: _Tried) -> jax.Array:
        return (tried[0].total <= tried[0].before) & (tried[0].rounds < _DOUBLINGS)

    def doubled(tried: _Tried) -> _Tried:
        here, step = tried
        x = here.x + 2 * step
        return _Search(x, section.total(x), here.total, here.damping, here.rounds + 1), 2 * step

    none = jnp.zeros((), int)
    start = (at._replace(rounds=none), jnp.zeros_like(at.x))
    here, step = jax.lax.while_loop(is_no_lower, damped, start)
    start = (here._replace(rounds=none), 0.5 * step)
    here, step = jax.lax.while_loop(is_lower, doubled, start)
    x = here.x - step  # the last did not help
    total = section.total(x)
    return _Search(x, total, total, here.damping / 8, at.rounds + 1)


def _slopes(section: _Section, r: jax.Array) -> jax.Array:
    """Derivatives `[4, 4]` of the residuals (columns) by the point and the offset (rows)."""
    squared = section.a * section.a
    gradient = 2 * r / squared
    columns = stack([section.plane.normal, gradient, 2 * gradient, 2 * section.p / squared], axis=1)
    return concatenate([columns, jnp.array([[0.0, 0.0, 1.0, 1.0]], r.dtype)])


def _reduced(r: jax.Array, p: jax.Array) -> jax.Array:
    """Share of a step that is taken: less where p is seen from r straight outward."""
    cosine = dot(unit(p - r), unit(p))
    return jnp.where(cosine > 0.1, 1 - jnp.where(cosine > 0.1, cosine, 0.0) ** 100, 1.0)


class Arc(NamedTuple):
    """A curve on the surface, in a plane."""

    start: jax.Array  # [3]
    end: jax.Array  # [3]
    toward_start: jax.Array  # [3] end of the piece of the path before it
    toward_end: jax.Array  # [3] end of the piece behind it


def arc_length(
    arc: Arc, a: jax.Array, plane: Plane, scale: jax.Array, limited: jax.Array, active: jax.Array
) -> jax.Array:
    """Length of the section of the ellipsoid with a plane, by chords about a millimeter long.

    Args:
      arc: its ends.
      a: semi-axes.
      plane: of the section.
      scale: how many units are a meter.
      limited: bool; the arc goes the long way if the short one turned the path back.
      active: bool.
    """
    chord = safe_norm(arc.start - arc.end)
    count = jnp.clip(jnp.floor(chord / scale / _SEGMENT), 1, _MOST_SEGMENTS)
    count = jax.lax.stop_gradient(count)
    axis = largest(jnp.abs(plane.normal))
    offset = safe_divide(-plane.offset, entry(plane.normal, axis))
    center = jnp.where(np.arange(3) == axis, offset, 0.0)
    x, toward = unit(arc.start - center), unit(arc.end - center)
    z = cross(x, toward)
    y = cross(unit(z), x)
    cosine, sine = dot(x, toward), safe_norm(z)
    angle = jnp.arctan2(sine, jnp.where((sine == 0) & (cosine == 0), 1.0, cosine))

    def point(turn: jax.Array) -> jax.Array:
        return _ray(center, jnp.cos(turn) * x + jnp.sin(turn) * y, a)

    def turns_back(end: jax.Array, beyond: jax.Array, following: jax.Array) -> jax.Array:
        return dot(beyond - end, following - end) > 0

    part = angle / count
    back = turns_back(arc.start, arc.toward_start, point(part))
    back = back | turns_back(arc.end, arc.toward_end, point((count - 1) * part))
    far = limited & (count >= 2) & back
    part = jnp.where(far, part - 2 * math.pi / count, part)

    def goes_on(carry: tuple[jax.Array, ...]) -> jax.Array:
        return active & (carry[0] < count)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        i, at, length = carry
        following = point(i * part)
        return i + 1, following, length + safe_norm(following - at)

    first = (jnp.ones_like(count), arc.start, jnp.zeros_like(chord))
    _, at, length = jax.lax.while_loop(goes_on, step, first)
    return length + safe_norm(arc.end - at)


def _ray(origin: jax.Array, direction: jax.Array, a: jax.Array) -> jax.Array:
    """The point `[3]` at which a ray from inside leaves the ellipsoid.

    # OpenSim differs: from an origin outside, a ray that misses gives NaN there, us its nearest.
    """
    along, from_center = direction / a, origin / a
    squared, half = dot(along, along), dot(along, from_center)
    rest = half * half - squared * (dot(from_center, from_center) - 1)
    root = jnp.where(rest > 0, jnp.sqrt(jnp.where(rest > 0, rest, 1.0)), 0.0)
    return origin + safe_divide(root - half, squared) * direction
