"""One world of a task as a `gymnasium.Env`."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.adapters.gymnasium.spaces import (
    action_space,
    checked_action,
    observation_space,
    within,
)
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.host.compilation_cache import use_compilation_cache
from jaxosim.host.forks import check_process
from jaxosim.viewer.window import Window, check_renderer, open_window, render_world, show_in

PICTURE_SIZE = (640, 480)


@dataclasses.dataclass(frozen=True, eq=False)
class Compiled:
    """A task and its two functions, compiled when first called; and what was asked for."""

    env: Env
    reset: Callable[[jax.Array], EnvState]
    step: Callable[[EnvState, Any], EnvState]
    request: tuple[str | Env, dict[str, Any]]

    def __reduce__(self) -> Any:
        """Pickled as the arguments of `compiled`, with which another process makes them anew."""
        return compiled, self.request


def _compile(name: str | Env, options: tuple[tuple[str, Any], ...], dtype: Any) -> Compiled:
    """A task whose numbers have a dtype, the one that is now JAX's default."""
    env = make(name, **dict(options))
    return Compiled(env, jax.jit(env.reset), jax.jit(env.step), (name, dict(options)))


_compile_once = functools.cache(_compile)


def compiled(name: str | Env, options: dict[str, Any]) -> Compiled:
    """The functions of a task, shared by all that ask for the same options in one mode of x64."""
    use_compilation_cache()
    items, dtype = tuple(sorted(options.items())), jnp.result_type(float)
    try:
        hash(items)
    except TypeError:  # an option such as `params` holds arrays
        return _compile(name, items, dtype)
    return _compile_once(name, items, dtype)


def checked_render_mode(mode: str | None, known: list[str]) -> str | None:
    """The render mode, after a look whether it can be served.

    Raises:
      ValueError: it is none of the known ones.
      ImportError: what draws is not installed; the message says what brings it.
    """
    if mode is not None and mode not in known:
        raise ValueError(f"render_mode: expected None or one of {known}, got {mode!r}")
    if mode == "rgb_array":
        check_renderer()
    return mode


def decisions_per_second(env: Env) -> float:
    """At which a film of one picture per decision shows real time (1/s)."""
    return 1.0 / (env.options.step_size * env.action_repeat)


class GymnasiumEnv(gymnasium.Env):
    """One world; `info` holds the reward's terms by name, that of `reset` `has_equilibrium`."""

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 100.0}

    def __init__(
        self,
        name: str | Env,
        render_mode: str | None = None,
        render_size: tuple[int, int] = PICTURE_SIZE,
        **options: Any,
    ) -> None:
        """Read the model; programs are compiled at the first reset and step.

        Args:
          name: of the task, or the task itself; see `jaxosim.make`.
          render_mode: "human" for a page in the browser that follows (extra `view`), "rgb_array"
            for pictures (extra `video`), or None.
          render_size: width and height of a picture in pixels.
          **options: keywords of `jaxosim.make`.

        Raises:
          ValueError: an option has an unknown value.
          TypeError: the task has no such option.
          ImportError: the extra that `render_mode` needs is not installed.
        """
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self.functional = compiled(name, options)
        self._window: Window | None = None
        if render_mode == "human":
            self._window = open_window(self.functional.env)
        self._picture_size = render_size
        rate = decisions_per_second(self.functional.env)
        self.metadata = {**self.metadata, "render_fps": rate}
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

        Returns:
          The observation, and `has_equilibrium`: `[muscle]` bool, of which muscles fiber and tendon
          balance. The forces of the others mean nothing.
        """
        check_process()
        super().reset(seed=seed)
        key = jax.random.key(int(self.np_random.integers(2**31)))
        self.state = self.functional.reset(key)
        self._show(self.state)
        info = {"has_equilibrium": np.asarray(self.state.info["has_equilibrium"])}
        return within(self.state.obs, self._bounds), info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One decision of the agent.

        Raises:
          RuntimeError: before the first reset.
          ValueError: NaN in the action, or a wrong length.
        """
        if self.state is None:
            raise RuntimeError("there is no world yet: call reset() first")
        check_process()
        action = checked_action(action, (self.functional.env.action_size,))
        self.state = es = self.functional.step(self.state, action)
        self._show(es)
        ended, truncated = bool(es.info["terminated"]), bool(es.info["truncated"])
        info = {term: float(value) for term, value in es.metrics.items()}
        return within(es.obs, self._bounds), float(es.reward), ended, truncated, info

    def render(self) -> np.ndarray | None:
        """A picture `[height, width, 3]` of uint8 in the mode "rgb_array"; else None.

        In the mode "human" the page follows `reset` and `step` by itself.

        Raises:
          RuntimeError: before the first reset.
        """
        if self.render_mode != "rgb_array":
            return None
        if self.state is None:
            raise RuntimeError("there is no world yet: call reset() first")
        return render_world(self.functional.env, self.state, self._picture_size)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: all but the page, which stays with the original."""
        return {**vars(self), "_window": None}

    def close(self) -> None:
        """Close the page, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self, es: EnvState) -> None:
        if self._window is not None:
            show_in(self._window, self.functional.env, es)
