"""A world of any model in a live OpenSim, driven by its controls alone."""

import time

import numpy as np
from patterns import STEP_SIZE

from jaxosim.models.catalog import resolve


class ControlledWorld:
    """One world; a control step sets the controls, integrates and realizes accelerations."""

    def __init__(self, model: str) -> None:
        """Read a model.

        Args:
          model: a bundled name or the path of an `.osim` file.

        Raises:
          MissingExtraError: OpenSim is not installed, or does not load.
        """
        # Imported here, so that a worker process answers with the error of a missing OpenSim.
        from jaxosim.opensim.model import OpenSimModel

        self._live = OpenSimModel(resolve(model))

    def start(self) -> np.ndarray:
        """Coordinates at the start of every run, `[coordinate]` (rad | m)."""
        return self._live.rest()["q"]

    def run(self, controls: np.ndarray, accuracy: float) -> tuple[float, float]:
        """Seconds that control steps take, and processor seconds.

        Args:
          controls: `[step, control]` (1).
          accuracy: of OpenSim's integrator, one of which continues over all steps.
        """
        live = self._live
        manager = live.manager_at(live.initial_state(), 0.0, accuracy)
        start, processor = time.perf_counter(), time.process_time()
        for step, row in enumerate(controls, 1):
            live.set_controls(row)
            live.model.realizeAcceleration(manager.integrate(step * STEP_SIZE))
        return time.perf_counter() - start, time.process_time() - processor

    def trajectory(self, controls: np.ndarray, accuracy: float) -> np.ndarray:
        """Coordinates after each control step, `[step, coordinate]` (rad | m).

        Args:
          controls: `[step, control]` (1).
          accuracy: of OpenSim's integrator, a new one for each step.
        """
        return self._live.trajectory(controls, STEP_SIZE, accuracy)["q"][1:]
