"""What osim-rl's classes have in common: an object that steps, and lists and dictionaries.

The world is an EnvState of the functional task; its step works out observation, reward and ending,
and the methods here hand them out. They are called by `step` as in osim-rl, so that a class derived
from one of these may override `get_observation`, `get_reward` or `is_done`.

Source: osim-rl `OsimEnv`.
"""

import types
from typing import Any, ClassVar

import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.host.compilation_cache import use_compilation_cache
from jaxosim.osim_rl.box import Box
from jaxosim.osim_rl.compiled_env import CompiledEnv, compiled_env
from jaxosim.osim_rl.osim_model import OsimModel
from jaxosim.osim_rl.osim_rl_random import GLOBAL, Generators
from jaxosim.types import Options
from jaxosim.viewer.window import Window, open_window, show_in


class OsimEnv:
    """A task as osim-rl has it; numbers are float64 where JAX has x64 enabled, else float32.

    Attributes:
      task_name: the task, or its name.
      time_limit: control steps of an episode.
      osim_model: the simulation.
      action_space: excitations from 0 to 1.
      observation_space: bounds of the observation.
      spec: holds `timestep_limit`, after which `step` reports the end; may be changed.
      generators: what targets are drawn from; the global generators unless it is changed.
    """

    task_name: ClassVar[str | Env]
    metadata: ClassVar[dict[str, Any]] = {"render.modes": ["human"]}
    time_limit: int
    generators: Generators = GLOBAL

    def __init__(self, visualize: bool = False, integrator_accuracy: float = 5e-5) -> None:
        """Read the model; programs are compiled at the first reset and step.

        Args:
          visualize: show the world in a window.
          integrator_accuracy: local error of the reference integrator, OpenSim's.
        """
        self.visualize = visualize
        self.integrator_accuracy = integrator_accuracy
        self._before: EnvState | None = None
        self._window: Window | None = None
        use_compilation_cache()
        self.load_model()

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: all but the window, which stays with the original."""
        return {**vars(self), "_window": None}

    def task_options(self) -> dict[str, Any]:
        """Keywords of `jaxosim.make` for the task."""
        return {}

    @staticmethod
    def with_samples(task: Any, samples: Any) -> Any:
        """The task state with the numbers drawn at reset; runs within a compiled program."""
        return task

    def draw(self) -> Any:
        """Draw the episode's random numbers from the generators."""
        return ()

    def task_at(self, task: Any, step: int) -> Any:
        """The task state of a world that has been moved to a control step."""
        return task

    def load_model(self) -> None:
        """Take the model that the task's options ask for, in its initial state."""
        integrator = Options(method="merson", accuracy=self.integrator_accuracy)
        options = {**self.task_options(), "options": integrator}
        compiled = self.compile_task(tuple(sorted(options.items())))
        env = compiled.env
        assert env.time_limit is not None
        self.osim_model = OsimModel(compiled, self.task_at)
        self.time_limit = env.time_limit
        self.spec = types.SimpleNamespace(id=0, timestep_limit=self.time_limit)
        self.action_space = Box(env.action_low, env.action_high)
        self.observation_space = Box(env.observation_low, env.observation_high)
        self._before = None
        if self._window is not None:
            self._window.close()
        if self.visualize:
            self._window = open_window(env)

    def compile_task(self, options: tuple[tuple[str, Any], ...]) -> CompiledEnv:
        """The task and its programs.

        Args:
          options: keywords of `jaxosim.make`.
        """
        return compiled_env(self.task_name, self.with_samples, options)

    def initial_pose(self) -> tuple[Any, Any]:
        """Coordinates and speeds at reset, `[coordinate]`."""
        env = self.osim_model.compiled.env
        assert env.params is not None
        return env.initial_pose(env.params)

    def reset(self, project: bool = True, obs_as_dict: bool = True) -> Any:
        """Begin an episode.

        Args:
          project: return the observation; else the state description.
          obs_as_dict: where the task has an observation in both forms, the dictionary.
        """
        self.osim_model.start(*self.initial_pose(), self.draw())
        self._before = None
        self._show()
        return self._seen(project, obs_as_dict)

    def step(self, action: Any, project: bool = True, obs_as_dict: bool = True) -> Any:
        """One control step.

        Args:
          action: an excitation for each muscle, clipped to [0, 1].
          project: return the observation; else the state description.
          obs_as_dict: where the task has an observation in both forms, the dictionary.

        Returns:
          `[observation, reward, done, {}]`.

        Raises:
          ValueError: NaN in the action, or a wrong length.
          RuntimeError: before the first reset.
        """
        before = self.begin_step(action)
        self.osim_model.integrate()
        return self.finish_step(before, project, obs_as_dict)

    def begin_step(self, action: Any) -> EnvState:
        """What comes before the simulation of a control step: the action is taken.

        Args:
          action: as for `step`.

        Returns:
          The world before the control step.

        Raises:
          ValueError: NaN in the action, or a wrong length.
          RuntimeError: before the first reset.
        """
        before = self.osim_model.present
        self.osim_model.actuate(self.controls_of(action))
        return before

    def finish_step(self, before: EnvState, project: bool = True, obs_as_dict: bool = True) -> Any:
        """What comes after the simulation of a control step.

        Args:
          before: from `begin_step`.
          project: as for `step`.
          obs_as_dict: as for `step`.

        Returns:
          What `step` returns.
        """
        self._before = before
        self.resample_if_needed(before)
        self._show()
        limit = self.osim_model.istep >= self.spec.timestep_limit
        seen = self._seen(project, obs_as_dict)
        return [seen, self.get_reward(), bool(self.is_done() or limit), {}]

    def controls_of(self, action: Any) -> Any:
        """The action in the file's order of muscles."""
        return action

    def resample_if_needed(self, before: EnvState) -> None:
        """Draw what a control step has made necessary.

        Args:
          before: the world before the control step.
        """

    def _show(self) -> None:
        """Let the window follow."""
        if self._window is not None:
            show_in(self._window, self.osim_model.compiled.env, self.osim_model.present)

    def _seen(self, project: bool, obs_as_dict: bool) -> Any:
        """What `reset` and `step` return of the world."""
        if not project:
            return self.get_state_desc()
        return self.get_observation_dict() if obs_as_dict else self.get_observation()

    def get_observation(self) -> list[float]:
        """The observation in osim-rl's order."""
        return np.asarray(self.osim_model.present.obs).tolist()

    def get_observation_dict(self) -> Any:
        """The observation as `reset` and `step` return it unless asked otherwise."""
        return self.get_observation()

    def get_state_desc(self) -> dict[str, Any]:
        """The present world in nested dictionaries."""
        return self.osim_model.get_state_desc()

    def get_prev_state_desc(self) -> dict[str, Any] | None:
        """The world before the latest control step; None if there was none."""
        return None if self._before is None else self.osim_model.describe(self._before)

    def get_reward(self) -> float:
        """Reward of the latest control step."""
        return float(self.osim_model.present.reward)

    def reward(self) -> float:
        """The same."""
        return self.get_reward()

    def is_done(self) -> bool:
        """Whether the task has ended the episode; the time limit does not count."""
        return bool(self.osim_model.present.info["terminated"])

    def get_observation_space_size(self) -> int:
        """Length of the observation."""
        return self.osim_model.compiled.env.observation_size

    def get_action_space_size(self) -> int:
        """Length of the action."""
        return self.osim_model.get_action_space_size()

    def render(self, mode: str = "human", close: bool = False) -> None:
        """Nothing: the window follows by itself."""

    def seed(self, seed: int | None = None) -> list[int]:
        """Nothing, as in osim-rl: targets are drawn from the global generators; seed those."""
        return []

    @property
    def unwrapped(self) -> "OsimEnv":
        """The environment without wrappers: itself."""
        return self

    def __enter__(self) -> "OsimEnv":
        """Begin a block at whose end the environment is closed."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None
