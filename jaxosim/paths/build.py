"""Paths of a file → flat lists of points and of the straight segments that can occur.

Paths that are functions of coordinates have none; `function_based_path` builds them.

Source: OpenSim `GeometryPath`; see docs/theory/paths.md, "Segments".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.functions import FunctionBank, FunctionParams
from jaxosim.models.compile_functions import LARGEST_TABLE, compile_functions
from jaxosim.models.spec import ModelSpec
from jaxosim.paths import function_based_path
from jaxosim.paths.build_arms import (
    ArmStructure,
    Line,
    MovingEnd,
    MovingEndStructure,
    build_arms,
)
from jaxosim.paths.build_wraps import (
    PointPlace,
    WrapGroup,
    WrapParts,
    build_wraps,
    wrapped_paths,
)
from jaxosim.paths.params import PathParams
from jaxosim.paths.read import (
    ConditionalPathPointSpec,
    MovingPathPointSpec,
    PathPointLike,
    PathPointSpec,
    PathSpec,
)
from jaxosim.structure import GROUND, TreeStructure


@runtime_checkable
class PathOwner(Protocol):
    """A force that acts along a path."""

    @property
    def name(self) -> str:
        """Of the force."""
        ...

    @property
    def path(self) -> PathSpec:
        """Points and wraps, or functions."""
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
    moving_coordinate: np.ndarray  # [moving]
    moving_functions: FunctionBank  # moving · 3 + axis
    rigid: "SegmentStructure"  # both ends fixed on one mobilized body: length is a constant
    flexible: "SegmentStructure"  # the rest
    located: np.ndarray  # [located] the points at which flexible segments end, or of wrapped paths
    wrap_body: np.ndarray  # [wrap_object]
    wrap_groups: tuple[WrapGroup, ...]  # the paths with wraps, whose segments are not listed here
    function_based: function_based_path.Structure
    arms: "ArmStructure"
    moving_ends: "MovingEndStructure"


@dataclass(frozen=True, eq=False)
class SegmentStructure:
    """Straight pieces of paths: from which point to which, and when they count."""

    path: np.ndarray  # [segment]
    start: np.ndarray  # [segment] point
    end: np.ndarray  # [segment] point
    needed: np.ndarray  # [segment, condition] index into [active…, inactive…, always]


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
    index: int  # on the path
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


def _moving_ends(
    flexible: Sequence[_Segment],
    points: Sequence[_Point],
    moving: dict[int, int],
    mobility: dict[int, int],
) -> list[MovingEnd]:
    """Moving ends of the flexible segments; `moving` maps points to coordinates."""
    ends = []
    places = {point: place for place, point in enumerate(moving)}
    for number, segment in enumerate(flexible):
        # Bodies that are welded together too: their forces cancel, but not that on the coordinate.
        pulls = points[segment.start].body != points[segment.end].body
        for point, sign in ((segment.start, 1), (segment.end, -1)):
            if moving.get(point) in mobility:
                drives = mobility[moving[point]]
                ends.append(MovingEnd(segment.path, places[point], number, sign, drives, pulls))
    return ends


def _arms(
    source: str,
    owners: Sequence[PathOwner],
    points: Sequence[_Point],
    flexible: Sequence[_Segment],
    groups: Sequence[WrapGroup],
    moving: dict[int, int],
    functions: function_based_path.Structure,
    tree: TreeStructure,
) -> tuple[ArmStructure, MovingEndStructure]:
    """Entries of the moment-arm matrix, of flexible segments and of paths with wraps."""
    support = np.concatenate([tree.support, np.zeros((1, len(tree.mobility)))])  # row −1 is ground
    lines = [
        Line(s.path, support[points[s.start].mobod] - support[points[s.end].mobod])
        for s in flexible
    ]
    mobility = {int(c): i for i, c in enumerate(tree.mobility)}
    ends = _moving_ends(flexible, points, moving, mobility)
    places = {point: place for place, point in enumerate(moving)}
    slot_count, first = sum(len(group.slot_path) for group in groups), len(flexible)
    for group in groups:
        for number, mobod in group.lines.tolist():
            moved = support[group.slot_mobod[group.slot_path == number]]
            # A coordinate that moves all of a path has no moment arm, unless OpenSim's tensions
            # are out of balance, see `wrapping`.
            crossed = np.ptp(moved, axis=0) if group.passes == 1 else 1.0
            lines.append(Line(int(group.paths[number]), support[mobod] * crossed))
        for slot, point in enumerate(group.point.tolist()):
            if moving.get(point) in mobility:
                path, drives = points[point].path, mobility[moving[point]]
                for row, pulls in ((first + slot, True), (first + slot + slot_count, False)):
                    ends.append(MovingEnd(path, places[point], row, 1, drives, pulls))
        first += len(group.slot_path)
    arms_given = zip(functions.arm_path.tolist(), functions.arm_coordinate.tolist(), strict=True)
    given = [(path, mobility.get(c, -1)) for path, c in arms_given]
    return build_arms(source, lines, ends, given, len(owners), len(tree.mobility))


def _resolved_points(
    spec: ModelSpec, owners: Sequence[PathOwner], mobod: Sequence[int]
) -> list[_Point]:
    """All path points, path by path."""
    body_index = {body.name: i for i, body in enumerate(spec.bodies)}
    points = []
    for number, owner in enumerate(owners):
        for index, point in enumerate(owner.path.points):
            name = point.frame.body if isinstance(point, MovingPathPointSpec) else point.body
            body = body_index.get(name, GROUND)
            carrier = GROUND if body == GROUND else mobod[body]
            points.append(_Point(point, number, index, body, carrier))
    return points


def _driven(
    points: Sequence[_Point], coordinate_index: dict[str, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Coordinates of the conditional points and of the moving points."""
    conditional = {
        i: coordinate_index[p.spec.coordinate]
        for i, p in enumerate(points)
        if isinstance(p.spec, ConditionalPathPointSpec)
    }
    moving = {
        i: coordinate_index[p.spec.coordinate]
        for i, p in enumerate(points)
        if isinstance(p.spec, MovingPathPointSpec)
    }
    return conditional, moving


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
    conditional, moving = _driven(points, coordinate_index)
    wrapped = wrapped_paths(owners)
    segments = [s for s in _segments(spec, points) if s.path not in wrapped]
    rigid = [s for s in segments if _is_rigid(s, points, moving)]
    flexible = [s for s in segments if not _is_rigid(s, points, moving)]
    order = {point: place for place, point in enumerate(conditional)}
    places = [
        PointPlace(i, p.path, p.index, p.body, p.mobod, order.get(i))
        for i, p in enumerate(points)
        if p.path in wrapped
    ]
    bodies = {body.name: i for i, body in enumerate(spec.bodies)}
    wraps = build_wraps(owners, places, bodies, mobod, len(conditional))
    function_based, function_params = _function_based(spec, owners, coordinate_index, tree)
    arms, moving_ends = _arms(
        spec.source, owners, points, flexible, wraps.groups, moving, function_based, tree
    )
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
        located=_located(flexible, places),
        wrap_body=wraps.body,
        wrap_groups=wraps.groups,
        function_based=function_based,
        arms=arms,
        moving_ends=moving_ends,
    )
    return structure, _params(points, functions, function_params, wraps)


