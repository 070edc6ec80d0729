"""Angles whose rates are no speeds, in equations: those of Ball and Free joints.

With the axes a_i of three successive rotations as they stand in the joint's frame F, the angular
velocity u = Σ a_i q_dot_i is what such a joint has for speeds, and q_dot = N u. An equation that
depends on q_dot therefore depends on all three speeds, and q_ddot = N u_dot + N_dot u.

Source: Simbody `MobilizedBody::Ball`; see docs/theory/constraints.md, "Angles whose rates are no
speeds".
"""

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.linalg import cross, matvec
from jaxosim.constraints.constraint import CoordinateRows
from jaxosim.dynamics.joints import JointInfo
from jaxosim.joints.joint import ROTATIONS
from jaxosim.types import Model


def angles_by_spin(model: Model) -> np.ndarray:
    """The coordinates that are such angles, those of a joint in turn."""
    joints = model.tree.joint[model.tree.angular_velocity]
    return np.array([model.joint_coordinates[j][:ROTATIONS] for j in joints], int).reshape(-1)


def by_speeds(model: Model, joints: JointInfo, rows: CoordinateRows) -> CoordinateRows:
    """Entries by rates of coordinates as entries by speeds: three for each such angle."""
    angles = angles_by_spin(model)
    spun = np.flatnonzero(np.isin(rows.coordinate, angles))
    if not len(spun):
        return rows
    place = np.array([int(np.flatnonzero(angles == c)[0]) for c in rows.coordinate[spun]])
    mobod = np.flatnonzero(model.tree.angular_velocity)[place // ROTATIONS]
    slopes = take(joints.q_dot_map.reshape(-1, ROTATIONS), mobod * ROTATIONS + place % ROTATIONS)
    values = take(rows.value, spun)[:, None] * slopes
    others = np.setdiff1d(np.arange(len(rows.coordinate)), spun)
    speeds = angles.reshape(-1, ROTATIONS)[place // ROTATIONS].reshape(-1)
    return CoordinateRows(
        np.concatenate([rows.equation[others], np.repeat(rows.equation[spun], ROTATIONS)]),
        np.concatenate([rows.coordinate[others], speeds]),
        concatenate([take(rows.value, others), values.reshape(-1)]),
    )


def angle_bias(model: Model, joints: JointInfo, u: jax.Array) -> jax.Array:
    """N_dot u of these angles, `[angle]` (rad/s²) in the order of `angles_by_spin`.

    Args:
      model: static structure.
      joints: position stage.
      u: `[coordinate]` (rad/s | m/s) speeds.
    """
    angles = angles_by_spin(model)
    mobod = np.flatnonzero(model.tree.angular_velocity)
    N = take(joints.q_dot_map, mobod)
    rate = matvec(N, take(u, angles).reshape(-1, ROTATIONS))
    axes = take(joints.axis_direction, mobod)[:, :ROTATIONS]
    turned = axes * rate[..., None]
    first, second = turned[:, 0], turned[:, 1]
    lost = cross(first, second) + cross(first + second, turned[:, 2])
    return -matvec(N, lost).reshape(-1)
