"""A viewer that follows a program's own simulation, at a price the program does not feel.

`show` only keeps the state: a thread of the viewer's takes the newest one, at most thirty times per
second, works out what is seen and sends it. Needs the extra `view`.
"""

import threading
import time
from typing import Any

import jax

from jaxosim.types import Model, Params, State
from jaxosim.viewer.scene import build_scene
from jaxosim.viewer.viser_scene import LOOPBACK, ViserScene, open_server


class LiveViewer:
    """A page on loopback that shows the newest state given to `show`."""

    def __init__(
        self,
        model: Model,
        params: Params,
        port: int = 8080,
        rate: float = 30.0,
        geometry: str | None = None,
    ):
        """Opens the page and prints its address; the next free port is taken if this one is not.

        Args:
          model: static structure.
          params: model parameters.
          port: of the page.
          rate: (1/s) images per second at most.
          geometry: folder of bone meshes.

        Raises:
          MissingExtraError: viser is not installed.
        """
        self._server = open_server(port)
        self._viser_scene = ViserScene(self._server, build_scene(model, params, geometry))
        self._pause = 1.0 / rate
        self._newest: tuple[State, int | None, Any] | None = None
        self._news, self._closed = threading.Event(), threading.Event()
        self.shown_count = 0
        self.url = f"http://{LOOPBACK}:{self._server.get_port()}"
        self._follow = self._server.gui.add_checkbox("follow", True)
        self._thread = threading.Thread(target=self._run, name="jaxosim viewer", daemon=True)
        self._thread.start()
        print(f"jaxosim viewer: {self.url} (this machine only)", flush=True)

    def show(self, state: State, world: int | None = None, target_velocity: Any = None) -> None:
        """Show a state soon; returns at once.

        Args:
          state: of one world, or of many, fields `[world, ...]`.
          world: which of many.
          target_velocity: `[3]` (m/s), drawn as an arrow over the model; or a function without
            arguments that gives it or None, called only when an image is made.
        """
        self._newest = (state, world, target_velocity)
        self._news.set()

    def wait_for_visitor(self, seconds: float) -> bool:
        """Wait until somebody has opened the page; False if nobody has in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._server.get_clients():
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """Close the page."""
        self._closed.set()
        self._news.set()
        self._thread.join(timeout=5)
        self._server.stop()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._news.wait()
            self._news.clear()
            newest = self._newest
            if newest is None or self._closed.is_set():
                continue
            state, world, target = newest
            if not self._server.get_clients():  # nobody looks: nothing to work out
                self._closed.wait(self._pause)
                self._news.set()
                continue
            one = state if world is None else _world_of(state, world)
            target = target() if callable(target) else target
            self._viser_scene.show(self._viser_scene.scene.frame(one), self._follow.value, target)
            self.shown_count += 1
            self._closed.wait(self._pause)


@jax.jit
def _world_of(states: State, world: int) -> State:
    """One world of a batch, in one call to the device: the program's own steps wait for it."""
    return jax.tree.map(lambda leaf: leaf[world], states)
