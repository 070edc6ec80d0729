"""Where a wrap belongs on its path: the pieces that could take it, and the choice among them.

Source: OpenSim `GeometryPath::applyWrapObjects`, `WrapObject::wrapPathSegment`; see
docs/theory/paths.md, "Wrapping".
"""

import functools
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, members_of, take, take_columns, take_or_zero
from jaxosim.arrays.linalg import matvec, transpose
from jaxosim.arrays.loops import over_rows
from jaxosim.arrays.safe import safe_norm
from jaxosim.paths.build_wraps import WrapGroup, WrapRows, WrapStep
from jaxosim.paths.params import PathParams
from jaxosim.paths.wrap_object import NEVER, Sides, WrapLine
from jaxosim.paths.wraps import WRAPS


class Wrapped(NamedTuple):
    """The course of the paths of a group: who follows whom, and where the wraps lie."""

    link: jax.Array  # [link] bool
    enter: jax.Array  # [wrap, 3] (m) where the path meets the object, from the reference point
    leave: jax.Array  # [wrap, 3] (m) where it leaves it
    length: jax.Array  # [wrap] (m) on the surface
    low: jax.Array  # [wrap] number of the point before it
    high: jax.Array  # [wrap] number of the point behind it
    place: jax.Array  # [wrap] between those of its neighbors; that of a point is its number


class Kept(NamedTuple):
    """The locations that OpenSim keeps, from which it measures."""

    enter: jax.Array  # [wrap, 3] (m)
    leave: jax.Array  # [wrap, 3] (m)
    has_enter: jax.Array  # [wrap] bool
    has_leave: jax.Array  # [wrap] bool

    def of(self, wrapped: Wrapped) -> tuple[jax.Array, jax.Array]:
        """What is measured from: where nothing is kept yet, the points themselves."""
        return (
            jnp.where(self.has_enter[:, None], self.enter, wrapped.enter),
            jnp.where(self.has_leave[:, None], self.leave, wrapped.leave),
        )

    def after(self, wrapped: Wrapped, enter: jax.Array, leave: jax.Array) -> "Kept":
        """After measuring at some of the points, `[wrap]` bool."""
        return Kept(*self.of(wrapped), self.has_enter | enter, self.has_leave | leave)


class Given(NamedTuple):
    """What is fixed while the course is sought."""

    params: PathParams
    point: jax.Array  # [slot of a point, 3] (m) from the reference point
    pose: jax.Array  # [wrap, 3, 4] of its object, from the reference point


class Candidates(NamedTuple):
    """The pieces that could take the wraps of a step."""

    exists: jax.Array  # [candidate] bool
    inside: jax.Array  # [candidate] bool, as in WrapLine
    possible: jax.Array  # [candidate] bool
    mandatory: jax.Array  # [candidate] bool
    change: jax.Array  # [candidate] (m) of the length
    order: jax.Array  # [candidate] place of its first slot
    values: jax.Array  # [candidate, 10] the fields of Wrapped after `link`


def _with_points(group: WrapGroup, wrapped: jax.Array) -> jax.Array:
    """Values `[slot]`: of points their numbers, of wraps as given."""
    return concatenate([jnp.asarray(group.index, wrapped.dtype), wrapped])


def masked(condition: jax.Array, values: jax.Array) -> jax.Array:
    """Rows `[n, …]` where the condition `[n]` holds, else zeros."""
    return jnp.where(condition.reshape(-1, *(1,) * (values.ndim - 1)), values, 0.0)


def any_of(flags: jax.Array, owner: np.ndarray, count: int) -> jax.Array:
    """Whether any of the flags holds, of each owner."""
    columns = take_columns(flags, members_of(owner, count))
    return functools.reduce(jnp.logical_or, columns, jnp.zeros(count, bool))


def picked(flags: jax.Array, values: jax.Array, owner: np.ndarray, count: int) -> jax.Array:
    """Of each owner the one of its values `[n, …]` whose flag holds, zeros if none does."""
    table = members_of(owner, count)
    columns = zip(take_columns(flags, table), take_columns(values, table), strict=True)
    found = jnp.zeros((count, *values.shape[1:]), values.dtype)
    for flag, value in columns:
        found = jnp.where(flag.reshape(-1, *(1,) * (values.ndim - 1)), value, found)
    return found


def without(step: WrapStep, link: jax.Array) -> jax.Array:
    """Links after the wraps of a step have been taken from their paths."""
    bridged = take_or_zero(link, step.before) & take_or_zero(link, step.after)
    return (link | bridged) & ~step.own


