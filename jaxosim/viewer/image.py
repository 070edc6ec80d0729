"""Images of a scene, rendered off-screen by VTK; no display is needed.

Needs the extra `video`. On Linux, VTK renders through EGL or OSMesa: without a graphics card that
is Mesa's software renderer (`libegl1`, `libgl1` and `libegl-mesa0` on Debian).
"""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxosim.host.optional import require
from jaxosim.types import Model, Params, State
from jaxosim.viewer.glyphs import Glyphs, arrows, path_points, segments
from jaxosim.viewer.scene import Scene, build_scene
from jaxosim.viewer.scene_frame import SceneFrame
from jaxosim.viewer.shapes import Mesh, ellipsoid, unit_arrow, unit_cylinder

VIEWS = {
    "side": (0.0, 0.06, 1.0),
    "front": (1.0, 0.06, 0.0),
    "back": (-1.0, 0.06, 0.0),
    "left": (0.0, 0.06, -1.0),
    "top": (0.0, 1.0, 0.01),
    "oblique": (0.65, 0.25, 0.75),
}
VIDEO_SUFFIXES, IMAGE_SUFFIXES = (".mp4", ".gif"), (".png",)
_KEPT_RENDERERS = 3
_GROUND = (0.80, 0.82, 0.80)
_GROUND_REACH = (30, 6)  # m, along x and z
_DISTANCE = 2.2  # from the model, in sizes of the model
_VIEW_ANGLE = 30.0  # degrees


@dataclass(frozen=True)
class Camera:
    """A view direction named in `VIEWS`, a zoom, and whether the camera follows the model."""

    view: str = "side"
    zoom: float = 1.0
    follow: bool = True


class Renderer:
    """Renders frames of one scene, with one or more worlds side by side, in one window."""

    def __init__(
        self,
        scene: Scene,
        size: tuple[int, int] = (960, 720),
        camera: Camera | None = None,
        grid: tuple[int, int] = (1, 1),
    ):
        """A window of this size (width, height), cut into a grid of (rows, columns) worlds.

        Raises:
          MissingExtraError: PyVista is not installed.
        """
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", _window_class())
        pyvista = require("pyvista", "video")
        self.scene, self.camera, self.grid = scene, camera or Camera(), grid
        self._plotter = pyvista.Plotter(
            off_screen=True, window_size=list(size), shape=grid, border=False
        )
        self._worlds = []
        for row in range(grid[0]):
            for column in range(grid[1]):
                self._plotter.subplot(row, column)
                self._plotter.set_background("#f4f6f8")
                self._plotter.enable_anti_aliasing("ssaa")
                self._worlds.append(_World(pyvista, self._plotter, scene))

    def render(
        self, frames: Sequence[SceneFrame], targets: Sequence[np.ndarray | None] | None = None
    ) -> np.ndarray:
        """An image `[height, width, 3]`, uint8, of one frame for each place of the grid.

        Args:
          frames: of each world.
          targets: target velocity of each world, `[3]` (m/s), or None for none.
        """
        targets = targets if targets is not None else [None] * len(frames)
        places = [(row, column) for row in range(self.grid[0]) for column in range(self.grid[1])]
        shown = zip(frames, targets, strict=True)
        for (row, column), world, (frame, target) in zip(places, self._worlds, shown, strict=False):
            self._plotter.subplot(row, column)
            world.update(frame, target)
            self._look(frame)
        self._plotter.render()
        return np.asarray(self._plotter.screenshot(return_img=True))[..., :3]

    def _look(self, frame: SceneFrame) -> None:
        """Place the camera of the current subplot."""
        center = self.scene.center
        if self.camera.follow:
            center = center + self.scene.travel(frame)
        direction = np.array(VIEWS[self.camera.view])
        direction = direction / np.linalg.norm(direction)
        depth = float(np.abs(direction) @ self.scene.extent)
        distance = (_DISTANCE * self._needed_height(direction) + depth / 2) / self.camera.zoom
        camera = self._plotter.camera
        camera.view_angle = _VIEW_ANGLE
        camera.focal_point = center
        camera.position = center + direction * distance
        camera.up = (0.0, 1.0, 0.0) if self.camera.view != "top" else (1.0, 0.0, 0.0)
        camera.clipping_range = (0.05 * distance, 20 * distance)

    def _needed_height(self, direction: np.ndarray) -> float:
        """Height (m) of a view along the direction that shows all of the model, also its width."""
        width, height = self._plotter.window_size
        aspect = width * self.grid[0] / (height * self.grid[1])
        across = np.linalg.norm(self.scene.extent * np.sqrt(1 - direction**2) * [1.0, 0.0, 1.0])
        upright = max(self.scene.extent[1], 0.5 * self.scene.size)
        return float(max(upright, across / aspect))

    def close(self) -> None:
        """Close the window."""
        self._plotter.close()


