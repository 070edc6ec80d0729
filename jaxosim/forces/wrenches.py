"""Forces and torques on bodies: directions and points fixed on frames, and the wrenches they make.

Source: OpenSim `ForceConsumer`; see docs/theory/actuators.md, "Forces on bodies".
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.linalg import cross, matvec
from jaxosim.arrays.spatial import body_xyz_rotation, spatial
from jaxosim.forces.force import BodyFrames, Kinematics
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import Vec3


def read_direction(context: Context, element: Element, tag: str, default: Vec3) -> Vec3:
    """A property of three numbers whose length is of no account.

    Raises:
      OsimFormatError: it is zero, for which OpenSim's forces are NaN.
    """
    direction = context.vector(element, tag, default)
    if not any(direction):
        raise element.error(f"expected a {tag} other than zero")
    return direction


def carried_directions(
    frames: BodyFrames, body: np.ndarray, orientation: jax.Array, direction: jax.Array
) -> jax.Array:
    """Directions `[n, 3]` in frames on bodies, in the frames of the bodies that carry these.

    Args:
      frames: of the bodies.
      body: `[n]` body of each frame, −1 for ground.
      orientation: `[n, 3]` (rad) body-fixed XYZ angles of the frame in the body.
      direction: `[n, 3]` in the frame.
    """
    return matvec(frames.rotation[body], matvec(body_xyz_rotation(orientation), direction))


def directions(kinematics: Kinematics, mobod: np.ndarray, direction: jax.Array) -> jax.Array:
    """Directions `[n, 3]` in the frames of mobilized bodies (−1: of ground), in ground."""
    return matvec(take(kinematics.pose, mobod)[..., :3], direction)


def points(kinematics: Kinematics, mobod: np.ndarray, location: jax.Array) -> jax.Array:
    """Points `[n, 3]` (m) of mobilized bodies (−1: of ground), from the common point in ground."""
    pose = take(kinematics.pose, mobod)
    return matvec(pose[..., :3], location) + pose[..., 3]


def torque_wrenches(torque: jax.Array) -> jax.Array:
    """Wrenches `[…, 6]` of torques `[…, 3]` (N·m)."""
    return spatial(torque, jnp.zeros_like(torque))


def force_wrenches(point: jax.Array, force: jax.Array) -> jax.Array:
    """Wrenches `[…, 6]`, about the common point, of forces `[…, 3]` (N) at points `[…, 3]` (m)."""
    return spatial(cross(point, force), force)


def on_bodies(wrench: jax.Array, mobod: np.ndarray, kinematics: Kinematics) -> jax.Array:
    """Wrenches `[n, 6]` on mobilized bodies, summed: `[mobod, 6]`; those on ground do nothing."""
    count = len(kinematics.pose) - 1
    return segment_sum(wrench, np.where(mobod < 0, count, mobod), count)
