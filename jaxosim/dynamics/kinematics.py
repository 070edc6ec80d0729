"""Poses and velocities of the mobilized bodies; the only loop over the tree is here.

Poses are chained level by level from the root. Everything after that is a sum over `support`: with
spatial vectors about one common point a body's velocity is the sum of the hinge columns that move
it times their speeds, and no second recursion exists.

Source: Featherstone (2008); Simbody's recursion, of which the sums are the closed form; see
docs/theory/multibody.md, "Poses" and "Velocities".
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take, take_or_zero
from jaxosim.arrays.linalg import constant_matmul, cross, matmul, matvec, scale_rows, transpose
from jaxosim.arrays.spatial import compose, motion_cross, rotate, spatial, translation_only
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.joints import JointInfo, hinge_bias
from jaxosim.pytree import array, pytree
from jaxosim.types import Model


@pytree
class PositionInfo:
    """Poses of the mobilized bodies and the hinge map, about the common point.

    The common point is the origin of the first mobilized body; positions are relative to it so that
    float32 does not degrade as the model leaves the start. Everything is expressed in ground.
    """

    origin: jax.Array = array(3, unit="m")  # the common point, from ground's origin
    pose: jax.Array = array("frame", 3, 4, unit="1, m")  # rotation beside position; ground's last
    joint_rotation: jax.Array = array("mobod", 3, 3, unit="1")  # of the joint's F frame
    joint_position: jax.Array = array("mobod", 3, unit="m")  # of the joint's M origin
    hinge: jax.Array = array("mobility", 6, unit="1 | m")  # S: spatial velocity per unit speed

    @property
    def rotation(self) -> jax.Array:
        """Of the mobilized bodies, `[mobod, 3, 3]`."""
        return self.pose[..., :-1, :, :3]

    @property
    def position(self) -> jax.Array:
        """Origins of the mobilized bodies from the common point, `[mobod, 3]` (m)."""
        return self.pose[..., :-1, :, 3]


@pytree
class VelocityInfo:
    """Spatial velocities of the mobilized bodies and the velocity part of their accelerations."""

    velocity: jax.Array = array("mobod", 6, unit="rad/s, m/s")  # V, about the common point
    velocity_of_frames: jax.Array = array("frame", 6, unit="rad/s, m/s")  # and zero, ground's
    bias_acceleration: jax.Array = array("mobod", 6, unit="rad/s², m/s²")  # A when u_dot = 0


def realize_pose(model: Model, instance: InstanceInfo, joints: JointInfo) -> PositionInfo:
    """Poses of all mobilized bodies and their hinge columns in ground, about the common point."""
    tree = model.tree
    R_PF, p_PF = instance.inboard_rotation, instance.inboard_position
    R_FM, p_FM = joints.rotation, joints.position
    if tree.reversed.any():
        # Travelled from child to parent: the outboard body's frame is F, seen from M.
        backwards = tree.reversed[:, None]
        R_FM = jnp.where(backwards[..., None], transpose(R_FM), R_FM)
        p_FM = jnp.where(backwards, -matvec(R_FM, p_FM), p_FM)
    inboard, own = (
        concatenate([R, p[..., None]], axis=-1) for R, p in ((R_PF, p_PF), (R_FM, p_FM))
    )
    pose, origin = _chain(model, compose(inboard, own))
    rotation, position = pose[:-1, :, :3], pose[:-1, :, 3]
    at_parent = take(pose, tree.parent)
    joint_rotation, joint_position = matmul(at_parent[..., :3], R_PF), position
    if tree.reversed.any():
        joint_rotation = jnp.where(backwards[..., None], rotation, joint_rotation)
        joint_position = jnp.where(backwards, compose(at_parent, inboard)[..., 3], position)
    hinge = _hinge_in_ground(model, joints.hinge, joint_rotation, joint_position)
    return PositionInfo(
        origin=origin,
        pose=pose,
        joint_rotation=joint_rotation,
        joint_position=joint_position,
        hinge=hinge,
    )


def _chain(model: Model, in_parent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Compose the poses in the parents outwards, one step per level (4 in a gait model).

    Positions are kept relative to the first body's origin.

    Returns:
      `[mobod + 1, 3, 4]` poses, ground's last, and `[3]` the first body's origin.
    """
    levels, parent = model.tree.levels, model.tree.parent
    first = in_parent[0] if levels else jnp.zeros((3, 4), in_parent.dtype)
    shift = translation_only(first)
    poses = [in_parent[level] - shift[None] for level in levels[:1]]
    for above, level in itertools.pairwise(levels):
        outer = take(poses[-1], parent[level] - above.start)
        poses.append(compose(outer, in_parent[level]))
    ground = jnp.eye(3, 4, dtype=in_parent.dtype) - shift
    return concatenate([*poses, ground[None]]), first[:, 3]


def _hinge_in_ground(
    model: Model, hinge: jax.Array, joint_rotation: jax.Array, joint_position: jax.Array
) -> jax.Array:
    """Hinge columns S `[mobility, 6]`, expressed in ground, about the common point."""
    tree = model.tree
    columns = rotate(take(joint_rotation, tree.mobility_mobod), hinge)
    angular, point = columns[:, :3], take(joint_position, tree.mobility_mobod)
    columns = spatial(angular, columns[:, 3:] + cross(point, angular))
    if not tree.reversed.any():
        return columns
    return jnp.where(tree.reversed[tree.mobility_mobod][:, None], -columns, columns)


def realize_velocity_of_bodies(
    model: Model, joints: JointInfo, position: PositionInfo, u: jax.Array
) -> VelocityInfo:
    """Spatial velocities and velocity-dependent accelerations of the mobilized bodies.

    Args:
      model: static structure.
      joints: joint transforms.
      position: poses.
      u: `[coordinate]` speeds; those of locked coordinates count as zero.
    """
    tree = model.tree
    u_mobility = take(u, tree.mobility)
    velocity = constant_matmul(tree.support, scale_rows(position.hinge, u_mobility))
    V_FM, bias = hinge_bias(model, joints, u_mobility)
    in_ground = rotate(position.joint_rotation, concatenate([V_FM, bias], axis=-1))
    w, v, angular, linear = (in_ground[:, 3 * i : 3 * i + 3] for i in range(4))
    p = position.joint_position
    own = spatial(angular, linear + cross(p, angular) + cross(v, w))
    relative = spatial(w, v + cross(p, w))
    if tree.reversed.any():
        backwards = tree.reversed[:, None]
        own = jnp.where(backwards, -own, own)
        relative = jnp.where(backwards, -relative, relative)
    V_P = take_or_zero(velocity, np.where(tree.parent < 0, len(velocity), tree.parent))
    own = own + motion_cross(V_P, relative)
    bias_acceleration = constant_matmul(tree.descendants.T, own)
    return VelocityInfo(
        velocity=velocity,
        velocity_of_frames=concatenate([velocity, jnp.zeros((1, 6), velocity.dtype)]),
        bias_acceleration=bias_acceleration,
    )
