"""One world of a task as a `gymnasium.Env`."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.gym_api.gymnasium.spaces import (
    action_space,
    checked_action,
    observation_space,
    within,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Compiled:
    """A task and its two functions, compiled when first called."""

    env: Env
    reset: Callable[[jax.Array], EnvState]
    step: Callable[[EnvState, Any], EnvState]


def _compile(name: str, options: tuple[tuple[str, Any], ...]) -> Compiled:
    env = make(name, **dict(options))
    return Compiled(env, jax.jit(env.reset), jax.jit(env.step))


_compile_once = functools.cache(_compile)


def compiled(name: str, options: dict[str, Any]) -> Compiled:
    """The functions of a task, shared by all that ask for the same options."""
    items = tuple(sorted(options.items()))
    try:
        hash(items)
    except TypeError:  # an option such as `params` holds arrays
        return _compile(name, items)
    return _compile_once(name, items)


class GymnasiumEnv(gymnasium.Env):
    """One world; `info` holds the reward's terms by name."""

    metadata = {"render_modes": []}

    def __init__(self, name: str, render_mode: str | None = None, **options: Any) -> None:
        """Read the model; programs are compiled at the first reset and step.

        Args:
          name: of the task, see `jaxosim.make`.
          render_mode: None; there is no other yet.
          **options: keywords of `jaxosim.make`.

        Raises:
          ValueError: an option has an unknown value.
          TypeError: the task has no such option.
        """
        if render_mode is not None:
            raise ValueError(f"render_mode: expected None, got {render_mode!r}")
        self.render_mode = render_mode
        self.functional = compiled(name, options)
        self.observation_space = self._bounds = observation_space(self.functional.env)
        self.action_space = action_space(self.functional.env)
        self.state: EnvState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode.

        Args:
          seed: of this and all later episodes.
          options: none are known.
        """
        super().reset(seed=seed)
        key = jax.random.key(int(self.np_random.integers(2**31)))
        self.state = self.functional.reset(key)
        return within(self.state.obs, self._bounds), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One decision of the agent.

        Raises:
          RuntimeError: before the first reset.
          ValueError: NaN in the action, or a wrong length.
        """
        if self.state is None:
            raise RuntimeError("there is no world yet: call reset() first")
        action = checked_action(action, (self.functional.env.action_size,))
        self.state = es = self.functional.step(self.state, action)
        ended, truncated = bool(es.info["terminated"]), bool(es.info["truncated"])
        info = {term: float(value) for term, value in es.metrics.items()}
        return within(es.obs, self._bounds), float(es.reward), ended, truncated, info