class _World:
    """The actors of one place of the grid."""

    def __init__(self, pyvista: Any, plotter: Any, scene: Scene):
        self._scene = scene
        self._bones = []
        for shape in scene.shapes:
            data = pyvista.PolyData.from_regular_faces(shape.mesh.vertices, shape.mesh.faces)
            actor = plotter.add_mesh(
                data, color=shape.color, opacity=shape.opacity, smooth_shading=True,
                split_sharp_edges=True, specular=0.15, reset_camera=False,
            )  # fmt: skip
            self._bones.append((shape.body, actor))
        height = scene.ground_height
        self._ground = [] if height is None else _add_ground(pyvista, plotter, height)
        self._segments = _Instances(pyvista, plotter, unit_cylinder())
        self._joints = _Instances(pyvista, plotter, ellipsoid(np.zeros(3), np.ones(3)))
        self._arrows = _Instances(pyvista, plotter, unit_arrow())

    def update(self, frame: SceneFrame, target_velocity: np.ndarray | None) -> None:
        for body, actor in self._bones:
            if body >= 0:
                matrix = np.eye(4)
                matrix[:3, :3] = frame.body_rotation[body]
                matrix[:3, 3] = frame.body_position[body]
                actor.user_matrix = matrix
        for actor in self._ground:  # goes along in whole meters, so that its lines seem to rest
            actor.position = np.round(self._scene.travel(frame))
        self._segments.update(segments(self._scene, frame))
        points, radius, color = path_points(self._scene, frame)
        turned = np.broadcast_to(np.eye(3), (len(points), 3, 3))
        self._joints.update(Glyphs(turned, points, np.repeat(radius[:, None], 3, axis=1), color))
        self._arrows.update(arrows(self._scene, frame, target_velocity))


class _Instances:
    """Many copies of a unit shape as one mesh, whose points and colors are replaced."""

    def __init__(self, pyvista: Any, plotter: Any, unit: Mesh):
        self._pyvista, self._plotter, self._unit = pyvista, plotter, unit
        self._data: Any = None

    def update(self, glyphs: Glyphs) -> None:
        if not len(glyphs.position):
            return
        vertices = np.einsum(
            "rij,rvj->rvi", glyphs.rotation, self._unit.vertices * glyphs.scale[:, None]
        )
        vertices = (vertices + glyphs.position[:, None]).reshape(-1, 3)
        color = np.repeat(np.round(255 * glyphs.color), len(self._unit.vertices), axis=0)
        if self._data is None:
            first = np.arange(len(glyphs.position))[:, None, None] * len(self._unit.vertices)
            faces = (self._unit.faces + first).reshape(-1, 3)
            self._data = self._pyvista.PolyData.from_regular_faces(vertices, faces)
            self._data["color"] = color.astype(np.uint8)
            self._plotter.add_mesh(
                self._data, scalars="color", rgb=True, ambient=0.45, diffuse=0.6,
                reset_camera=False,
            )  # fmt: skip
        self._data.points = vertices
        self._data["color"] = color.astype(np.uint8)


def _add_ground(pyvista: Any, plotter: Any, height: float) -> list[Any]:
    """Actors of a floor with lines every meter, which make speed visible."""
    x, z = _GROUND_REACH
    corners = np.array([(-x, 0, -z), (x, 0, -z), (x, 0, z), (-x, 0, z)], float)
    floor = pyvista.PolyData.from_regular_faces(corners + [0, height, 0], np.array([[0, 1, 2, 3]]))
    above = height + 1e-3
    lines = []
    for at in range(-x, x + 1):
        lines += [(at, above, -z), (at, above, z)]
    for at in range(-z, z + 1):
        lines += [(-x, above, at), (x, above, at)]
    return [
        plotter.add_mesh(floor, color=_GROUND, lighting=False, reset_camera=False),
        plotter.add_lines(np.array(lines, float), color="#a8aca8", width=1),
    ]


def _window_class() -> str:
    """VTK's window class; without a display VTK would choose the same one, but with a warning."""
    has_display = os.name != "posix" or "DISPLAY" in os.environ or os.uname().sysname == "Darwin"
    return "" if has_display else "vtkEGLRenderWindow"


# Renderers are expensive to create, so the last ones are kept.
_RENDERERS: dict[tuple[Model, tuple[int, int], Camera], Renderer] = {}


def render_frame(
    model: Model,
    params: Params,
    state: State,
    size: tuple[int, int] = (960, 720),
    camera: Camera | None = None,
    target_velocity: np.ndarray | None = None,
) -> np.ndarray:
    """An image of one state of one world.

    Args:
      model: static structure; its renderer is kept for the next call.
      params: model parameters.
      state: one world.
      size: width and height in pixels.
      camera: the view; by default from the right, following the model.
      target_velocity: `[3]` (m/s) shown as an arrow over the model.

    Returns:
      `[height, width, 3]` of uint8.

    Raises:
      MissingExtraError: PyVista is not installed.
    """
    key = model, size, camera or Camera()
    if key not in _RENDERERS:
        while len(_RENDERERS) >= _KEPT_RENDERERS:
            _RENDERERS.pop(next(iter(_RENDERERS))).close()
        _RENDERERS[key] = Renderer(build_scene(model, params), size, camera)
    renderer = _RENDERERS[key]
    scene = dataclasses.replace(renderer.scene, params=params)
    return renderer.render([scene.frame(state)], [target_velocity])
