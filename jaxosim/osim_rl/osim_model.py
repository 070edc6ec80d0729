"""`osim_model`: the simulation as osim-rl's classes hold it, one world that is moved in place.

All mechanics are the functional environment's; here is only which world is the present one.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.host.forks import check_process
from jaxosim.osim_rl.compiled_env import CompiledEnv
from jaxosim.osim_rl.constants import STARTING_CONTROL
from jaxosim.simulation import init_integrator
from jaxosim.types import Params, State


class OsimModel:
    """One world, its numbers, and the excitation in force.

    Attributes:
      compiled: the task and its compiled functions.
      world: the present EnvState; None before the first reset.
      last_action: controls in the file's order, clipped to their bounds.
      curforces: strength of each muscle as a share of the model file's.
      stepsize: seconds of a control step.
    """

    def __init__(self, compiled: CompiledEnv, task_at: Callable[[Any, int], Any]) -> None:
        """Take the model file's numbers.

        Args:
          compiled: the task and its compiled functions.
          task_at: `(task state, step) -> task state`, for a world moved to another time.
        """
        self.compiled = compiled
        self.world: EnvState | None = None
        self.stepsize = compiled.env.options.step_size
        self.noutput = compiled.env.action_size
        self.curforces: Sequence[float] = [1.0] * len(compiled.env.model.muscle_names)
        self.last_action = np.full(self.noutput, STARTING_CONTROL)
        self._task_at = task_at
        self._params: Params | None = None  # the model file's, until strengths are set
        self._described: tuple[EnvState | None, dict[str, Any]] = (None, {})
        order = compiled.env.muscle_order
        self._to_action = np.argsort(order)
        self._low, self._high = compiled.env.action_low[order], compiled.env.action_high[order]

    @property
    def present(self) -> EnvState:
        """The present world.

        Raises:
          RuntimeError: before the first reset.
        """
        if self.world is None:
            raise RuntimeError("there is no world yet: call reset() first")
        return self.world

    @property
    def _file_params(self) -> Params:
        """The model file's numbers."""
        assert self.compiled.env.params is not None
        return self.compiled.env.params

    @property
    def dtype(self) -> np.dtype:
        """Of all numbers: float64 where JAX has x64 enabled, else float32."""
        return np.dtype(self._file_params.gravity.dtype)

    @property
    def istep(self) -> int:
        """Control steps since reset."""
        return int(self.present.step_count)

    def start(self, q: Any, u: Any, samples: Any) -> None:
        """Begin an episode.

        The excitation in force stays, as in osim-rl: the integrator's first evaluation sees it.

        Args:
          q: `[coordinate]` (rad | m) pose.
          u: `[coordinate]` (rad/s | m/s) speeds.
          samples: the task's random numbers.
        """
        check_process()
        controls = np.asarray(self.last_action, self.dtype)
        self.world = self.compiled.reset(self._params, q, u, controls, samples)

    def actuate(self, action: Any) -> None:
        """Set the excitations of the next control steps.

        Args:
          action: one number for each control in the file's order; clipped to its bounds.

        Raises:
          ValueError: not a number is among them, or there are too few or too many.
        """
        action = np.asarray(action, float)
        if action.shape != (self.noutput,):
            raise ValueError(
                f"action: expected {self.noutput} numbers, one for each control, got shape "
                f"{action.shape}"
            )
        if np.isnan(action).any():
            raise ValueError("action: expected numbers, got NaN")
        self.last_action = np.clip(action, self._low, self._high)

    def integrate(self) -> None:
        """Carry the world through one control step."""
        check_process()
        self.world = self.compiled.step(self.present, self.action)

    @property
    def action(self) -> np.ndarray:
        """The excitations in force in the task's own order, `[action]` (1)."""
        return np.asarray(self.last_action[self._to_action], self.dtype)

    def get_state_desc(self) -> dict[str, Any]:
        """Everything about the present world, in nested dictionaries; worked out once for each."""
        if self._described[0] is not self.present:
            self._described = (self.present, self.describe(self.present))
        return self._described[1]

    def describe(self, es: EnvState) -> dict[str, Any]:
        """Everything about a world."""
        check_process()
        return self.compiled.env.to_dict(es, self.compiled.describe(es))

    def get_activations(self) -> list[float]:
        """Activation of each muscle."""
        return np.asarray(self.present.state.activation).tolist()

    def set_activations(self, activations: Sequence[float]) -> None:
        """Change the activations of the present world.

        Raises:
          ValueError: not a number is among them, or there are too few or too many.
        """
        values = np.asarray(activations, self.dtype)
        count = len(self.compiled.env.model.muscle_names)
        if values.shape != (count,) or np.isnan(values).any():
            raise ValueError(f"activations: expected {count} numbers, got {activations}")
        self._move(dataclasses.replace(self.present.state, activation=jnp.asarray(values)))

    def get_state(self) -> State:
        """The state of the mechanics; it never changes, so there is no need to copy it."""
        return self.present.state

    def set_state(self, state: State) -> None:
        """Move the present world to a state; its time tells the control step."""
        step = round(float(state.time) / self.stepsize)
        es = self.present
        self.world = dataclasses.replace(
            es,
            step_count=jnp.asarray(step, es.step_count.dtype),
            task_state=self._task_at(es.task_state, step),
        )
        self._move(state)

    def _move(self, state: State) -> None:
        """Put the world in a state and start the integrator anew."""
        check_process()
        self.world = self.compiled.move(self.present, state)
        self.reset_manager()

    def reset_manager(self) -> None:
        """Let the integrator forget its step size."""
        es = self.present
        self.world = dataclasses.replace(
            es, integrator_state=init_integrator(es.state, es.integrator_state.controls)
        )

    def set_strength(self, strength: Sequence[float]) -> None:
        """Scale the maximal isometric forces, from now on and in later episodes.

        Args:
          strength: for each muscle, a share of the model file's.

        Raises:
          ValueError: there are too few or too many.
        """
        count = len(self.compiled.env.model.muscle_names)
        if len(strength) != count:
            raise ValueError(f"strength: expected {count} numbers, got {len(strength)}")
        self.curforces = strength
        muscles = self._file_params.muscles
        scale = jnp.asarray(strength, self.dtype)
        muscles = dataclasses.replace(
            muscles, max_isometric_force=muscles.max_isometric_force * scale
        )
        self._params = dataclasses.replace(self._file_params, muscles=muscles)
        if self.world is not None:
            self.world = dataclasses.replace(self.world, params=self._params)

    def list_elements(self) -> None:
        """Print the names of joints, bodies, muscles, forces and markers."""
        model = self.compiled.env.model
        for kind in ("joint", "body", "muscle", "force", "marker"):
            print({"body": "BODIES"}.get(kind, f"{kind.upper()}S"))
            for index, name in enumerate(getattr(model, f"{kind}_names")):
                print(index, name)
            print()

    def get_action_space_size(self) -> int:
        """Number of controls."""
        return self.noutput
