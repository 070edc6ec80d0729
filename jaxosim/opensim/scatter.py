"""How far OpenSim's accelerations move when a state is shifted by its rounding.

Where deep contact accelerates a light body by 1e6 rad/s², the sixteenth digit of a coordinate shows
in the eighth of an acceleration. No other program can be nearer to OpenSim there than OpenSim is to
itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from jaxosim.opensim.library import opensim

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.reading import Arrays

SHIFT = 1e-15  # relative to max(1, |value|)
SHIFTED = ("q", "u", "activation", "fiber_length", "normalized_tendon_force", "force_states")


def accelerations(oracle: OpenSimModel, values: Mapping[str, np.ndarray]) -> Arrays:
    """What OpenSim says of the accelerations at one state.

    Args:
      oracle: the model.
      values: as for `OpenSimModel.evaluate`.

    Returns:
      `u_dot` `[coordinate]` (rad/s² | m/s²) and what `Refinement.u_dot` returns.
    """
    state = oracle.state_of(values)
    oracle.model.realizeAcceleration(state)
    reported = oracle.refinement.reported(state)
    return {"u_dot": reported, **oracle.refinement.u_dot(state, reported)}


def have_finite_paths(oracle: OpenSimModel, poses: np.ndarray) -> np.ndarray:
    """Whether OpenSim's lengths of all paths are finite, `[state]` bool.

    A path whose length is NaN pulls nothing in OpenSim, and its accelerations are finite.

    Args:
      oracle: the model.
      poses: `[state, coordinate]` q (rad | m).
    """
    paths = [opensim.GeometryPath.safeDownCast(one) for one in oracle.model.getComponentsList()]
    paths = [path for path in paths if path is not None]
    finite = np.ones(len(poses), bool)
    for index, q in enumerate(poses):
        state = oracle.state_of({"q": q, "u": np.zeros_like(q)})
        oracle.model.realizePosition(state)
        finite[index] = all(np.isfinite(path.getLength(state)) for path in paths)
    return finite


def scatter(
    oracle: OpenSimModel,
    values: Mapping[str, np.ndarray],
    count: int,
    rng: np.random.Generator,
) -> float:
    """Largest change of the accelerations that OpenSim reports, over states shifted at random (1).

    Of each free coordinate, relative to max(1, |value|); infinite where a shift makes them NaN.

    Args:
      oracle: the model.
      values: one state; its coordinates, speeds and muscle states are shifted by ±SHIFT.
      count: number of shifted states.
      rng: for their signs.
    """
    free = ~oracle.locked
    center = _reported(oracle, values)
    largest = 0.0
    for _ in range(count):
        moved = _reported(oracle, shifted(values, free, rng))
        change = np.abs(moved - center)[free] / np.maximum(1.0, np.abs(center[free]))
        largest = max(largest, float(np.max(np.nan_to_num(change, nan=np.inf), initial=0.0)))
    return largest


def _reported(oracle: OpenSimModel, values: Mapping[str, np.ndarray]) -> np.ndarray:
    state = oracle.state_of(values)
    oracle.model.realizeAcceleration(state)
    return oracle.refinement.reported(state)


def shifted(
    values: Mapping[str, np.ndarray], free: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """A state next to this one.

    Args:
      values: one state.
      free: [coordinate] bool; the others stay.
      rng: for the signs of the shifts.
    """
    moved = dict(values)
    for key in SHIFTED:
        sign = rng.choice([-1.0, 1.0], values[key].shape)
        if key in ("q", "u"):
            sign = np.where(free, sign, 0.0)
        moved[key] = values[key] + SHIFT * sign * np.maximum(1.0, np.abs(values[key]))
    return moved
