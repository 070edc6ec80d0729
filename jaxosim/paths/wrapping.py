"""Paths over wrap objects: which piece wraps over which object, and what the path then is.

The value at a state is that of OpenSim at a state that it has just initialized: nothing is
remembered from one call to the next. Within a call OpenSim keeps the location in ground of a point
on a surface from the first time that it measures a length there, and moves the point itself in
later passes. Lengths and directions then follow the kept locations, the points at which forces act
and whose velocities count are the last ones; so it is here.

Source: OpenSim `GeometryPath::applyWrapObjects`; see docs/theory/paths.md, "Wrapping".
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take, take_columns, take_or_zero
from jaxosim.arrays.linalg import cross, scale_rows
from jaxosim.arrays.loops import rounds
from jaxosim.arrays.safe import safe_divide, safe_norm, unit
from jaxosim.arrays.spatial import spatial
from jaxosim.paths.build_wraps import WrapGroup, WrapStep
from jaxosim.paths.params import PathParams
from jaxosim.paths.wrap_candidates import (
    Candidates,
    Given,
    Kept,
    Wrapped,
    any_of,
    candidates,
    choice,
    masked,
    picked,
    without,
)
from jaxosim.paths.wrap_object import NEVER

_SETTLED = 0.0005  # (m) change of length that ends OpenSim's passes over several wraps


class Course(NamedTuple):
    """What the course of the paths amounts to."""

    length: jax.Array  # [group path] (m)
    enter: jax.Array  # [slot, 3] (m) where the path reaches it, from the reference point
    leave: jax.Array  # [slot, 3] (m) where the path leaves it
    direction: jax.Array  # [slot, 3] (1) to the next slot; zero if there is none
    across: jax.Array  # [wrap, 3] (1) from where a path meets an object to where it leaves it


def wrap_paths(
    group: WrapGroup, params: PathParams, holds: jax.Array, point: jax.Array, pose: jax.Array
) -> tuple[Wrapped, Course]:
    """The course of the paths of a group.

    Args:
      group: static structure.
      params: of the paths.
      holds: flags of `points.segment_flags`.
      point: `[slot of a point, 3]` (m) from the reference point.
      pose: `[wrap, 3, 4]` of each wrap's object.
    """
    given = Given(params, point, pose)
    wrapped = _straight(group, holds, point.dtype)
    no, none = jnp.zeros(len(group.wrap_path), bool), jnp.zeros_like(wrapped.enter)
    kept = Kept(none, none, no, no)
    if group.passes == 1:
        for step, _ in group.steps:
            wrapped, kept, _ = _place(group, step, given, wrapped, kept, None)
        return wrapped, _course(group, given, wrapped, kept)
    going = jnp.ones(len(group.paths), bool)
    start = _Pass(wrapped, kept, jnp.full(len(going), NEVER, point.dtype), ~going, going)
    one_pass = functools.partial(_one_pass, group)
    end = rounds(one_pass, given, start, lambda carry: jnp.any(carry.going), group.passes)
    return end.wrapped, _course(group, given, end.wrapped, end.kept)


class _Pass(NamedTuple):
    """What one pass over several wraps leaves to the next."""

    wrapped: Wrapped
    kept: Kept
    length: jax.Array  # [group path] (m)
    swapped: jax.Array  # [group path] bool: the first two wraps change places
    going: jax.Array  # [group path] bool


def _one_pass(group: WrapGroup, given: Given, carry: _Pass, number: jax.Array) -> _Pass:
    """Place every wrap of the paths that are not settled, and measure."""
    wrapped, kept, _, swapped, going = carry
    results = {}
    for step, for_swapped in group.steps:
        enabled = going
        if for_swapped is not None:
            enabled = going & (swapped if for_swapped else ~swapped)
        wrapped, kept, result = _place(group, step, given, wrapped, kept, enabled)
        results.setdefault(step.position, result)
    used = any_of(wrapped.link, group.end, len(group.slot_path))[len(given.point) :]
    used = used & take(going, group.wrap_path)
    kept = kept.after(wrapped, used, used)
    length = _course(group, given, wrapped, kept).length
    going = going & (jnp.abs(length - carry.length) >= _SETTLED)
    if np.any(group.first_two < len(group.wrap_path)):
        # Where the first wrap gave nothing and the second had an end inside, they change places,
        # and the first is taken from the path.
        at = _placed_first_two(group)
        empty, inside = take_or_zero(results[0][0], at[0]), take_or_zero(results[1][1], at[1])
        changes = (number == 0) & empty & inside
        first, swapped = group.steps[0][0], swapped | changes
        turned = take(changes, first.path_of_link)
        link = jnp.where(turned, without(first, wrapped.link), wrapped.link)
        wrapped = wrapped._replace(link=link)
    return _Pass(wrapped, kept, length, swapped, going)


def _placed_first_two(group: WrapGroup) -> list[np.ndarray]:
    """Of each path, the rows of its first two wraps among those that their steps place."""
    steps = {step.position: step for step, _ in group.steps}
    rows = []
    for position, own in enumerate(group.first_two.T.tolist()):
        placed = steps[position].wraps.tolist()
        rows.append(np.array([placed.index(k) if k in placed else len(placed) for k in own]))
    return rows


def _straight(group: WrapGroup, holds: jax.Array, dtype: np.dtype) -> Wrapped:
    """The paths before any wrap is placed."""
    columns = take_columns(holds, group.needed)
    link = functools.reduce(jnp.logical_and, columns, jnp.asarray(group.straight))
    none = jnp.zeros(len(group.wrap_path), dtype)
    nowhere = jnp.zeros((len(group.wrap_path), 3), dtype)
    return Wrapped(link, nowhere, nowhere, none, none, none, none)


def _place(
    group: WrapGroup,
    step: WrapStep,
    given: Given,
    wrapped: Wrapped,
    kept: Kept,
    enabled: jax.Array | None,
) -> tuple[Wrapped, Kept, tuple[jax.Array, jax.Array]]:
    """Take some wraps from their paths and put each where it belongs now.

    Args:
      group: static structure.
      step: which wraps.
      given: points and objects.
      wrapped: course of the paths.
      kept: locations from which is measured.
      enabled: `[group path]` bool, paths that are concerned; all if None.

    Returns:
      The new course and locations; and of each wrap that was placed `[placed]`, whether the last
      piece that was tried gave nothing, and whether that was because an end lies in the object.
    """
    link = without(step, wrapped.link)
    parts = [candidates(group, rows, given, wrapped, kept, link) for rows in step.rows]
    found = Candidates(*(concatenate(part) for part in zip(*parts, strict=True)))
    chosen, measured, result = choice(step, found)
    onward = take(chosen, step.onward_candidate) & take(link, step.onward_next)
    on = any_of(onward, step.onward_link, len(link))
    cut = take_or_zero(chosen, step.cut)
    new = jnp.where(step.own, jnp.where(step.into, cut, on), link & ~cut)
    values = picked(chosen, found.values, step.placed, len(step.wraps))
    old = concatenate([wrapped.enter, wrapped.leave, jnp.stack(wrapped[3:], axis=-1)], axis=1)
    index = np.arange(len(old))
    index[step.wraps] = len(old) + np.arange(len(step.wraps))
    values = take(concatenate([old, values]), index)
    if enabled is not None:
        measured = measured & take(enabled, step.path[step.placed])
        kept = _measured(group, step, wrapped, kept, link, measured)
        new = jnp.where(take(enabled, step.path_of_link), new, wrapped.link)
        values = jnp.where(take(enabled, group.wrap_path)[:, None], values, old)
    rest = (values[:, i] for i in range(6, 10))
    return Wrapped(new, values[:, :3], values[:, 3:6], *rest), kept, result


def _measured(
    group: WrapGroup,
    step: WrapStep,
    wrapped: Wrapped,
    kept: Kept,
    link: jax.Array,
    measured: jax.Array,
) -> Kept:
    """Keep the locations of the other wraps at the ends of the candidates that were measured."""
    count, slots = len(group.point), len(group.slot_path)
    slot = np.concatenate([rows.slot for rows in step.rows])
    offsets = np.cumsum([0, *(len(rows.slot) for rows in step.rows)])
    candidate = np.concatenate(
        [rows.next_candidate + offset for rows, offset in zip(step.rows, offsets, strict=False)]
    )
    through = np.concatenate([rows.next_link for rows in step.rows])
    ahead = np.concatenate([rows.next_slot for rows in step.rows])
    leave = any_of(measured, slot, slots)[count:]
    enter = any_of(take(measured, candidate) & take(link, through), ahead, slots)[count:]
    return kept.after(wrapped, enter, leave)


def _course(group: WrapGroup, given: Given, wrapped: Wrapped, kept: Kept) -> Course:
    """Lengths and directions of what the links join."""
    enter, leave = (concatenate([given.point, x]) for x in kept.of(wrapped))
    count = len(group.slot_path)
    ahead = picked(wrapped.link, take(enter, group.end), group.start, count)
    apart = masked(any_of(wrapped.link, group.start, count), ahead - leave)
    distance = safe_norm(apart)
    # OpenSim differs: two coincident points of different bodies give it a force of NaN, us none.
    direction = scale_rows(apart, safe_divide(jnp.ones_like(distance), distance))
    if group.one_object.any():  # OpenSim measures nothing between two wraps of one object
        between = any_of(wrapped.link & group.one_object, group.start, count)
        distance = jnp.where(between, 0.0, distance)
    used = any_of(wrapped.link, group.end, count)[len(given.point) :]
    surface = jnp.where(used, wrapped.length, 0.0)
    paths = len(group.paths)
    length = segment_sum(distance, group.slot_path, paths)
    length = length + segment_sum(surface, group.wrap_path, paths)
    chord = masked(used, leave[len(given.point) :] - enter[len(given.point) :])
    enter, leave = (concatenate([given.point, x]) for x in (wrapped.enter, wrapped.leave))
    return Course(length, enter, leave, direction, unit(chord))


def slot_lines(group: WrapGroup, wrapped: Wrapped, course: Course) -> tuple[jax.Array, jax.Array]:
    """Wrenches `[line, 6]` (m, 1) of unit tension about the reference point.

    Returns:
      Those that act on the bodies of the slots, through pieces that join two bodies; and those that
      make up the rest of the lengthening speed, of pieces that join points of one body, whose kept
      and last locations differ. Those of the slots of one path on one body are summed.
    """
    lines, rest = _slot_lines(group, wrapped, course)
    total = len(group.lines)
    return segment_sum(lines, group.line, total), segment_sum(rest, group.line, total)


def _slot_lines(group: WrapGroup, wrapped: Wrapped, course: Course) -> tuple[jax.Array, jax.Array]:
    """The same of each slot `[slot, 6]`."""
    lines = _lines(group, wrapped, course, group.pulls)
    if group.passes == 1:
        return lines, jnp.zeros_like(lines)
    count = len(group.point)
    chord = course.across
    moment = cross(course.enter[count:] - course.leave[count:], chord)
    turning = spatial(moment, jnp.zeros_like(chord))
    rest = _lines(group, wrapped, course, ~group.pulls)
    return lines, rest + concatenate([jnp.zeros((count, 6), chord.dtype), turning])


def _lines(group: WrapGroup, wrapped: Wrapped, course: Course, joined: np.ndarray) -> jax.Array:
    """Wrenches `[slot, 6]` of unit tension of some of the links."""
    ahead, behind = directions(group, wrapped, course, joined)
    return spatial(cross(course.leave, ahead) - cross(course.enter, behind), ahead - behind)


def slot_forces(group: WrapGroup, wrapped: Wrapped, course: Course) -> tuple[jax.Array, jax.Array]:
    """Forces of unit tension on all slots `[slot, 3]` (1), from other and from own bodies."""
    others = directions(group, wrapped, course, group.pulls)
    own = directions(group, wrapped, course, ~group.pulls)
    return others[0] - others[1], own[0] - own[1]


def directions(
    group: WrapGroup, wrapped: Wrapped, course: Course, joined: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Directions of the path ahead of and behind each slot, `[slot, 3]` (1), over some links."""
    goes = any_of(wrapped.link & joined, group.start, len(group.slot_path))
    ahead = masked(goes, course.direction)
    return ahead, _from_behind(group, wrapped, course.direction, joined)


def _from_behind(
    group: WrapGroup, wrapped: Wrapped, values: jax.Array, joined: np.ndarray
) -> jax.Array:
    """Values of the slots `[slot, …]` before each, `[slot, …]`; zeros if there is none."""
    here = take(values, group.start)
    return picked(wrapped.link & joined, here, group.end, len(group.slot_path))
