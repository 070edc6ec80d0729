"""Which coordinates a path crosses: the entries of the moment-arm matrix.

Source: OpenSim `GeometryPath::produceForces`; see docs/theory/paths.md, "Moment arms".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.models.compile_functions import LARGEST_TABLE


@dataclass(frozen=True, eq=False)
class ArmStructure:
    """The entries of the moment-arm matrix that are not always zero.

    The tension of a segment acts on a coordinate that moves one of its ends and not the other.
    """

    path: np.ndarray  # [arm]
    mobility: np.ndarray  # [arm] coordinate
    segment: np.ndarray  # [arm, term] that contribute: flexible segments, bodies of wrapped paths
    sign: np.ndarray  # [arm, term] +1 if the coordinate moves the start, −1 if the end
    table: np.ndarray  # [path, mobility] number of the entry; the number of entries if none
    given: np.ndarray  # [function_arm] entry of a moment arm that is a function; likewise if locked


@dataclass(frozen=True, eq=False)
class MovingEndStructure:
    """Ends of flexible segments at points that move along their body with a free coordinate.

    Moving points of wrapped paths are two each: of the segments to other bodies and to their own.
    """

    point: np.ndarray  # [end] moving point
    segment: np.ndarray  # [end] flexible segment, then slot of a wrapped path, of both kinds
    sign: np.ndarray  # [end] +1 at its start, −1 at its end
    moment_arm: np.ndarray  # [end] entry of the moment arms
    pulls: np.ndarray  # [end] whether the segment joins two bodies, so that it pulls on them


@dataclass(frozen=True)
class MovingEnd:
    """An end of a flexible segment at a moving point that a free coordinate drives."""

    path: int
    moving: int
    segment: int
    sign: int
    mobility: int
    pulls: bool


@dataclass(frozen=True)
class Line:
    """What of a path acts on coordinates: a segment, or, of a path with wraps, all on one body."""

    path: int
    crossed: np.ndarray  # [mobility] sign of its contribution to each coordinate


def build_arms(
    source: str,
    lines: Sequence[Line],
    ends: Sequence[MovingEnd],
    given: Sequence[tuple[int, int]],
    path_count: int,
    mobility_count: int,
) -> tuple[ArmStructure, MovingEndStructure]:
    """Entries of the moment-arm matrix: what crosses the coordinate, or moves with it.

    Args:
      source: the file, for messages.
      lines: segments, and bodies of paths with wraps.
      ends: moving ones.
      given: paths and mobilities of the moment arms that are functions; −1 for a locked coordinate.
      path_count: number of paths.
      mobility_count: number of mobilities.

    Raises:
      OsimFormatError: so many that the tables would not fit into memory.
    """
    entries: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for number, line in enumerate(lines):
        for k in np.flatnonzero(line.crossed):
            entries.setdefault((line.path, int(k)), []).append((number, line.crossed[k]))
    for end in ends:
        entries.setdefault((end.path, end.mobility), [])
    for path, k in given:
        if k >= 0:
            entries.setdefault((path, k), [])
    place = {key: i for i, key in enumerate(entries)}
    width = max(map(len, entries.values()), default=0)
    if len(entries) * width > LARGEST_TABLE:
        raise OsimFormatError(
            f"{source}: expected moment arms times pieces of the longest path to be at most "
            f"{LARGEST_TABLE}, found {len(entries)} times {width}"
        )
    none = (len(lines), 0.0)
    terms = np.array([row + [none] * (width - len(row)) for row in entries.values()])
    terms = terms.reshape(len(entries), width, 2)
    table = np.full((path_count, mobility_count), len(entries))
    for (path, k), i in place.items():
        table[path, k] = i
    arms = ArmStructure(
        path=np.array([p for p, _ in entries], int),
        mobility=np.array([k for _, k in entries], int),
        segment=terms[..., 0].astype(int),
        sign=terms[..., 1],
        table=table,
        given=np.array([place.get(pair, len(entries)) for pair in given], int),
    )
    owners = [place[end.path, end.mobility] for end in ends]
    return arms, MovingEndStructure(
        point=np.array([end.moving for end in ends], int),
        segment=np.array([end.segment for end in ends], int),
        sign=np.array([end.sign for end in ends], float),
        moment_arm=np.array(owners, int),
        pulls=np.array([end.pulls for end in ends], bool),
    )
