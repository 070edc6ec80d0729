"""Muscles and arrows as instances of one unit shape, which a renderer only rotates and scales."""

from dataclasses import dataclass

import numpy as np

from jaxosim.viewer.scene import Scene
from jaxosim.viewer.scene_frame import SceneFrame

INACTIVE, ACTIVE = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
FORCE_COLOR, TARGET_COLOR = (0.1, 0.65, 0.2), (0.95, 0.6, 0.1)
METERS_PER_NEWTON = 0.0006  # a foot that carries a person gets an arrow of 0.4 m
METERS_PER_SPEED = 0.4  # of the arrow of the target velocity, per m/s
_SMALLEST_FORCE = 1.0  # N, below which no arrow is drawn
_ARROW_RADIUS = 0.012  # m
_TARGET_HEIGHT = 0.53  # of that arrow over the model's middle, in heights of the model


@dataclass(frozen=True, eq=False)
class Glyphs:
    """Instances of a unit shape along z: turned, moved, scaled, colored."""

    rotation: np.ndarray  # [glyph, 3, 3]
    position: np.ndarray  # [glyph, 3] (m)
    scale: np.ndarray  # [glyph, 3] (m)
    color: np.ndarray  # [glyph, 3] in [0, 1]


def activation_colors(activation: np.ndarray) -> np.ndarray:
    """Colors `[muscle, 3]`: blue at rest, red at full activation, as in OpenSim."""
    share = np.clip(np.nan_to_num(np.asarray(activation, float)), 0, 1)[..., None]
    return (1 - share) * INACTIVE + share * ACTIVE


def segments(scene: Scene, frame: SceneFrame) -> Glyphs:
    """Muscles as unit cylinders, one per slot of the path; those of no length have scale zero."""
    start, end = (np.asarray(frame.path[:, part], float) for part in (slice(0, -1), slice(1, None)))
    count = start.shape[1]
    start, end = start.reshape(-1, 3), end.reshape(-1, 3)
    radius = np.repeat(scene.muscle_radius, count)
    color = np.repeat(activation_colors(np.asarray(frame.activation)), count, axis=0)
    return _glyphs((start + end) / 2, end - start, radius, color)


def path_points(scene: Scene, frame: SceneFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points `[point, 3]` at which muscles bend, with radius and color: they close the gaps."""
    count = frame.path.shape[1]
    color = np.repeat(activation_colors(np.asarray(frame.activation)), count, axis=0)
    points = np.asarray(frame.path, float).reshape(-1, 3)
    return points, np.repeat(scene.muscle_radius, count), color


def arrows(scene: Scene, frame: SceneFrame, target_velocity: np.ndarray | None = None) -> Glyphs:
    """Contact forces on the bodies, and the target velocity over the model, as unit arrows.

    Args:
      scene: what is drawn.
      frame: where everything is.
      target_velocity: `[3]` (m/s), or None for none.
    """
    force = np.asarray(frame.contact_force, float)
    force = np.where(np.linalg.norm(force, axis=1, keepdims=True) < _SMALLEST_FORCE, 0, force)
    start = np.asarray(frame.contact_position, float)
    length = force * METERS_PER_NEWTON
    color = np.tile(FORCE_COLOR, (len(start), 1))
    velocity = np.zeros(3) if target_velocity is None else np.asarray(target_velocity, float)
    root = np.asarray(frame.body_position[0], float) if len(frame.body_position) else np.zeros(3)
    over = scene.center[1] - scene.home[1] + _TARGET_HEIGHT * scene.extent[1]
    start = np.concatenate([start, [root + [0, over, 0]]])
    length = np.concatenate([length, [velocity * METERS_PER_SPEED]])
    color = np.concatenate([color, [TARGET_COLOR]])
    return _glyphs(start, length, np.full(len(start), _ARROW_RADIUS), color)


def _glyphs(
    position: np.ndarray, along: np.ndarray, radius: np.ndarray, color: np.ndarray
) -> Glyphs:
    length = np.linalg.norm(along, axis=1)
    thickness = np.where(length > 1e-6, radius, 0.0)
    return Glyphs(
        rotation=_axes(along, length),
        position=position,
        scale=np.stack([thickness, thickness, length], axis=1),
        color=color,
    )


def _axes(along: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Rotations `[glyph, 3, 3]` whose third columns point along; any where the length is zero."""
    up = np.array([0.0, 0.0, 1.0])
    z = np.where(length[:, None] > 1e-6, along / np.maximum(length, 1e-6)[:, None], up)
    helper = np.where(np.abs(z[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    x = np.cross(helper, z)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=2)
