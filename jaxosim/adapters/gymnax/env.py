"""A task as an environment of gymnax, with its interface of 1.0 and that of 0.0."""

from typing import Any

import jax
import jax.numpy as jnp
from gymnax.environments import environment, spaces

from jaxosim.adapters.gymnax.autoreset import autoreset_step, begin
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.host.compilation_cache import use_compilation_cache


class _Task(environment.Environment):
    """What both interfaces share; the params hold nothing but the time limit, and are not read."""

    def __init__(self, name: str | Env, **options: Any) -> None:
        """Read the model.

        Args:
          name: of the task, or the task itself; see `jaxosim.make`.
          **options: keywords of `jaxosim.make`.
        """
        use_compilation_cache()
        self.functional = make(name, **options)
        self._autoreset_step = autoreset_step(self.functional)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: all but the step, which is a local function."""
        return {name: value for name, value in vars(self).items() if name != "_autoreset_step"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the step anew."""
        vars(self).update(state)
        self._autoreset_step = autoreset_step(self.functional)

    @property
    def default_params(self) -> Any:
        """The time limit, for trainers that ask."""
        limit = self.functional.time_limit
        assert limit is not None
        return environment.EnvParams(max_steps_in_episode=limit)

    def reset(self, key: jax.Array, params: Any = None) -> tuple[Any, EnvState]:
        """Begin an episode; everything random in it and in later ones comes from the key."""
        es = begin(self.functional, key)
        return es.obs, es

    def step(self, key: jax.Array, state: EnvState, action: jax.Array, params: Any = None) -> Any:
        """One decision; a new episode where one has ended.

        Args:
          key: not used, the state has its own.
          state: from `reset` or `step`.
          action: `[action]` (1), clipped to the task's `action_low` and `action_high`.
          params: not read.

        Returns:
          What the interface of the class says.
        """
        es = self._autoreset_step(state, action)
        discount = jnp.where(es.info["terminated"], 0.0, jnp.ones_like(es.reward))
        return self._result(es, {**es.info, **es.metrics, "discount": discount})

    def _result(self, es: EnvState, info: dict[str, Any]) -> Any:
        """What a step returns."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Name of the task."""
        return type(self.functional).__name__

    @property
    def num_actions(self) -> int:
        """Length of the action."""
        return self.functional.action_size

    def action_space(self, params: Any = None) -> spaces.Box:
        """Bounds of the controls, infinite where there are none."""
        env = self.functional
        return spaces.Box(env.action_low, env.action_high, (env.action_size,))  # pyright: ignore[reportArgumentType]

    def observation_space(self, params: Any = None) -> spaces.Box:
        """Bounds of the observation, infinite where there are none."""
        env = self.functional
        return spaces.Box(env.observation_low, env.observation_high, (env.observation_size,))  # pyright: ignore[reportArgumentType]


class GymnaxEnv(_Task):
    """With the interface of gymnax 1.0: `(obs, state, reward, terminated, truncated, info)`."""

    def _result(self, es: EnvState, info: dict[str, Any]) -> Any:
        return es.obs, es, es.reward, info["terminated"], info["truncated"], info


class LegacyGymnaxEnv(_Task):
    """With the interface of gymnax 0.0: `(obs, state, reward, done, info)`."""

    def _result(self, es: EnvState, info: dict[str, Any]) -> Any:
        return es.obs, es, es.reward, es.done, info
