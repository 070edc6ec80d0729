"""ModelSpec muscle paths → flat lists of points and of the straight segments that can occur."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.functions import FunctionParams
from jaxosim.models.compile_functions import LARGEST_TABLE, compile_functions
from jaxosim.models.spec import (
    ConditionalPathPointSpec,
    ModelSpec,
    MovingPathPointSpec,
    PathPointLike,
    PathPointSpec,
    Thelen2003MuscleSpec,
)
from jaxosim.structure import (
    GROUND,
    ArmStructure,
    MovingEndStructure,
    PathStructure,
    SegmentStructure,
)
from jaxosim.types import PathParams, TreeStructure


@dataclass(frozen=True)
class _Segment:
    """A straight piece between two points, and the conditions under which it exists."""

    muscle: int
    start: int
    end: int
    active: tuple[int, ...]  # points that must be in the path
    bypassed: tuple[int, ...]  # points that must not


@dataclass(frozen=True)
class _Point:
    """A path point with everything looked up."""

    spec: PathPointLike
    muscle: int
    body: int
    mobod: int


def _segments(spec: ModelSpec, points: Sequence[_Point]) -> list[_Segment]:
    """Every pair of points of a muscle that can be neighbours on its path.

    Raises:
      OsimFormatError: so many conditional points in a row that the pairs would not end.
    """
    is_conditional = [isinstance(p.spec, ConditionalPathPointSpec) for p in points]
    count = len(points)
    follows = [i + 1 < count and points[i].muscle == points[i + 1].muscle for i in range(count)]
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
            segments.append(_Segment(points[start].muscle, start, end, active, between))
    return segments


def _structure(segments: Sequence[_Segment], conditional: Sequence[int]) -> SegmentStructure:
    """Arrays of a list of segments; `needed` is padded with the condition that always holds."""
    place = {point: i for i, point in enumerate(conditional)}
    count, always = len(conditional), 2 * len(conditional)
    rows = [[place[p] for p in s.active] + [count + place[p] for p in s.bypassed] for s in segments]
    width = max(map(len, rows), default=0)
    padded = [row + [always] * (width - len(row)) for row in rows]
    return SegmentStructure(
        muscle=np.array([s.muscle for s in segments], int),
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
    muscle_count: int,
) -> tuple[ArmStructure, MovingEndStructure]:
    """Entries of the moment-arm matrix: what crosses the coordinate, or moves with it."""
    support = np.concatenate([tree.support, np.zeros((1, len(tree.mobility)))])  # row −1 is ground
    entries: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for number, segment in enumerate(flexible):
        crossed = support[points[segment.start].mobod] - support[points[segment.end].mobod]
        for k in np.flatnonzero(crossed):
            entries.setdefault((segment.muscle, int(k)), []).append((number, crossed[k]))
    for end in ends:
        entries.setdefault((flexible[end.segment].muscle, end.mobility), [])
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
    table = np.full((muscle_count, len(tree.mobility)), len(entries))
    for (muscle, k), i in place.items():
        table[muscle, k] = i
    arms = ArmStructure(
        muscle=np.array([m for m, _ in entries], int),
        mobility=np.array([k for _, k in entries], int),
        segment=terms[..., 0].astype(int),
        sign=terms[..., 1],
        table=table,
    )
    owners = [place[flexible[end.segment].muscle, end.mobility] for end in ends]
    return arms, MovingEndStructure(
        point=np.array([end.moving for end in ends], int),
        segment=np.array([end.segment for end in ends], int),
        sign=np.array([end.sign for end in ends], float),
        moment_arm=np.array(owners, int),
        pulls=np.array([end.pulls for end in ends], bool),
    )


def _resolved_points(
    spec: ModelSpec, muscles: Sequence[Thelen2003MuscleSpec], mobod: Sequence[int]
) -> list[_Point]:
    """All path points, muscle by muscle."""
    body_index = {body.name: i for i, body in enumerate(spec.bodies)}
    points = []
    for number, muscle in enumerate(muscles):
        for point in muscle.path:
            name = point.frame.body if isinstance(point, MovingPathPointSpec) else point.body
            body = body_index.get(name, GROUND)
            points.append(_Point(point, number, body, GROUND if body == GROUND else mobod[body]))
    return points


def compile_paths(
    spec: ModelSpec,
    muscles: Sequence[Thelen2003MuscleSpec],
    coordinate_index: dict[str, int],
    mobod: Sequence[int],
    tree: TreeStructure,
) -> tuple[PathStructure, PathParams]:
    """Lay out points, segments and the ends that move along their own body."""
    points = _resolved_points(spec, muscles, mobod)
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
    is_rigid = [
        points[s.start].mobod == points[s.end].mobod
        and s.start not in moving
        and s.end not in moving
        for s in segments
    ]
    rigid = [s for s, same in zip(segments, is_rigid, strict=True) if same]
    flexible = [s for s, same in zip(segments, is_rigid, strict=True) if not same]
    mobility = {int(c): i for i, c in enumerate(tree.mobility)}
    ends = _moving_ends(flexible, points, moving, mobility)
    arms, moving_ends = _arms(spec.source, flexible, points, ends, tree, len(muscles))
    locations = [f for i in moving for f in _moving(points[i]).location]
    bank, functions = compile_functions(locations, spec.source)
    structure = PathStructure(
        point_muscle=np.array([p.muscle for p in points], int),
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