def _located(flexible: Sequence[_Segment], places: Sequence[PointPlace]) -> np.ndarray:
    """The points whose locations are needed at every instant."""
    ends = {point for segment in flexible for point in (segment.start, segment.end)}
    return np.array(sorted(ends | {place.point for place in places}), int)


def _function_based(
    spec: ModelSpec,
    owners: Sequence[PathOwner],
    coordinate_index: dict[str, int],
    tree: TreeStructure,
) -> tuple[function_based_path.Structure, function_based_path.Params]:
    """The paths that are functions of coordinates."""
    own = [
        (number, owner.name, owner.path.functions)
        for number, owner in enumerate(owners)
        if owner.path.functions is not None
    ]
    count = len(tree.coordinate_joint)
    return function_based_path.build(own, coordinate_index, count, len(owners), spec.source)


def _moving(point: _Point) -> MovingPathPointSpec:
    """The point's spec, known to be a MovingPathPoint."""
    assert isinstance(point.spec, MovingPathPointSpec)
    return point.spec


def _params(
    points: Sequence[_Point],
    functions: FunctionParams,
    function_based: function_based_path.Params,
    wraps: WrapParts,
) -> PathParams:
    """Locations, frames of moving points and of wrap objects, ranges of conditional points."""
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
        function_based=function_based,
        wrap_translation=wraps.translation,
        wrap_orientation=wraps.orientation,
        **wraps.params,
    )
