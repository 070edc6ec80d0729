"""Error of a second of jaxosim against a second of OpenSim, both from rest.

At osim-rl's accuracy the integrator's step control amplifies rounding: OpenSim started 1e-15 aside
then differs from itself. `repeatability` measures by how much, which bounds the agreement
that can be expected.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
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
DEEPEST = 0.1  # m that a contact sphere of the pose to start from may be below y = 0


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
    expected = opensim_motion(oracle, pattern, accuracy, steps)
    obtained = jaxosim_motion(name_or_path, pattern, accuracy, steps)
    return largest_difference(oracle.coordinate_names, obtained, expected)


def largest_difference(names: Sequence[str], obtained: np.ndarray, expected: np.ndarray) -> Error:
    """Largest difference of any coordinate at any sample after the start (rad | m), and where.

    Args:
      names: of the coordinates.
      obtained: `[step+1, coordinate]` (rad | m); what is not finite counts as inf.
      expected: likewise.
    """
    difference = np.abs(obtained - expected)[1:]
    difference = np.where(np.isfinite(difference), difference, np.inf)
    sample, coordinate = divmod(int(np.argmax(difference)), len(names))
    place = f"{names[coordinate]} after step {sample + 1}"
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
    first, second = (
        opensim_motion(oracle, pattern, accuracy, steps, aside) for aside in (0.0, NUDGE)
    )
    return float(np.abs(first - second).max())


def start_pose(oracle: OpenSimModel) -> np.ndarray:
    """The default pose `[coordinate]` (rad | m), lifted onto the ground if it is far below.

    Some files have their feet a meter below it, where neither program can integrate the contacts.
    """
    q = np.array(oracle.defaults)
    lowest = None if oracle.vertical is None else oracle.lowest_contact(q)
    if lowest is not None and lowest < -DEEPEST:
        q[oracle.vertical] -= lowest
    return q


def opensim_motion(
    oracle: OpenSimModel, pattern: str, accuracy: float, steps: int | None = None, aside: float = 0
) -> np.ndarray:
    """Coordinates `[step+1, coordinate]` (rad | m) from `start_pose` at rest, by OpenSim.

    Args:
      oracle: of the model.
      pattern: of all controls, from PATTERNS.
      accuracy: of the integrator.
      steps: of 10 ms; all of the pattern's if None.
      aside: added to every coordinate of the pose that is not locked (rad | m).

    Raises:
      RuntimeError: OpenSim finds no equilibrium of a muscle, or does not integrate the model.
    """
    excitations = PATTERNS[pattern](oracle.control_count)[:steps]
    pose = start_pose(oracle) + np.where(oracle.locked, 0.0, aside)
    fresh = accuracy != OSIM_RL_ACCURACY
    return oracle.trajectory(
        excitations, accuracy=accuracy, start={"q": pose}, fresh_manager_each_step=fresh
    )["q"]


def jaxosim_motion(
    name_or_path: str,
    pattern: str,
    accuracy: float,
    steps: int | None = None,
    pose: np.ndarray | None = None,
) -> np.ndarray:
    """As `opensim_motion`, by jaxosim.

    Args:
      name_or_path: of the model.
      pattern: of all controls, from PATTERNS.
      accuracy: of the integrator.
      steps: of 10 ms; all of the pattern's if None.
      pose: `[coordinate]` (rad | m) to start from; the model's default if None.
    """
    model, _ = jaxosim.load_model(name_or_path)
    excitations = PATTERNS[pattern](len(model.control_names))[:steps]
    return np.asarray(_rollout(name_or_path, accuracy)(pose, jnp.asarray(excitations)))


@functools.cache
def _rollout(name_or_path: str, accuracy: float) -> Callable:
    """Compiled once for all patterns; the model's parameters are constants of the program."""
    model, params = jaxosim.load_model(name_or_path)
    stale = accuracy == OSIM_RL_ACCURACY
    options = jaxosim.Options(method="merson", accuracy=accuracy)

    @jax.jit
    def run(pose, excitations):
        rest = jnp.zeros_like(params.coordinates.default_value)
        state = jaxosim.initial_state(model, params, pose, rest)

        def step(carry, controls):
            before = carry[1].controls if stale else None
            after = step_with_state(model, params, carry[0], controls, carry[1], options, before)
            return after, after[0].q

        start = state, init_integrator(state, excitations[0])
        later = jax.lax.scan(step, start, excitations)[1]
        return jnp.concatenate([state.q[None], later])

    return run
