"""L2M2019Env as osim-rl has it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.envs.observation import tree_of
from jaxosim.envs.target_field import SinkDraw, first_field
from jaxosim.osim_rl.osim_env import OsimEnv
from jaxosim.osim_rl.osim_rl_random import draw_sink

_FIELD = "v_tgt_field"  # an array in the dictionary; all other leaves are numbers and lists


class L2M2019Env(OsimEnv):
    """Walk along a field of target velocities.

    Attributes:
      model: "3D" or "2D".
      difficulty: 0 to 3; 3 is Round 2.
    """

    task_name = "L2M2019Env"
    model = "3D"

    def __init__(
        self,
        visualize: bool = False,
        integrator_accuracy: float = 5e-5,
        difficulty: int = 3,
        seed: int | None = None,
    ) -> None:
        """Read the model.

        Args:
          visualize: show the world in a window.
          integrator_accuracy: local error of the reference integrator, OpenSim's.
          difficulty: 0 to 3; 3 is Round 2.
          seed: of NumPy's global generator; None and 0 leave it alone.
        """
        self.difficulty = difficulty
        self._init_pose: Sequence[float] | None = None
        super().__init__(visualize, integrator_accuracy)
        self._seed(seed)

    def task_options(self) -> dict[str, Any]:
        """Keywords of `jaxosim.make` for the task."""
        return {"variant": self.model, "difficulty": self.difficulty}

    @staticmethod
    def with_samples(task: Any, samples: SinkDraw) -> Any:
        """The first field; the sink after it is drawn by `resample_if_needed`."""
        return dataclasses.replace(task, field=first_field(samples, samples, task.field.key))

    def draw(self) -> SinkDraw:
        """The first sink; the constant field of difficulty 0 needs none."""
        dtype = self.osim_model.dtype
        if self.difficulty == 0:
            one = jnp.ones((), dtype)
            return SinkDraw(radius=one, turn=one, phase=one, stay=one)
        return draw_sink(self.difficulty, dtype, self.generators)

    def resample_if_needed(self, before: EnvState) -> None:
        """Where the control step has placed a new sink, draw it now, as osim-rl does.

        The step is repeated with the new numbers; it comes out the same but for the new field.
        """
        field, now = before.task_state.field, self.osim_model.present.task_state.field
        if np.array_equal(field.sink, now.sink):
            return
        drawn = draw_sink(self.difficulty, self.osim_model.dtype, self.generators)
        task = dataclasses.replace(
            before.task_state, field=dataclasses.replace(field, next_draw=drawn)
        )
        self.osim_model.world = dataclasses.replace(before, task_state=task)
        self.osim_model.integrate()

    def initial_pose(self) -> tuple[Any, Any]:
        """Coordinates and speeds at reset, `[coordinate]`."""
        env = self.osim_model.compiled.env
        assert env.params is not None
        given = {} if self._init_pose is None else {"init_pose": self._init_pose}
        return dataclasses.replace(env, **given).initial_pose(env.params)

    def reset(
        self,
        project: bool = True,
        seed: int | None = None,
        init_pose: Sequence[float] | None = None,
        obs_as_dict: bool = True,
    ) -> Any:
        """Begin an episode with a new field.

        Args:
          project: return the observation; else the state description.
          seed: of NumPy's global generator; None and 0 leave it alone, as difficulty 0 does.
          init_pose: twelve numbers (see `jaxosim.envs.l2m2019.L2M2019Env`).
          obs_as_dict: return the observation as a dictionary; else as a list.
        """
        if self.difficulty != 0:
            self._seed(seed)
        self._init_pose = None if init_pose is None else tuple(float(x) for x in init_pose)
        return super().reset(project, obs_as_dict)

    def step(self, action: Any, project: bool = True, obs_as_dict: bool = True) -> Any:
        """One control step; returns a tuple where osim-rl's other tasks return a list."""
        return tuple(super().step(action, project, obs_as_dict))

    def controls_of(self, action: Any) -> Any:
        """The action is leg by leg; the file is not."""
        action = np.asarray(action, float)
        order = self.osim_model.compiled.env.muscle_order
        return action[order] if action.shape == order.shape else action

    def _seed(self, seed: int | None) -> None:
        """Seed NumPy's generator; osim-rl takes 0 for no seed."""
        if seed:
            self.generators.numpy.seed(seed)

    def get_observation_dict(self) -> dict[str, Any]:
        """The observation in nested dictionaries."""
        names = self.osim_model.compiled.env.observation_names
        obs: Any = np.asarray(self.osim_model.present.obs)
        tree = tree_of(names, obs)
        field = tree.pop(_FIELD)
        return {_FIELD: field, **_as_lists(tree)}

    def get_observation_clipped(self) -> np.ndarray:
        """The observation within the bounds of the observation space."""
        space = self.observation_space
        return np.clip(self.get_observation(), space.low, space.high)

    def change_model(self, model: str = "3D", difficulty: int = 3, seed: int | None = None) -> None:
        """Take another model or difficulty; the next thing to call is `reset`.

        Args:
          model: "3D" or "2D".
          difficulty: 0 to 3; 3 is Round 2.
          seed: has no effect, as in osim-rl.
        """
        self.model, self.difficulty = model, difficulty
        self.load_model()


def _as_lists(tree: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists and numbers; `jax.tree.map` would sort the keys."""
    return {
        key: _as_lists(value) if isinstance(value, dict) else value.tolist()
        for key, value in tree.items()
    }