def candidates(
    group: WrapGroup,
    rows: WrapRows,
    given: Given,
    wrapped: Wrapped,
    kept: Kept,
    link: jax.Array,
) -> Candidates:
    """What becomes of each piece that could take a wrap of one class."""
    ends = (wrapped.enter, wrapped.leave, *kept.of(wrapped))
    enter, leave, kept_enter, kept_leave = (concatenate([given.point, x]) for x in ends)
    low, high, place = (_with_points(group, x) for x in (wrapped.low, wrapped.high, wrapped.place))
    follows = take(link, rows.next_link)
    count = len(rows.slot)

    def of_next(values: jax.Array) -> jax.Array:
        return picked(follows, take(values, rows.next_slot), rows.next_candidate, count)

    exists = any_of(follows, rows.next_candidate, count)
    next_high, order, next_place = of_next(high), take(place, rows.slot), of_next(place)
    own_low = take(low, rows.slot)
    first, last = (x.astype(place.dtype) for x in (rows.first, rows.last))
    exists = exists & (own_low >= first) & (next_high <= last)
    ends = (take(leave, rows.slot), of_next(enter))
    measured = ends if rows.alone else (take(kept_leave, rows.slot), of_next(kept_enter))
    line, change = over_rows(
        functools.partial(_wrapped, WRAPS[rows.kind], rows.alone),
        _Piece(
            *(take(given.pose, rows.frame), ends, measured),
            params=jax.tree.map(
                lambda values: take(values, rows.object),
                getattr(given.params, WRAPS[rows.kind].FIELD),
            ),
            sides=replace(rows.sides, direction=rows.sides.direction.astype(place.dtype)),
        ),
    )
    rest = [line.length, own_low, next_high, 0.5 * (order + next_place)]
    return Candidates(
        exists=exists,
        inside=line.inside & exists,
        possible=line.possible & exists,
        mandatory=line.mandatory & exists,
        change=change,
        order=order,
        values=concatenate([line.r1, line.r2, jnp.stack(rest, axis=-1)], axis=1),
    )


class _Piece(NamedTuple):
    """A straight piece of a path and the object over which it may wrap."""

    pose: jax.Array  # [3, 4] of the object, from the reference point
    ends: tuple[jax.Array, jax.Array]  # [3] (m) from the reference point
    measured: tuple[jax.Array, jax.Array]  # [3] (m) the ends from which is measured
    params: Any  # of the object
    sides: Sides


def _wrapped(wrap: ModuleType, alone: bool, piece: _Piece) -> tuple[WrapLine, jax.Array]:
    """What becomes of a piece, from the reference point, and the change (m) of the length."""
    rotation, origin = piece.pose[:, :3], piece.pose[:, 3]

    def local(point: jax.Array) -> jax.Array:
        return matvec(transpose(rotation), point - origin)

    line = wrap.wrap_line(*map(local, piece.ends), piece.params, piece.sides, alone)
    p1, p2 = map(local, piece.measured)
    straight = safe_norm(line.r1 - p1) + safe_norm(p2 - line.r2)
    r1, r2 = (origin + matvec(rotation, r) for r in (line.r1, line.r2))
    return line._replace(r1=r1, r2=r2), straight + line.length - safe_norm(p2 - p1)


def choice(
    step: WrapStep, found: Candidates
) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
    """Which candidate takes each wrap: the first that must, else the one that lengthens least.

    Returns:
      `[candidate]` which, and those of which the length is measured; and as `wrapping._place`.
    """

    def least(where: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Where the key is least among those of one wrap and below NEVER, and that least."""
        key = jnp.where(where, key, NEVER)
        padded = concatenate([key, jnp.full(1, NEVER, key.dtype)])
        lowest = functools.reduce(jnp.minimum, take_columns(padded, step.candidates))
        lowest = take(lowest, step.placed)
        return where & (key == lowest) & (lowest < NEVER), lowest

    first, until = least(found.mandatory, found.order)
    must = until < NEVER
    nearest, _ = least(found.possible, found.change)
    nearest, _ = least(nearest, found.order)
    chosen = jnp.where(must, first, nearest)
    last, _ = least(found.exists, -found.order)
    nothing = last & ~found.possible & ~found.mandatory & ~must

    def of_wrap(flag: jax.Array) -> jax.Array:
        columns = take_columns(flag, step.candidates)
        return functools.reduce(jnp.logical_or, columns)

    measured = found.possible & (found.order < until)
    return chosen, measured, (of_wrap(nothing & ~found.inside), of_wrap(nothing & found.inside))
