"""Paths with wraps → flat lists of their points and wraps, and of who can follow whom.

The paths fall into two groups: those with one PathWrap, for which OpenSim looks once for where to
wrap, and those with several, for which it looks up to eight times.

Source: OpenSim `GeometryPath::applyWrapObjects`; see docs/theory/paths.md, "Wrapping".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from jaxosim.paths.read_wraps import PathWrapSpec
from jaxosim.paths.wrap_object import Sides, sides_of
from jaxosim.paths.wraps import WRAPS
from jaxosim.structure import GROUND

_PASSES = 8  # most that OpenSim makes over several wraps


@dataclass(frozen=True, eq=False)
class WrapRows:
    """The wraps of one class that are placed in one step; a candidate is a piece one may take.

    A wrap lies between two *slots*, points or other wraps that follow one another on its path. An
    index that is out of range by one stands for none.
    """

    kind: int  # class, as WRAPS counts them
    object: np.ndarray  # [candidate] among the wrap objects of the class
    frame: np.ndarray  # [candidate] wrap whose frame is that of the object
    sides: Sides  # [candidate]
    alone: bool  # whether each is the only PathWrap of its path
    slot: np.ndarray  # [candidate] that the wrap would follow
    wrap: np.ndarray  # [candidate] the wrap
    first: np.ndarray  # [candidate] lowest point after which the wrap may lie
    last: np.ndarray  # [candidate] highest point before which the wrap may lie
    next_candidate: np.ndarray  # [next] candidate
    next_link: np.ndarray  # [next] link that leads on from its slot
    next_slot: np.ndarray  # [next] slot to which that link leads


@dataclass(frozen=True, eq=False)
class WrapStep:
    """The wraps, one of a path, that are placed at the same time."""

    position: int  # of the wraps on their paths
    rows: tuple[WrapRows, ...]
    wraps: np.ndarray  # [placed] which
    path: np.ndarray  # [placed] of the group
    candidates: np.ndarray  # [placed, most] among those of all rows
    placed: np.ndarray  # [candidate] row of its wrap in these
    path_of_link: np.ndarray  # [link] of the group
    own: np.ndarray  # [link] bool: starts or ends at a wrap that is placed
    before: np.ndarray  # [link] the link from its start to the wrap that is placed
    after: np.ndarray  # [link] the link from that wrap to its end
    cut: np.ndarray  # [link] candidate that takes it, or whose link to the wrap it is
    into: np.ndarray  # [link] bool: ends at a wrap that is placed
    onward_link: np.ndarray  # [onward] link from a wrap that is placed
    onward_candidate: np.ndarray  # [onward] candidate after which it
    onward_next: np.ndarray  # [onward] was this link


@dataclass(frozen=True, eq=False)
class WrapGroup:
    """Paths with wraps: slots are all points, path by path, then all active wraps."""

    paths: np.ndarray  # [group path] among all paths
    point: np.ndarray  # [slot of a point] among all points
    wrap_object: np.ndarray  # [wrap] among all wrap objects, as `PathStructure.wrap_body`
    wrap_mobod: np.ndarray  # [wrap]
    index: np.ndarray  # [slot of a point] its number on its path
    slot_mobod: np.ndarray  # [slot]
    slot_path: np.ndarray  # [slot] of the group
    wrap_path: np.ndarray  # [wrap] of the group
    line: np.ndarray  # [slot] which of `lines`
    lines: np.ndarray  # [line, 2] pairs of a path of the group and a mobilized body
    start: np.ndarray  # [link] slot
    end: np.ndarray  # [link] slot
    needed: np.ndarray  # [link, condition] as `SegmentStructure.needed`
    straight: np.ndarray  # [link] bool: from point to point
    one_object: np.ndarray  # [link] bool: joins wraps of one object: nothing is measured there
    pulls: np.ndarray  # [link] bool: joins two bodies, which may be welded together
    steps: tuple[tuple[WrapStep, bool | None], ...]  # whether for swapped paths; None: for all
    passes: int
    first_two: np.ndarray  # [group path, 2] wraps whose order can be swapped; their number if none


@dataclass(frozen=True)
class WrapPlace:
    """A wrap of a path with everything looked up."""

    spec: PathWrapSpec
    position: int  # among the wraps of its path
    path: int  # of the group
    kind: int
    object: int  # among all wrap objects
    object_of_kind: int
    body: int
    mobod: int


@dataclass(frozen=True)
class PointPlace:
    """A point of a path with everything looked up."""

    point: int  # among all points
    path: int  # of the group
    index: int  # on its path
    body: int
    mobod: int
    conditional: int | None  # among the conditional points


class _Owner(Protocol):
    """A force that acts along a path, of which the wraps matter here."""

    @property
    def path(self) -> Any:
        """Its PathSpec."""
        ...


@dataclass(frozen=True, eq=False)
class WrapParts:
    """All wrap objects that paths name, and the paths."""

    groups: tuple[WrapGroup, ...]
    body: np.ndarray  # [wrap_object]
    translation: np.ndarray  # [wrap_object, 3] (m)
    orientation: np.ndarray  # [wrap_object, 3] (rad)
    params: dict[str, Any]  # by the fields of the classes


def wrapped_paths(owners: Sequence[_Owner]) -> frozenset[int]:
    """The paths that have an active wrap."""
    return frozenset(
        path
        for path, owner in enumerate(owners)
        if any(wrap.wrap_object.active for wrap in owner.path.wraps)
    )


def build_wraps(
    owners: Sequence[_Owner],
    points: Sequence[PointPlace],
    bodies: Mapping[str, int],
    mobod: Sequence[int],
    conditional_count: int,
) -> WrapParts:
    """Lay out all paths with active wraps.

    Args:
      owners: forces that act along a path each.
      points: of the paths with active wraps; `path` counts all paths.
      bodies: numbers by name, without ground.
      mobod: `[body]` the mobilized body that each body is fixed on.
      conditional_count: how many conditional points there are.
    """
    named = {w.wrap_object.name: w.wrap_object for o in owners for w in o.path.wraps}
    objects = list(named.values())
    kinds = [next(k for k, w in enumerate(WRAPS) if isinstance(o, w.Spec)) for o in objects]
    body = [bodies.get(o.frame.body, GROUND) for o in objects]
    wrapped = sorted(wrapped_paths(owners))
    groups = []
    for alone in (True, False):
        paths = [p for p in wrapped if (len(owners[p].path.wraps) == 1) == alone]
        number = {path: i for i, path in enumerate(paths)}
        places = []
        for path in paths:
            for position, spec in enumerate(owners[path].path.wraps):
                if spec.wrap_object.active:
                    index = list(named).index(spec.wrap_object.name)
                    carrier = GROUND if body[index] == GROUND else mobod[body[index]]
                    of_kind = kinds[:index].count(kinds[index])
                    place = (kinds[index], index, of_kind, body[index], carrier)
                    places.append(WrapPlace(spec, position, number[path], *place))
        own = [replace(p, path=number[p.path]) for p in points if p.path in number]
        if paths:
            groups.append(build_group(paths, own, places, conditional_count, alone))
    return WrapParts(
        groups=tuple(groups),
        body=np.array(body, int),
        translation=np.array([o.frame.translation for o in objects], float).reshape(-1, 3),
        orientation=np.array([o.frame.orientation for o in objects], float).reshape(-1, 3),
        params={
            wrap.FIELD: wrap.build([o for o in objects if isinstance(o, wrap.Spec)])
            for wrap in WRAPS
        },
    )


def build_group(
    paths: Sequence[int],
    points: Sequence[PointPlace],
    wraps: Sequence[WrapPlace],
    conditional_count: int,
    alone: bool,
) -> WrapGroup:
    """Lay out a group of paths with active wraps.

    Args:
      paths: of the group, among all.
      points: path by path.
      wraps: the active ones, path by path, in order.
      conditional_count: how many conditional points there are.
      alone: whether each path has one wrap, active or not.
    """
    links = _links(points, wraps)
    objects = [None] * len(points) + [wrap.object for wrap in wraps]
    slots = np.array([(slot.path, slot.mobod) for slot in (*points, *wraps)], int)
    lines, line = np.unique(slots, axis=0, return_inverse=True)
    mobods = slots[:, 1]
    carrying = np.array([slot.body for slot in (*points, *wraps)], int)
    start, end = (np.array([link[i] for link in links], int) for i in (0, 1))
    steps = {
        position: _step(position, points, wraps, links, objects, alone)
        for position in sorted({wrap.position for wrap in wraps})
    }
    swaps = _first_two(len(paths), wraps)
    late = any(row[0] < len(wraps) for row in swaps)
    following: list[tuple[WrapStep, bool | None]] = []
    for position, step in steps.items():
        following.append((step, False if late and position == 0 else None))
        if late and position == 1:
            following.append((steps[0], True))
    return WrapGroup(
        paths=np.array(paths, int),
        point=np.array([p.point for p in points], int),
        wrap_object=np.array([w.object for w in wraps], int),
        wrap_mobod=np.array([w.mobod for w in wraps], int),
        index=np.array([p.index for p in points], float),
        slot_mobod=mobods,
        slot_path=slots[:, 0],
        wrap_path=np.array([w.path for w in wraps], int),
        line=line.reshape(-1),
        lines=lines,
        start=start,
        end=end,
        needed=_needed(points, links, conditional_count),
        straight=(start < len(points)) & (end < len(points)),
        one_object=np.array([_one_object(objects, link) for link in links], bool),
        pulls=carrying[start] != carrying[end],
        steps=tuple(following),
        passes=1 if alone else _PASSES,
        first_two=swaps,
    )


def _one_object(objects: Sequence[int | None], link: tuple[int, int]) -> bool:
    return objects[link[0]] is not None and objects[link[0]] == objects[link[1]]


def _links(points: Sequence[PointPlace], wraps: Sequence[WrapPlace]) -> list[tuple[int, int]]:
    """All pairs of slots of which the second can follow the first."""
    links, count = [], len(points)
    for i, point in enumerate(points):
        for j in range(i + 1, count):
            if points[j].path != point.path:
                break
            links.append((i, j))
            if points[j].conditional is None:
                break
    for k, wrap in enumerate(wraps):
        first, last = wrap.spec.range
        for i, point in enumerate(points):
            if point.path != wrap.path:
                continue
            if first <= point.index < last:
                links.append((i, count + k))
            if first < point.index <= last:
                links.append((count + k, i))
        links += [
            (count + k, count + j)
            for j, other in enumerate(wraps)
            if j != k and other.path == wrap.path
        ]
    return links


def _needed(
    points: Sequence[PointPlace], links: Sequence[tuple[int, int]], count: int
) -> np.ndarray:
    """The conditions under which points are neighbors before any wrap is placed."""
    always, rows = 2 * count, []
    for start, end in links:
        row = []
        if start < len(points) and end < len(points):
            ends = (points[start].conditional, points[end].conditional)
            row += [one for one in ends if one is not None]
            between = (points[i].conditional for i in range(start + 1, end))
            row += [count + one for one in between if one is not None]
        rows.append(row)
    width = max((len(row) for row in rows), default=0)
    padded = [row + [always] * (width - len(row)) for row in rows]
    return np.array(padded, int).reshape(len(links), width)


def _first_two(path_count: int, wraps: Sequence[WrapPlace]) -> np.ndarray:
    """The first two wraps of each path, if both are active."""
    table = np.full((path_count, 2), len(wraps))
    for k, wrap in enumerate(wraps):
        if wrap.position < 2:
            table[wrap.path, wrap.position] = k
    table[(table == len(wraps)).any(axis=1)] = len(wraps)
    return table


def _step(
    position: int,
    points: Sequence[PointPlace],
    wraps: Sequence[WrapPlace],
    links: Sequence[tuple[int, int]],
    objects: Sequence[int | None],
    alone: bool,
) -> WrapStep:
    """What happens when the wraps at one position of their paths are placed."""
    count, number = len(points), {link: i for i, link in enumerate(links)}
    placed = [k for k, wrap in enumerate(wraps) if wrap.position == position]
    by_path = {wraps[k].path: k for k in placed}
    rows: list[WrapRows] = []
    candidate: dict[tuple[int, int], int] = {}  # of a slot and a wrap
    onward: list[tuple[int, int, int]] = []
    for kind in range(len(WRAPS)):
        own = [k for k in placed if wraps[k].kind == kind]
        pairs = [(s, count + k) for k in own for s, e in links if e == count + k]
        if not pairs:
            continue
        offset = len(candidate)
        candidate |= {pair: offset + i for i, pair in enumerate(pairs)}
        nexts = [
            (i, number[s, t], t)
            for i, (s, w) in enumerate(pairs)
            for t in (e for b, e in links if b == s and e != w and (w, e) in number)
            if not _one_object(objects, (s, t))
        ]
        onward += [(number[pairs[i][1], t], offset + i, link) for i, link, t in nexts]
        rows.append(_rows(kind, pairs, nexts, wraps, count, alone))
    total, none = len(candidate), len(links)
    of_wrap = [[candidate[s, count + k] for s, e in links if e == count + k] for k in placed]
    width = max(map(len, of_wrap), default=0)
    path_of = [_path_of(link, points, wraps) for link in links]
    own_slot = [count + by_path[p] if p in by_path else -1 for p in path_of]
    lines = list(zip(links, own_slot, strict=True))
    return WrapStep(
        position=position,
        rows=tuple(rows),
        wraps=np.array(placed, int),
        path=np.array([wraps[k].path for k in placed], int),
        candidates=np.array([row + [total] * (width - len(row)) for row in of_wrap], int).reshape(
            len(placed), width
        ),
        placed=np.array([placed.index(w - count) for _, w in candidate], int),
        path_of_link=np.array(path_of, int),
        own=np.array([w in link for link, w in lines], bool),
        before=np.array([number.get((s, w), none) for (s, _), w in lines], int),
        after=np.array([number.get((w, t), none) for (_, t), w in lines], int),
        cut=np.array([candidate.get((s, w), total) for (s, _), w in lines], int),
        into=np.array([t == w for (_, t), w in lines], bool),
        onward_link=np.array([link for link, _, _ in onward], int),
        onward_candidate=np.array([one for _, one, _ in onward], int),
        onward_next=np.array([link for _, _, link in onward], int),
    )


def _path_of(
    link: tuple[int, int], points: Sequence[PointPlace], wraps: Sequence[WrapPlace]
) -> int:
    start, count = link[0], len(points)
    return points[start].path if start < count else wraps[start - count].path


def _rows(
    kind: int,
    pairs: Sequence[tuple[int, int]],
    nexts: Sequence[tuple[int, int, int]],
    wraps: Sequence[WrapPlace],
    count: int,
    alone: bool,
) -> WrapRows:
    """Candidates of the wraps of one class."""
    owners = [wraps[w - count] for _, w in pairs]
    specs: list[Any] = [owner.spec.wrap_object for owner in owners]
    return WrapRows(
        kind=kind,
        object=np.array([owner.object_of_kind for owner in owners], int),
        frame=np.array([w - count for _, w in pairs], int),
        sides=sides_of([spec.quadrant for spec in specs], [owner.spec.method for owner in owners]),
        alone=alone,
        slot=np.array([s for s, _ in pairs], int),
        wrap=np.array([w - count for _, w in pairs], int),
        first=np.array([owner.spec.range[0] for owner in owners], float),
        last=np.array([owner.spec.range[1] for owner in owners], float),
        next_candidate=np.array([i for i, _, _ in nexts], int),
        next_link=np.array([link for _, link, _ in nexts], int),
        next_slot=np.array([t for _, _, t in nexts], int),
    )
