"""ProstheticsEnv as osim-rl has it."""

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxosim.envs.targets import TargetTrack, velocity_at
from jaxosim.osim_rl.osim_env import OsimEnv
from jaxosim.osim_rl.osim_rl_random import draw_track

_velocity = jax.jit(velocity_at)


class ProstheticsEnv(OsimEnv):
    """Walk with a prosthesis, or on two sound legs.

    Attributes:
      model: "3D" or "2D".
      prosthetic: whether the right lower leg is a prosthesis.
      difficulty: 0 for Round 1, 1 for Round 2.
      targets: target velocities of the episode, `[step, 3]` (m/s).
    """

    task_name = "ProstheticsEnv"
    model = "3D"
    prosthetic = True

    def __init__(
        self,
        visualize: bool = False,
        integrator_accuracy: float = 5e-5,
        difficulty: int = 0,
        seed: int | None = 0,
    ) -> None:
        """Read the model and seed the global generators, as osim-rl does.

        Args:
          visualize: show the world in a window.
          integrator_accuracy: local error of the reference integrator, OpenSim's.
          difficulty: 0 for Round 1, 1 for Round 2.
          seed: of NumPy's and Python's global generators; None leaves them alone.
        """
        self.difficulty = difficulty
        self._track: TargetTrack | None = None
        super().__init__(visualize, integrator_accuracy)
        if seed is not None:
            self.generators.seed(seed)

    def task_options(self) -> dict[str, Any]:
        """Keywords of `jaxosim.make` for the task."""
        return {
            "variant": self.model,
            "prosthetic": self.prosthetic,
            "difficulty": self.difficulty,
        }

    @staticmethod
    def with_samples(task: Any, samples: TargetTrack) -> Any:
        """The targets are the samples."""
        return dataclasses.replace(task, track=samples)

    def draw(self) -> TargetTrack:
        """The targets; osim-rl draws them in Round 1 too."""
        self._track = draw_track(self.time_limit + 1, self.osim_model.dtype, self.generators)
        return self._track

    def task_at(self, task: Any, step: int) -> Any:
        """The targets go on from that step."""
        return dataclasses.replace(task, step=np.asarray(step, np.int32))

    @property
    def targets(self) -> np.ndarray:
        """Target velocities of the episode, `[step, 3]` (m/s), the one at reset first.

        Raises:
          RuntimeError: before the first reset.
        """
        if self._track is None:
            raise RuntimeError("there are no targets yet: call reset() first")
        count = self.time_limit + 1
        changes = [int(step) for step in np.asarray(self._track.step) if step < count]
        lengths = np.diff([0, *changes, count])
        velocities = [np.asarray(_velocity(self._track, step)) for step in (0, *changes)]
        return np.repeat(velocities, lengths, axis=0)

    def reset(self, project: bool = True, seed: int | None = None, obs_as_dict: bool = True) -> Any:
        """Begin an episode with new targets.

        Args:
          project: return the observation; else the state description.
          seed: of both global generators; None and 0 leave them alone.
          obs_as_dict: no difference here.
        """
        if seed:
            self.generators.seed(seed)
        return super().reset(project, obs_as_dict)

    def change_model(
        self,
        model: str = "3D",
        prosthetic: bool = True,
        difficulty: int = 0,
        seed: int | None = None,
    ) -> None:
        """Take another model or round; the next thing to call is `reset`.

        Args:
          model: "3D" or "2D".
          prosthetic: whether the right lower leg is a prosthesis.
          difficulty: 0 for Round 1, 1 for Round 2.
          seed: of both global generators; None leaves them alone.
        """
        self.model, self.prosthetic, self.difficulty = model, prosthetic, difficulty
        self.load_model()
        if seed is not None:
            self.generators.seed(seed)
