"""A scene as nodes of a viser server: what the web viewer and the offline page show.

All nodes are children of `/world`. To follow the model, that node moves against it, so that the
visitor's camera stays where the visitor put it. Needs the extra `view`.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxosim.host.optional import require
from jaxosim.viewer.glyphs import Glyphs, arrows, path_points, segments
from jaxosim.viewer.scene import Scene
from jaxosim.viewer.scene_frame import SceneFrame
from jaxosim.viewer.shapes import ellipsoid, unit_arrow, unit_cylinder

LOOPBACK = "127.0.0.1"
_OWN_PAGES = re.compile(r"http://(127\.0\.0\.1|localhost):\d+")
_DISTANCE = 1.5  # of the camera, in sizes of the model
_GROUND_SIZE = 60.0  # m
_UNITS = {
    "muscles": unit_cylinder(8),
    "muscle_points": ellipsoid(np.zeros(3), np.ones(3)),
    "forces": unit_arrow(),
}


def open_server(port: int) -> Any:
    """A viser server that only this machine and its own page can reach, without a share button.

    Raises:
      MissingExtraError: viser is not installed.
    """
    viser = require("viser", "view")
    with _refusing_foreign_pages():
        server = viser.ViserServer(host=LOOPBACK, port=port, verbose=False)
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    return server


@contextlib.contextmanager
def _refusing_foreign_pages() -> Iterator[None]:
    """Websocket servers that are opened within answer pages of this machine only.

    A browser lets any site connect to loopback and says in `Origin` which one it is. The library
    below viser checks that when asked to, but viser has no option for it. Programs send no origin.
    """
    module: Any = require("websockets.asyncio.server", "view")
    plain = module.serve
    module.serve = functools.partial(plain, origins=[None, _OWN_PAGES])
    try:
        yield
    finally:
        module.serve = plain


class ViserScene:
    """The nodes of a scene on a server, moved by `show`."""

    def __init__(self, server: Any, scene: Scene):
        """Adds the nodes of the scene; `show` poses them."""
        self.scene, self._server = scene, server
        self._rotations = require("viser.transforms", "view").SO3
        api = server.scene
        api.set_up_direction("+y")
        self._world = api.add_frame("/world", show_axes=False)
        self._bodies = []
        for index, name in enumerate(scene.model.body_names):
            self._bodies.append(api.add_frame(f"/world/{index}_{_node(name)}", show_axes=False))
        for number, shape in enumerate(scene.shapes):
            home = "/world" if shape.body < 0 else self._bodies[shape.body].name
            api.add_mesh_simple(
                f"{home}/{number}_{_node(shape.name)}",
                shape.mesh.vertices.astype(np.float32),
                shape.mesh.faces.astype(np.uint32),
                color=shape.color,
                opacity=shape.opacity if shape.opacity < 1 else None,
            )
        if scene.ground_height is not None:
            api.add_grid(
                "/world/ground",
                width=_GROUND_SIZE,
                height=_GROUND_SIZE,
                plane="xz",
                cell_size=0.5,
                section_size=1.0,
                position=(0.0, scene.ground_height, 0.0),
            )
        self._glyphs: dict[str, Any] = {}
        self._look()

    def show(
        self, frame: SceneFrame, follow: bool, target_velocity: np.ndarray | None = None
    ) -> None:
        """Move every node to its place in a frame."""
        with self._server.atomic():
            self._world.position = -self.scene.travel(frame) if follow else np.zeros(3)
            turns = self._quaternions(frame.body_rotation)
            for node, turn, place in zip(
                self._bodies, turns, np.asarray(frame.body_position), strict=True
            ):
                node.wxyz, node.position = turn, place
            points, radius, color = path_points(self.scene, frame)
            upright = np.tile([1.0, 0.0, 0.0, 0.0], (len(points), 1))
            scale = np.repeat(radius[:, None], 3, axis=1)
            self._place_glyphs("muscles", segments(self.scene, frame))
            self._place("muscle_points", points, upright, scale, color)
            self._place_glyphs("forces", arrows(self.scene, frame, target_velocity))

    def _place_glyphs(self, name: str, glyphs: Glyphs) -> None:
        if len(glyphs.position):
            turns = self._quaternions(glyphs.rotation)
            self._place(name, glyphs.position, turns, glyphs.scale, glyphs.color)

    def _place(
        self,
        name: str,
        position: np.ndarray,
        turn: np.ndarray,
        scale: np.ndarray,
        color: np.ndarray,
    ) -> None:
        """Move, turn, scale and color the instances of a unit shape."""
        if not len(position):
            return
        arrays = {
            "batched_positions": position.astype(np.float32),
            "batched_wxyzs": turn.astype(np.float32),
            "batched_scales": np.maximum(scale, 1e-6).astype(np.float32),
            "batched_colors": np.round(255 * color).astype(np.uint8),
        }
        if name not in self._glyphs:
            unit = _UNITS[name]
            self._glyphs[name] = self._server.scene.add_batched_meshes_simple(
                f"/world/{name}",
                unit.vertices.astype(np.float32),
                unit.faces.astype(np.uint32),
                lod="off",
                **arrays,
            )
            return
        for key, values in arrays.items():
            setattr(self._glyphs[name], key, values)

    def _quaternions(self, rotations: Any) -> np.ndarray:
        return self._rotations.from_matrix(np.asarray(rotations, float)).wxyz

    def _look(self) -> None:
        """Where a visitor's camera starts: from the right, a little in front."""
        center, camera = self.scene.center, self._server.initial_camera
        camera.up = (0.0, 1.0, 0.0)
        camera.look_at = tuple(center)
        camera.position = tuple(center + _DISTANCE * self.scene.size * np.array([0.35, 0.12, 0.93]))


def _node(name: str) -> str:
    """A name from a file as part of a node's path."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
