"""A world in a live OpenSim, driven as osim-rl's ProstheticsEnv drives it.

A control step is all that osim-rl does for an agent: set the excitations, integrate for
10 ms, realize accelerations, collect the state description, and compute observation, reward and
ending from it.

Source: osim-rl 2.1.0 `OsimModel`, `ProstheticsEnv`.
"""

import time
from typing import Any

import numpy as np

from jaxosim.models.catalog import resolve


class OpenSimWorld:
    """One world; osim-rl's Round 1, with a target of 3 m/s."""

    def __init__(self, model: str) -> None:
        """Read a model.

        Args:
          model: a bundled name or the path of an `.osim` file.

        Raises:
          MissingExtraError: OpenSim is not installed, or does not load.
        """
        # Imported here, so that a worker process answers with the error of a missing OpenSim.
        from jaxosim.opensim.osim_rl_rules import ProstheticsRules
        from jaxosim.opensim.osim_rl_world import OpenSimWorld as World

        self._world = World(resolve(model))
        self._rules = ProstheticsRules()
        self.reset(5e-5)

    def reset(
        self, accuracy: float, fresh: bool = False, excitation: np.ndarray | None = None
    ) -> None:
        """Begin an episode in the default pose, muscles equilibrated.

        Args:
          accuracy: of OpenSim's integrator.
          fresh: a new one for each control step. Otherwise one continues, as under osim-rl, and its
            first stage after a change still uses the previous excitation.
          excitation: `[muscle]` (1) in force before the first action; osim-rl's if None.
        """
        self._world.begin(accuracy=accuracy, fresh=fresh, controls=excitation)
        self._described = self._world.describe()

    def step(self, action: np.ndarray) -> tuple[list[float], float, bool]:
        """One control step: observation, reward, and whether the episode has ended.

        Args:
          action: `[muscle]` (1).
        """
        before = self._described
        self._world.integrate(action)
        now = self._described = self._world.describe()
        reward = self._rules.reward(before, now, self._world.step_count)
        return self._rules.observation(now), reward, self._rules.is_done(now)

    def describe(self) -> dict[str, Any]:
        """osim-rl's state description of the present state, in nested dictionaries."""
        return self._described

    def observation(self) -> list[float]:
        """osim-rl's vector of the present state."""
        return self._rules.observation(self._described)

    # ------------------------------------------------------------------------ what is measured

    def run(self, actions: np.ndarray) -> float:
        """Seconds that control steps take.

        Args:
          actions: `[step, muscle]` (1).
        """
        start = time.perf_counter()
        for action in actions:
            self.step(action)
        return time.perf_counter() - start

    def trajectory(self, actions: np.ndarray, accuracy: float, fresh: bool = False) -> np.ndarray:
        """Coordinates after each control step from reset, `[step, coordinate]` (rad | m).

        The first action is in force from the beginning: osim-rl's starting excitation would show
        in the first stage of the first step, which is no error of the integrator.

        Args:
          actions: `[step, muscle]` (1).
          accuracy: as for `reset`.
          fresh: as for `reset`.
        """
        self.reset(accuracy, fresh, actions[0])
        samples = []
        for action in actions:
            self.step(action)
            samples.append(self._world.read()["q"])
        return np.array(samples)
