"""How far jaxosim's accelerations are from OpenSim's, beside how good OpenSim's own are.

Used by `benchmarks/census.py`. OpenSim is imported by the functions, not with the module.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel

BOUND = 1e-8  # of accelerations, and of what OpenSim misses its own equations of motion by
CONDITION = 1e6  # of these equations, beyond which neither program keeps eight digits
MOTION = (
    "accelerations",
    "OpenSim's residual",
    "OpenSim's scatter",
    "states",
    "beyond the bound",
    "beyond the scatter",
)


def opensim_accelerations(
    oracle: OpenSimModel, states: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What OpenSim says of the accelerations at states, `[state, …]`; see `scatter.accelerations`.

    Args:
      oracle: the model.
      states: `[state, …]`, as `sampling.random_states` returns them.
    """
    from jaxosim.opensim.scatter import accelerations

    said = [accelerations(oracle, _one(states, index)) for index in range(len(states["q"]))]
    return {key: np.stack([one[key] for one in said]) for key in said[0]}


def differences(
    oracle: OpenSimModel,
    states: Mapping[str, np.ndarray],
    said: Mapping[str, np.ndarray],
    obtained: np.ndarray,
    shifts: int,
) -> dict[str, float | int]:
    """The figures of MOTION, over the states that can be compared.

    These are not near singular, and OpenSim's accelerations and lengths of paths are finite. An
    acceleration is compared with the one OpenSim reports, or with the refined one where it misses
    its own equations by more than BOUND. OpenSim's scatter is that of what it reports.

    Args:
      oracle: the model.
      states: `[state, …]`.
      said: from `opensim_accelerations`.
      obtained: `[state, coordinate]` jaxosim's.
      shifts: number of shifted states for each scatter.

    Returns:
      The largest error, residual and scatter; the number of states; of those whose error is beyond
      the bound, and of those where it is also more than OpenSim's scatter at that state.
    """
    from jaxosim.opensim.scatter import have_finite_paths, scatter

    free, residual, rng = ~oracle.locked, said["own_residual"], np.random.default_rng(3)
    finite = np.isfinite(residual) & have_finite_paths(oracle, states["q"])
    compared = np.flatnonzero((said["condition"] < CONDITION) & finite)
    errors, scatters = np.zeros(len(compared)), np.zeros(len(compared))
    for place, index in enumerate(map(int, compared)):
        quantity = "u_dot" if residual[index] < BOUND else "refined_u_dot"
        expected = said[quantity][index][free]
        error = np.abs(obtained[index][free] - expected) / np.maximum(1.0, np.abs(expected))
        errors[place] = np.max(np.where(np.isfinite(error), error, math.inf), initial=0.0)
        scatters[place] = scatter(oracle, _one(states, index), shifts, rng)
    beyond = errors > BOUND
    largest = (float(np.max(x, initial=0.0)) for x in (errors, residual[compared], scatters))
    counts = len(compared), int(beyond.sum()), int((beyond & (errors > scatters)).sum())
    return dict(zip(MOTION, (*largest, *counts), strict=True))


def _one(states: Mapping[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
    return {key: value[index] for key, value in states.items()}
