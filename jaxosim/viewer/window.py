"""Window and image of an environment; the extras are imported when they are first used."""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import jax
import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.host.optional import require


class Window(Protocol):
    """What shows the newest state."""

    def show(self, state: Any, world: int | None = None, target_velocity: Any = None) -> None:
        """Show a state soon."""

    def close(self) -> None:
        """Close the window."""


def open_window(env: Env) -> Window:
    """A page in the browser that follows the states it is shown.

    Raises:
      ImportError: the viewer's library is not installed; the message says what brings it.
    """
    return import_module("jaxosim.viewer.live").LiveViewer(env.model, env.params)


def show_in(window: Window, env: Env, es: EnvState) -> None:
    """Let a window follow a world, the target velocity with it; returns at once."""
    window.show(es.state, target_velocity=functools.partial(_target_velocity(env), es))


@functools.cache
def _target_velocity(env: Env) -> Callable[[EnvState], Any]:
    """The task's target velocity, compiled: an image may take a thirtieth of a second."""
    return jax.jit(env.target_velocity)


def check_renderer() -> None:
    """Check that images can be rendered, before an episode begins.

    Raises:
      ImportError: PyVista is not installed; the message says what brings it.
    """
    require("pyvista", "video")


def render_world(env: Env, es: EnvState, size: tuple[int, int]) -> np.ndarray:
    """An image of one world from the right, `[height, width, 3]` of uint8."""
    params = env.params if es.params is None else es.params
    return import_module("jaxosim.viewer.image").render_frame(
        env.model, params, es.state, size, target_velocity=_target_velocity(env)(es)
    )
