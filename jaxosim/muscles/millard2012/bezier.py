"""Curves of quintic Bézier segments, and the parameter at which a segment reaches a value.

A segment joins two straight lines as a corner does: of its six control points the second and third
are one, and the fourth and fifth, so it is given by four. Its slope at both ends is that of the
lines and its curvature zero, so that the segments of a curve join smoothly, with each other and
with the straight lines beyond the first and last.

Source: Millard et al. (2013), J. Biomech. Eng. 135:021005; OpenSim `SegmentedQuinticBezierToolkit`,
`SmoothSegmentedFunction`; see docs/theory/muscles.md, "Millard's curves".
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide

_ROUNDS = 4  # of Halley's iteration: the residual is rounding from every start, see the tests


class Points(NamedTuple):
    """One coordinate of the four control points of a segment, `[muscle]`; ascending or equal."""

    first: jax.Array
    second: jax.Array
    third: jax.Array
    last: jax.Array


def _differences(points: Points) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Differences of neighboring control points."""
    return (
        points.second - points.first,
        points.third - points.second,
        points.last - points.third,
    )


def _climb(differences: tuple[jax.Array, ...], u: jax.Array) -> jax.Array:
    """How far a segment has come from its first point at the parameter u in [0, 1]."""
    d0, d2, d4 = differences
    v = 1 - u
    square, rest = u * u, v * v
    return (
        d0 * (1 - rest * rest * v)
        + d2 * (square * u) * (10 - 15 * u + 6 * square)
        + d4 * (square * square * u)
    )


def _slope(differences: tuple[jax.Array, ...], u: jax.Array) -> jax.Array:
    """Derivative of a segment by its parameter."""
    d0, d2, d4 = differences
    square, rest = u * u, (1 - u) * (1 - u)
    return 5 * (d0 * (rest * rest) + 6 * d2 * (square * rest) + d4 * (square * square))


def _bend(differences: tuple[jax.Array, ...], u: jax.Array) -> jax.Array:
    """Second derivative of a segment by its parameter."""
    d0, d2, d4 = differences
    v = 1 - u
    return 20 * (d4 * (u * u * u) - d0 * (v * v * v) + 3 * d2 * (u * v) * (v - u))


def point_at(points: Points, u: jax.Array) -> jax.Array:
    """A coordinate of the segment at the parameter u in [0, 1], `[muscle]`."""
    return points.first + _climb(_differences(points), u)


@jax.custom_jvp
def parameter_at(points: Points, value: jax.Array) -> jax.Array:
    """Parameter u in [0, 1] at which a rising segment reaches a value between its end points.

    Halley's iteration in the half of the segment where the value lies, counted from the end of that
    half. It starts at an estimate for the cubic that the segment is near its end, and so takes the
    same few rounds to rounding however flat the end is.

    Args:
      points: `[muscle]` of a segment with its last point above its first.
      value: `[muscle]`.
    """
    d0, d2, d4 = _differences(points)
    halfway = (31 * d0 + 16 * d2 + d4) / 32
    beyond = value - points.first > halfway
    near, far = jnp.where(beyond, d4, d0), jnp.where(beyond, d0, d4)
    goal = jnp.where(beyond, points.last - value, value - points.first)
    differences = near, d2, far
    u = clip(safe_divide(goal, 5 * near + jnp.cbrt(10 * d2 * goal * goal)), high=0.5)
    for _ in range(_ROUNDS):
        error = _climb(differences, u) - goal
        slope = _slope(differences, u)
        step = safe_divide(error * slope, slope * slope - 0.5 * error * _bend(differences, u))
        u = clip(u - step, 0.0, 0.5)
    return jnp.where(beyond, 1 - u, u)


@parameter_at.defjvp
def _parameter_jvp(
    primals: tuple[Points, jax.Array], tangents: tuple[Points, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """By the implicit function theorem; holds for every order of derivatives."""
    points, value = primals
    u = parameter_at(points, value)
    change, target = tangents
    return u, safe_divide(target - point_at(change, u), _slope(_differences(points), u))


class Piece(NamedTuple):
    """The segment on which a value lies, and how far the value is beyond the curve's ends."""

    x: Points
    y: Points
    within: jax.Array  # the value, bounded by the curve's ends
    below: jax.Array  # 0 or negative
    above: jax.Array  # 0 or positive


def end_slopes(curve: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Slopes dy/dx of a curve's straight lines beyond its ends, `[muscle]`."""
    low = curve[..., 0, 1, :] - curve[..., 0, 0, :]
    high = curve[..., -1, 3, :] - curve[..., -1, 2, :]
    return low[..., 1] / low[..., 0], high[..., 1] / high[..., 0]


def knots(curve: jax.Array, axis: int) -> list[jax.Array]:
    """One coordinate of the ends of a curve's segments, in order, each `[muscle]`."""
    starts = [curve[..., segment, 0, axis] for segment in range(curve.shape[-3])]
    return [*starts, curve[..., -1, 3, axis]]


def piece_at(curve: jax.Array, ends: Sequence[jax.Array], value: jax.Array) -> Piece:
    """The segment on which a quantity that rises along a curve reaches a value.

    Args:
      curve: `[muscle, segment, 4, 2]` control points, (x, y).
      ends: the quantity at the ends of the segments, in order, each `[muscle]`.
      value: `[muscle]`.
    """

    def coordinates(segment: int) -> list[jax.Array]:
        return [curve[..., segment, point, axis] for axis in (0, 1) for point in range(4)]

    chosen = coordinates(0)
    for segment, start in enumerate(ends[1:-1], 1):
        chosen = [
            jnp.where(value >= start, new, old)
            for new, old in zip(coordinates(segment), chosen, strict=True)
        ]
    low, high = ends[0], ends[-1]
    return Piece(
        x=Points(*chosen[:4]),
        y=Points(*chosen[4:]),
        within=clip(value, low, high),
        below=jnp.where(value < low, value - low, 0.0),
        above=jnp.where(value > high, value - high, 0.0),
    )


def curve_value(curve: jax.Array, x: jax.Array) -> jax.Array:
    """A curve y(x), straight beyond its ends.

    Args:
      curve: `[muscle, segment, 4, 2]` control points, (x, y); as elsewhere here, one muscle alone
        may go without its axis.
      x: `[muscle]`.
    """
    piece = piece_at(curve, knots(curve, 0), x)
    low, high = end_slopes(curve)
    y = point_at(piece.y, parameter_at(piece.x, piece.within))
    return y + low * piece.below + high * piece.above


def balanced_point(
    curve: jax.Array, of_x: jax.Array, of_y: jax.Array, value: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The point (x, y) of a curve where a weighted sum of x and y is a given value.

    A sum of x and y along a segment is a Bézier segment itself, so one root is the whole solution.

    Args:
      curve: `[muscle, segment, 4, 2]` control points, (x, y).
      of_x: `[muscle]` weight of x.
      of_y: `[muscle]` weight of y; the sum must rise all along the curve and beyond its ends.
      value: `[muscle]`.
    """

    def total(x: jax.Array, y: jax.Array) -> jax.Array:
        return of_x * x + of_y * y

    ends = [total(x, y) for x, y in zip(knots(curve, 0), knots(curve, 1), strict=True)]
    piece = piece_at(curve, ends, value)
    u = parameter_at(Points(*map(total, piece.x, piece.y)), piece.within)
    x, y = point_at(piece.x, u), point_at(piece.y, u)
    for slope, excess in zip(end_slopes(curve), (piece.below, piece.above), strict=True):
        beyond = safe_divide(excess, of_x + of_y * slope)
        x, y = x + beyond, y + slope * beyond
    return x, y
