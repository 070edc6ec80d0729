"""Paths of a file → flat lists of points and of the straight segments that can occur.

Source: OpenSim `GeometryPath`; see docs/theory/paths.md, "Segments".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.functions import FunctionBank, FunctionParams
from jaxosim.models.compile_functions import LARGEST_TABLE, compile_functions
from jaxosim.models.spec import ModelSpec
from jaxosim.paths.read import (
    ConditionalPathPointSpec,
    MovingPathPointSpec,
    PathPointLike,
    PathPointSpec,
)
from jaxosim.pytree import array, pytree
from jaxosim.structure import GROUND, TreeStructure


@runtime_checkable
class PathOwner(Protocol):
    """A force that acts along a path."""

    @property
    def name(self) -> str:
        """Of the force."""
        ...

    @property
    def path(self) -> tuple[PathPointLike, ...]:
        """Points, in order."""
        ...


@dataclass(frozen=True, eq=False)
class PathStructure:
    """Paths as flat lists of points and of the straight segments that can occur.

    A conditional point adds the segment that bypasses it, so that every segment has fixed ends;
    `needed` says which conditions must hold for a segment to be part of the path.
    """

    names: tuple[str, ...]  # [path] of the forces that own them
    point_path: np.ndarray  # [point]
    point_body: np.ndarray  # [point]
    point_name: tuple[str, ...]
    conditional_point: np.ndarray  # [conditional]
    conditional_coordinate: np.ndarray  # [conditional]
    moving_point: np.ndarray  # [moving]
    moving_coordinate: np.ndarray  # [moving] −1 when the file names none
    moving_functions: FunctionBank  # moving · 3 + axis
    rigid: "SegmentStructure"  # both ends fixed on one mobilized body: length is a constant
    flexible: "SegmentStructure"  # the rest
    located: np.ndarray  # [located] the points at which flexible segments end
    arms: "ArmStructure"
    moving_ends: "MovingEndStructure"


@dataclass(frozen=True, eq=False)
class ArmStructure:
    """The entries of the moment-arm matrix that are not always zero.

    The tension of a segment acts on a coordinate that moves one of its ends and not the other.
    """

    path: np.ndarray  # [arm]
    mobility: np.ndarray  # [arm] coordinate
    segment: np.ndarray  # [arm, term] flexible segments that contribute; their number if none
    sign: np.ndarray  # [arm, term] +1 if the coordinate moves the start, −1 if the end
    table: np.ndarray  # [path, mobility] number of the entry; the number of entries if none


@dataclass(frozen=True, eq=False)
class MovingEndStructure:
    """Ends of flexible segments at points that move along their body with a free coordinate."""

    point: np.ndarray  # [end] moving point
    segment: np.ndarray  # [end]
    sign: np.ndarray  # [end] +1 at its start, −1 at its end
    moment_arm: np.ndarray  # [end] entry of the moment arms
    pulls: np.ndarray  # [end] whether the segment joins two bodies, so that it pulls on them


@dataclass(frozen=True, eq=False)
class SegmentStructure:
    """Straight pieces of paths: from which point to which, and when they count."""

    path: np.ndarray  # [segment]
    start: np.ndarray  # [segment] point
    end: np.ndarray  # [segment] point
    needed: np.ndarray  # [segment, condition] index into [active…, inactive…, always]


@pytree
class PathParams:
    """Where path points lie."""

    location: jax.Array = array("point", 3, unit="m")  # in the body; a moving point's frame origin
    orientation: jax.Array = array("moving", 3, unit="rad")  # of a moving point's frame
    conditional_range: jax.Array = array("conditional", 2, unit="rad | m")
    functions: FunctionParams = dataclasses.field()


@dataclass(frozen=True)
class _Segment:
    """A straight piece between two points, and the conditions under which it exists."""

    path: int
    start: int
    end: int
    active: tuple[int, ...]  # points that must be in the path
    bypassed: tuple[int, ...]  # points that must not


@dataclass(frozen=True)
class _Point:
    """A path point with everything looked up."""

    spec: PathPointLike
    path: int
    body: int
    mobod: int


def _segments(spec: ModelSpec, points: Sequence[_Point]) -> list[_Segment]:
    """Every pair of points of a path that can be neighbors on it.

    Raises:
      OsimFormatError: so many conditional points in a row that the pairs would not end.
    """
    is_conditional = [isinstance(p.spec, ConditionalPathPointSpec) for p in points]
    count = len(points)
    follows = [i + 1 < count and points[i].path == points[i + 1].path for i in range(count)]
    reach = [0] * (count + 1)  # how many points can come next on the path
    for i in reversed(range(count)):
        if follows[i]:
            reach[i] = 1 + (reach[i + 1] if is_conditional[i + 1] else 0)
    longest = max(range(count), key=lambda i: reach[i], default=0)
    if sum(reach) * (reach[longest] + 1) > LARGEST_TABLE:
        raise OsimFormatError(
            f"{spec.source}: expected conditional path points to give at most {LARGEST_TABLE} "
            f"pairs times conditions; most follow each other at point "
            f"'{points[longest].spec.name}', {reach[longest]} in a row"
        )
    segments = []
    for start in range(count):
        for end in range(start + 1, start + 1 + reach[start]):
            active = tuple(i for i in (start, end) if is_conditional[i])
            between = tuple(range(start + 1, end))
            segments.append(_Segment(points[start].path, start, end, active, between))
    return segments


def _is_rigid(segment: _Segment, points: Sequence[_Point], moving: Collection[int]) -> bool:
    """Whether both ends are fixed on one mobilized body."""
    same = points[segment.start].mobod == points[segment.end].mobod
    return same and segment.start not in moving and segment.end not in moving


def _structure(segments: Sequence[_Segment], conditional: Sequence[int]) -> SegmentStructure:
    """Arrays of a list of segments; `needed` is padded with the condition that always holds."""
    place = {point: i for i, point in enumerate(conditional)}
    count, always = len(conditional), 2 * len(conditional)
    rows = [[place[p] for p in s.active] + [count + place[p] for p in s.bypassed] for s in segments]
    width = max(map(len, rows), default=0)
    padded = [row + [always] * (width - len(row)) for row in rows]
    return SegmentStructure(
        path=np.array([s.path for s in segments], int),
        start=np.array([s.start for s in segments], int),
        end=np.array([s.end for s in segments], int),
        needed=np.array(padded, int).reshape(len(segments), width),
    )


@dataclass(frozen=True)
class _MovingEnd:
    """An end of a flexible segment at a moving point that a free coordinate drives."""

    moving: int
    segment: int
    sign: int
    mobility: int
    pulls: bool


def _moving_ends(
    flexible: Sequence[_Segment],
    points: Sequence[_Point],
    moving: dict[int, int],
    mobility: dict[int, int],
) -> list[_MovingEnd]:
    """Moving ends of the flexible segments; `moving` maps points to coordinates."""
    ends = []
    places = {point: place for place, point in enumerate(moving)}
    for number, segment in enumerate(flexible):
        pulls = points[segment.start].mobod != points[segment.end].mobod
        for point, sign in ((segment.start, 1), (segment.end, -1)):
            if moving.get(point) in mobility:
                end = _MovingEnd(places[point], number, sign, mobility[moving[point]], pulls)
                ends.append(end)
    return ends


def _arms(
    source: str,
    flexible: Sequence[_Segment],
    points: Sequence[_Point],
    ends: Sequence[_MovingEnd],
    tree: TreeStructure,
    path_count: int,
) -> tuple[ArmStructure, MovingEndStructure]:
    """Entries of the moment-arm matrix: what crosses the coordinate, or moves with it."""
    support = np.concatenate([tree.support, np.zeros((1, len(tree.mobility)))])  # row −1 is ground
    entries: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for number, segment in enumerate(flexible):
        crossed = support[points[segment.start].mobod] - support[points[segment.end].mobod]
        for k in np.flatnonzero(crossed):
            entries.setdefault((segment.path, int(k)), []).append((number, crossed[k]))
    for end in ends:
        entries.setdefault((flexible[end.segment].path, end.mobility), [])
    place = {key: i for i, key in enumerate(entries)}
    width = max(map(len, entries.values()), default=0)
    if len(entries) * width > LARGEST_TABLE:
        raise OsimFormatError(
            f"{source}: expected moment arms times pieces of the longest path to be at most "
            f"{LARGEST_TABLE}, found {len(entries)} times {width}"
        )
    none = (len(flexible), 0.0)
    terms = np.array([row + [none] * (width - len(row)) for row in entries.values()])
    terms = terms.reshape(len(entries), width, 2)
    table = np.full((path_count, len(tree.mobility)), len(entries))
    for (path, k), i in place.items():
        table[path, k] = i
    arms = ArmStructure(
        path=np.array([p for p, _ in entries], int),
        mobility=np.array([k for _, k in entries], int),
        segment=terms[..., 0].astype(int),
        sign=terms[..., 1],
        table=table,
    )
    owners = [place[flexible[end.segment].path, end.mobility] for end in ends]
    return arms, MovingEndStructure(
        point=np.array([end.moving for end in ends], int),
        segment=np.array([end.segment for end in ends], int),
        sign=np.array([end.sign for end in ends], float),
        moment_arm=np.array(owners, int),
        pulls=np.array([end.pulls for end in ends], bool),
    )


def _resolved_points(
    spec: ModelSpec, owners: Sequence[PathOwner], mobod: Sequence[int]
) -> list[_Point]:
    """All path points, path by path."""
    body_index = {body.name: i for i, body in enumerate(spec.bodies)}
    points = []
    for number, owner in enumerate(owners):
        for point in owner.path:
            name = point.frame.body if isinstance(point, MovingPathPointSpec) else point.body
            body = body_index.get(name, GROUND)
            points.append(_Point(point, number, body, GROUND if body == GROUND else mobod[body]))
    return points


def build(
    spec: ModelSpec,
    owners: Sequence[PathOwner],
    coordinate_index: dict[str, int],
    mobod: Sequence[int],
    tree: TreeStructure,
) -> tuple[PathStructure, PathParams]:
    """Lay out points, segments and the ends that move along their own body.

    Args:
      spec: the file; of its parts, the bodies.
      owners: forces that act along a path each; `[path]` counts them in this order.
      coordinate_index: numbers of the coordinates by name.
      mobod: `[body]` the mobilized body that each body is fixed on.
      tree: of mobilized bodies.

    Raises:
      OsimFormatError: so many points that the tables would not fit into memory.
    """
    points = _resolved_points(spec, owners, mobod)
    conditional = {
        i: coordinate_index[p.spec.coordinate]
        for i, p in enumerate(points)
        if isinstance(p.spec, ConditionalPathPointSpec)
    }
    moving = {
        i: coordinate_index[p.spec.coordinate] if p.spec.coordinate is not None else GROUND
        for i, p in enumerate(points)
        if isinstance(p.spec, MovingPathPointSpec)
    }
    segments = _segments(spec, points)
    rigid = [s for s in segments if _is_rigid(s, points, moving)]
    flexible = [s for s in segments if not _is_rigid(s, points, moving)]
    mobility = {int(c): i for i, c in enumerate(tree.mobility)}
    ends = _moving_ends(flexible, points, moving, mobility)
    arms, moving_ends = _arms(spec.source, flexible, points, ends, tree, len(owners))
    locations = [f for i in moving for f in _moving(points[i]).location]
    bank, functions = compile_functions(locations, spec.source)
    structure = PathStructure(
        names=tuple(owner.name for owner in owners),
        point_path=np.array([p.path for p in points], int),
        point_body=np.array([p.body for p in points], int),
        point_name=tuple(p.spec.name for p in points),
        conditional_point=np.array(list(conditional), int),
        conditional_coordinate=np.array(list(conditional.values()), int),
        moving_point=np.array(list(moving), int),
        moving_coordinate=np.array(list(moving.values()), int),
        moving_functions=bank,
        rigid=_structure(rigid, list(conditional)),
        flexible=_structure(flexible, list(conditional)),
        located=np.array(sorted({p for s in flexible for p in (s.start, s.end)}), int),
        arms=arms,
        moving_ends=moving_ends,
    )
    return structure, _params(points, functions)


def _moving(point: _Point) -> MovingPathPointSpec:
    """The point's spec, known to be a MovingPathPoint."""
    assert isinstance(point.spec, MovingPathPointSpec)
    return point.spec


def _params(points: Sequence[_Point], functions: FunctionParams) -> PathParams:
    """Locations, frames of moving points and ranges of conditional ones."""
    specs = [p.spec for p in points]
    moving = [p for p in specs if isinstance(p, MovingPathPointSpec)]
    conditional = [p for p in specs if isinstance(p, ConditionalPathPointSpec)]
    fixed = (PathPointSpec, ConditionalPathPointSpec)
    locations = [p.location if isinstance(p, fixed) else p.frame.translation for p in specs]
    return PathParams(
        location=np.array(locations, float).reshape(-1, 3),
        orientation=np.array([p.frame.orientation for p in moving], float).reshape(-1, 3),
        conditional_range=np.array([p.range for p in conditional], float).reshape(-1, 2),
        functions=functions,
    )
