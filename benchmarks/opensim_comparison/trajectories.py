"""Error of a second of jaxosim against a second of OpenSim, both from rest.

At osim-rl's accuracy the integrator's step control amplifies rounding: OpenSim started 1e-15 aside
then differs from itself. `repeatability` measures by how much, which bounds the agreement
that can be expected.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from patterns import PATTERNS

import jaxosim
from jaxosim.simulation import init_integrator, step_with_state
from opensim_comparison.states import Error

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel

REFERENCE_ACCURACY = 1e-9
OSIM_RL_ACCURACY = 5e-5
_TOLERANCES = {REFERENCE_ACCURACY: (1e-6, 1e-5), OSIM_RL_ACCURACY: (1e-4, 5e-3)}
NUDGE = 1e-15  # (rad | m)


def tolerance(pattern: str, accuracy: float) -> float:
    """Largest error of a coordinate (rad | m) in the acceptance table."""
    active, passive = _TOLERANCES[accuracy]
    return passive if pattern == "zero" else active


def trajectory_error(
    oracle: OpenSimModel, name_or_path: str, pattern: str, accuracy: float, steps: int | None = None
) -> Error:
    """Largest difference of any coordinate at any sample (rad | m), and where.

    At OSIM_RL_ACCURACY both do as OpenSim under osim-rl: one integrator goes on over all steps and
    the first stage after a change uses the previous excitation. Otherwise every step starts anew.

    Args:
      oracle: of the model.
      name_or_path: the same model, for jaxosim.
      pattern: of all controls, from PATTERNS.
      accuracy: of both integrators.
      steps: of 10 ms; all of the pattern's if None.
    """
    excitations = PATTERNS[pattern](oracle.control_count)[:steps]
    expected = _opensim(oracle, excitations, accuracy, oracle.defaults)
    model, params = jaxosim.load_model(name_or_path)
    obtained = _rollout(model, accuracy)(params, jnp.asarray(excitations))
    difference = np.abs(np.asarray(obtained.q) - expected[1:])
    difference = np.where(np.isfinite(difference), difference, np.inf)
    sample, coordinate = np.unravel_index(np.argmax(difference), difference.shape)
    place = f"{oracle.coordinate_names[coordinate]} after step {sample + 1}"
    return Error(float(difference[sample, coordinate]), place)


def repeatability(
    oracle: OpenSimModel, pattern: str, accuracy: float, steps: int | None = None
) -> float:
    """Largest difference (rad | m) of OpenSim from itself, started 1e-15 aside.

    Args:
      oracle: of the model.
      pattern: of all controls, from PATTERNS.
      accuracy: of the integrator.
      steps: of 10 ms; all of the pattern's if None.
    """
    excitations = PATTERNS[pattern](oracle.control_count)[:steps]
    nudged = oracle.defaults + np.where(oracle.locked, 0.0, NUDGE)
    poses = (oracle.defaults, nudged)
    first, second = (_opensim(oracle, excitations, accuracy, pose) for pose in poses)
    return float(np.abs(first - second).max())


def _opensim(
    oracle: OpenSimModel, excitations: np.ndarray, accuracy: float, q: np.ndarray
) -> np.ndarray:
    fresh, start = accuracy != OSIM_RL_ACCURACY, {"q": q}
    return oracle.trajectory(
        excitations, accuracy=accuracy, start=start, fresh_manager_each_step=fresh
    )["q"]


@functools.cache
def _rollout(model: jaxosim.Model, accuracy: float) -> Callable:
    """Compiled once for all patterns."""
    stale = accuracy == OSIM_RL_ACCURACY
    options = jaxosim.Options(method="merson", accuracy=accuracy)

    @jax.jit
    def run(params, excitations):
        rest = jnp.zeros_like(params.coordinates.default_value)
        state = jaxosim.initial_state(model, params, u=rest)

        def step(carry, controls):
            before = carry[1].controls if stale else None
            after = step_with_state(model, params, carry[0], controls, carry[1], options, before)
            return after, after[0]

        return jax.lax.scan(step, (state, init_integrator(state, excitations[0])), excitations)[1]

    return run
