"""`jaxosim view`: a page on loopback that plays a motion, or poses or drives a model.

Needs the extra `view`. What the page can do is what stands here: it reads no file, and the names it
shows are text.
"""

import dataclasses
import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.host.optional import require
from jaxosim.simulation import equilibrate_muscles, step
from jaxosim.types import State
from jaxosim.viewer.motion import Motion
from jaxosim.viewer.scene import build_scene
from jaxosim.viewer.viser_scene import LOOPBACK, ViserScene, open_server

RATE = 30.0  # images per second
_STEP = 0.01  # s of a control step
_PLOT_POINTS = 600
_FREE_RANGE = 3.2  # rad | m, for coordinates whose file gives no useful range
_QUANTITIES = ("coordinate", "activation", "fiber length")


class WebViewer:
    """The page and its controls; `tick` moves it on, `serve` ticks for ever."""

    def __init__(self, motion: Motion, port: int = 8080, geometry: str | None = None):
        """Opens the page.

        Args:
          motion: what to play; a motion of one instant can be posed and driven instead.
          port: of the page; the next free one if it is taken.
          geometry: folder of bone meshes.

        Raises:
          MissingExtraError: viser is not installed.
        """
        self.motion = motion
        self._server = open_server(port)
        self._uplot = require("viser", "view").uplot
        self._viser_scene = ViserScene(
            self._server, build_scene(motion.model, motion.params, geometry)
        )
        self.url = f"http://{LOOPBACK}:{self._server.get_port()}"
        self.moment = float(motion.time[0])
        self.state = self._recorded()
        self._dirty, self._last_tick, self._updating = True, time.monotonic(), False
        self.is_still = len(motion.time) == 1
        gui = self._server.gui
        gui.add_markdown(f"**{_plain(motion.name)}**: {_plain(motion.model.name)}")
        self.follow = gui.add_checkbox("follow", True)
        self.follow.on_update(self._changed)
        if self.is_still:
            self._add_pose(gui)
        else:
            self._add_playback(gui)
        self._add_plot(gui)

    # ---------------------------------------------------------------------- controls

    def _add_playback(self, gui: Any) -> None:
        first, last = float(self.motion.time[0]), float(self.motion.time[-1])
        self.playing = gui.add_checkbox("play", True)
        self.speed = gui.add_slider("speed", 0.1, 4.0, 0.1, 1.0)
        self.time = gui.add_slider("time (s)", first, max(last, first + 1e-3), 1e-3, first)
        self.time.on_update(self._scrubbed)
        worlds = tuple(str(number) for number in range(self.motion.world_count))
        self.world = gui.add_dropdown("world", worlds, initial_value="0", visible=len(worlds) > 1)
        self.world.on_update(self._changed)

    def _add_pose(self, gui: Any) -> None:
        model, params = self.motion.model, self.motion.params
        self.simulating = gui.add_checkbox("simulate", False)
        gui.add_button("reset").on_click(self._reset)
        self.coordinates, self.controls = {}, {}
        with gui.add_folder("coordinates", expand_by_default=True):
            for index, name in enumerate(model.coordinate_names):
                if model.locked[index]:
                    continue
                low, high = (float(x) for x in np.asarray(params.coordinates.range[index]))
                value = float(self.state.q[index])
                low, high = max(low, -_FREE_RANGE, -1e3), min(high, _FREE_RANGE)
                low, high = min(low, value), max(high, value, low + 1e-3)
                slider = gui.add_slider(_plain(name), low, high, 1e-3, value)
                slider.on_update(functools.partial(self._posed, index))
                self.coordinates[index] = slider
        with gui.add_folder("controls", expand_by_default=False):
            for index, name in enumerate(model.control_names):
                low, high = max(model.min_control[index], -1.0), min(model.max_control[index], 1.0)
                value = min(max(0.05 if index in model.muscle_control else 0.0, low), high)
                self.controls[index] = gui.add_slider(_plain(name), low, high, 0.01, value)
        self._step = jax.jit(functools.partial(step, model))
        self._equilibrate = jax.jit(functools.partial(equilibrate_muscles, model))

    def _add_plot(self, gui: Any) -> None:
        model = self.motion.model
        self._traces: list[tuple[float, State]] = []
        with gui.add_folder("plot", expand_by_default=True):
            self.quantity = gui.add_dropdown("what", _QUANTITIES, initial_value=_QUANTITIES[0])
            names = tuple(map(_plain, model.coordinate_names)) or ("-",)
            self.selected = gui.add_dropdown("of", names, initial_value=names[0])
            times, values = self._series()
            self._plot = gui.add_uplot(
                (times, values),
                (
                    self._uplot.Series(label="s"),
                    self._uplot.Series(label="value", stroke="#1f4fd8"),
                ),
                scales={"x": self._uplot.Scale(time=False, auto=True)},
                aspect=1.4,
            )
        self.quantity.on_update(self._requantified)
        self.selected.on_update(lambda _: self._replot())

    # ----------------------------------------------------------------------- reactions

    def _changed(self, _: Any) -> None:
        self._dirty = True

    def _scrubbed(self, _: Any) -> None:
        if not self._updating:
            self.moment, self._dirty = float(self.time.value), True

    def _posed(self, index: int, _: Any) -> None:
        if not self._updating and not self.simulating.value:
            q = jnp.asarray(self.state.q).at[index].set(self.coordinates[index].value)
            self.state = dataclasses.replace(self.state, q=q, u=jnp.zeros_like(q))
            self._dirty = True

    def _reset(self, _: Any) -> None:
        self.simulating.value = False
        self.state, self._dirty = self._recorded(), True
        self._traces.clear()
        self._move_sliders()

    def _requantified(self, _: Any) -> None:
        model = self.motion.model
        of_coordinates = self.quantity.value == _QUANTITIES[0]
        names = model.coordinate_names if of_coordinates else model.muscle_names
        self.selected.options = tuple(map(_plain, names)) or ("-",)
        self._replot()

    # -------------------------------------------------------------------------- motion

    def tick(self) -> None:
        """Move on by the time that has passed and show what has changed."""
        now = time.monotonic()
        passed, self._last_tick = min(now - self._last_tick, 0.1), now
        if self.is_still:
            self._simulate(passed)
        elif self.playing.value:
            first, last = float(self.motion.time[0]), float(self.motion.time[-1])
            self.moment += passed * self.speed.value
            self.moment = first if self.moment > last else self.moment
            self._updating = True
            self.time.value = round(self.moment, 3)
            self._updating = False
            self._dirty = True
        if self._dirty:
            self._dirty = False
            if not self.is_still:
                self.state = self._recorded()
            self._viser_scene.show(
                self._viser_scene.scene.frame(self.state), self.follow.value, self._target()
            )

    def serve(self) -> None:
        """Tick until interrupted."""
        while True:
            start = time.monotonic()
            self.tick()
            time.sleep(max(0.0, 1 / RATE - (time.monotonic() - start)))

    def close(self) -> None:
        """Close the page."""
        self._server.stop()

    def _simulate(self, passed: float) -> None:
        """Drive the model by the control sliders, in real time if the machine can."""
        if not self.simulating.value:
            return
        dtype = self.motion.params.gravity.dtype
        levels = [slider.value for slider in self.controls.values()]
        controls = jnp.asarray(np.array(levels), dtype)
        state = self._typed(self.state)
        if not self._traces:
            state = self._equilibrate(self.motion.params, state)
        for _ in range(max(1, round(passed / _STEP))):
            state = self._step(self.motion.params, state, controls)
        self.state, self._dirty = state, True
        self._traces.append((float(state.time), jax.device_get(state)))
        del self._traces[:-_PLOT_POINTS]
        self._move_sliders()
        self._replot()

    def _typed(self, state: State) -> State:
        dtype = self.motion.params.gravity.dtype
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), state)

    def _move_sliders(self) -> None:
        self._updating = True
        for index, slider in self.coordinates.items():
            value = float(np.nan_to_num(self.state.q[index]))
            slider.value = round(float(np.clip(value, slider.min, slider.max)), 3)
        self._updating = False

    def _place(self) -> tuple[int, int]:
        """The chosen world, and the sample of the motion nearest to the moment."""
        world = int(self.world.value) if hasattr(self, "world") else 0
        return world, int(np.argmin(np.abs(self.motion.time - self.moment)))

    def _recorded(self) -> State:
        world, nearest = self._place()
        return jax.tree.map(lambda leaf: leaf[nearest], self.motion.world(world))

    def _target(self) -> np.ndarray | None:
        world, nearest = self._place()
        target = self.motion.target(world)
        return None if target is None else target[nearest]

    def _series(self) -> tuple[np.ndarray, np.ndarray]:
        """Time and values of what is selected for the plot."""
        model = self.motion.model
        field, names = {
            "coordinate": ("q", model.coordinate_names),
            "activation": ("activation", model.muscle_names),
            "fiber length": ("fiber_length", model.muscle_names),
        }[self.quantity.value]
        plain = [_plain(name) for name in names]
        index = plain.index(self.selected.value) if self.selected.value in plain else 0
        if not plain:
            return np.zeros(1), np.zeros(1)
        if self.is_still:
            rows = self._traces or [(0.0, self.state)]
            times = np.array([moment for moment, _ in rows])
            return times, np.array([float(getattr(state, field)[index]) for _, state in rows])
        world = self.motion.world(int(self.world.value))
        return self.motion.time, np.asarray(getattr(world, field), float)[:, index]

    def _replot(self) -> None:
        self._plot.data = self._series()


def _plain(name: str) -> str:
    """A name from a file, as text that means nothing else on a page."""
    return "".join(x if x.isalnum() or x in "-_. /()" else "?" for x in name)[:80]
