"""Arm2DEnv as osim-rl has it."""

from typing import Any

import numpy as np

from jaxosim.osim_rl.osim_env import OsimEnv
from jaxosim.osim_rl.osim_rl_random import draw_arm_target


class Arm2DEnv(OsimEnv):
    """Reach a target.

    Attributes:
      target_x: (m) of the target.
      target_y: (m) of the target.
    """

    task_name = "Arm2DEnv"
    target_x = 0.0
    target_y = 0.0
    _random_target = True

    @staticmethod
    def with_samples(task: Any, samples: Any) -> Any:
        """The task state is the target itself."""
        return samples

    def draw(self) -> np.ndarray:
        """The target, `[2]` (m)."""
        if self._random_target:
            self.target_x, self.target_y = draw_arm_target(self.generators)
        return np.asarray([self.target_x, self.target_y], self.osim_model.dtype)

    def reset(
        self, random_target: bool = True, project: bool = True, obs_as_dict: bool = True
    ) -> Any:
        """Begin an episode.

        Args:
          random_target: draw a target; else the one before stays.
          project: return the observation; else the state description.
          obs_as_dict: no difference here.
        """
        shown = [self.target_x, self.target_y]
        self._random_target = random_target
        seen = super().reset(project, obs_as_dict)
        # osim-rl draws the target after it has looked: what reset returns shows the one before.
        return shown + seen[2:] if project else seen
