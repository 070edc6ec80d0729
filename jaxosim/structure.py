"""The static parts of the paths: index arrays. Nothing here is traced; axes are `types.py`'s."""

from dataclasses import dataclass

import numpy as np

from jaxosim.functions import FunctionBank

GROUND = -1


@dataclass(frozen=True, eq=False)
class PathStructure:
    """Muscle paths as flat lists of points and of the straight segments that can occur.

    A conditional point adds the segment that bypasses it, so that every segment has fixed ends;
    `needed` says which conditions must hold for a segment to be part of the path.
    """

    point_muscle: np.ndarray  # [point]
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

    The pull of a segment acts on a coordinate that moves one of its ends and not the other.
    """

    muscle: np.ndarray  # [arm]
    mobility: np.ndarray  # [arm] coordinate
    segment: np.ndarray  # [arm, term] flexible segments that contribute; their number if none
    sign: np.ndarray  # [arm, term] +1 if the coordinate moves the start, −1 if the end
    table: np.ndarray  # [muscle, mobility] number of the entry; the number of entries if none


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

    muscle: np.ndarray  # [segment]
    start: np.ndarray  # [segment] point
    end: np.ndarray  # [segment] point
    needed: np.ndarray  # [segment, condition] index into [active…, inactive…, always]
