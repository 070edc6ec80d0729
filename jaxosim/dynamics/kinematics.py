"""Poses and velocities of the mobile bodies; the only loop over the tree is here.

Poses are chained level by level from the root. Everything after that is a sum over `support`: with
spatial vectors about one common point a body's velocity is the sum of the hinge columns that move
it times their speeds, and no second recursion exists.

Source: Featherstone (2008); Simbody's recursion, of which the sums are the closed form.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.dynamics.joints import hinge_bias
from jaxosim.placement import chosen, joined
from jaxosim.products import cross, scaled, static_sum
from jaxosim.spatial import matmul, matvec, motion_cross, spatial, transpose
from jaxosim.types import InstanceInfo, JointInfo, Model, PositionInfo, VelocityInfo


def realize_pose(model: Model, instance: InstanceInfo, joints: JointInfo) -> PositionInfo:
    """Poses of all mobile bodies and their hinge columns in ground, about the common point."""
    tree = model.tree
    inboard, R_PF = instance.inboard_position, instance.inboard_rotation
    R_FM, p_FM = joints.rotation, joints.position
    if tree.reversed.any():
        # Travelled from child to parent: the outboard body's frame is F, seen from M.
        turned = tree.reversed[:, None]
        R_FM = jnp.where(turned[..., None], transpose(R_FM), R_FM)
        p_FM = jnp.where(turned, -matvec(R_FM, p_FM), p_FM)
    R_PM = matmul(R_PF, R_FM)
    p_PM = inboard + matvec(R_PF, p_FM)
    origin, rotation, position = _chain(model, R_PM, p_PM)
    R_GP = _at_parent(rotation, tree.parent, jnp.eye(3, dtype=rotation.dtype))
    joint_rotation = matmul(R_GP, R_PF)
    joint_position = position
    if tree.reversed.any():
        turned = tree.reversed[:, None]
        p_GP = _at_parent(position, tree.parent, -origin)
        joint_rotation = jnp.where(turned[..., None], rotation, joint_rotation)
        joint_position = jnp.where(turned, p_GP + matvec(R_GP, inboard), position)
    hinge = _hinge_in_ground(model, joints.hinge, joint_rotation, joint_position)
    return PositionInfo(
        origin=origin,
        rotation=rotation,
        position=position,
        joint_rotation=joint_rotation,
        joint_position=joint_position,
        hinge=hinge,
    )


def _at_parent(values: jax.Array, parent: np.ndarray, ground: jax.Array) -> jax.Array:
    """Values of the parents; ground's for those that hang on ground."""
    return chosen(joined([values, ground[None]]), parent)


def _chain(
    model: Model, R_PM: jax.Array, p_PM: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Compose poses outwards, one step per level (4 in a gait model).

    Positions are kept relative to the first body's origin, which is returned beside them.
    """
    tree = model.tree
    if not tree.levels:
        zero = jnp.zeros(3, p_PM.dtype)
        return zero, R_PM, p_PM
    root = tree.levels[0]
    origin = p_PM[0]
    rotations, positions = [R_PM[root]], [p_PM[root] - origin[None]]
    for level in tree.levels[1:]:
        R_GP = chosen(joined(rotations), tree.parent[level])
        p_GP = chosen(joined(positions), tree.parent[level])
        rotations.append(matmul(R_GP, R_PM[level]))
        positions.append(p_GP + matvec(R_GP, p_PM[level]))
    return origin, joined(rotations), joined(positions)


def _hinge_in_ground(
    model: Model, hinge: jax.Array, joint_rotation: jax.Array, joint_position: jax.Array
) -> jax.Array:
    """Hinge columns S `[free, 6]`, expressed in ground, about the common point."""
    tree = model.tree
    R_GF = chosen(joint_rotation, tree.free_mobile)
    angular = matvec(R_GF, hinge[:, :3])
    linear = matvec(R_GF, hinge[:, 3:]) + cross(chosen(joint_position, tree.free_mobile), angular)
    columns = spatial(angular, linear)
    if not tree.reversed.any():
        return columns
    return jnp.where(tree.reversed[tree.free_mobile][:, None], -columns, columns)


def realize_velocity_of_bodies(
    model: Model, joints: JointInfo, position: PositionInfo, u: jax.Array
) -> VelocityInfo:
    """Spatial velocities and velocity-dependent accelerations of the mobile bodies.

    Args:
      model: structure.
      joints: joint transforms.
      position: poses.
      u: `[coordinate]` speeds; those of locked coordinates count as zero.
    """
    tree = model.tree
    u_free = chosen(u, tree.free)
    velocity = static_sum(tree.support, scaled(position.hinge, u_free))
    V_FM, bias = hinge_bias(model, joints, u_free)
    R_GF, p = position.joint_rotation, position.joint_position
    w, v = matvec(R_GF, V_FM[:, :3]), matvec(R_GF, V_FM[:, 3:])
    angular = matvec(R_GF, bias[:, :3])
    linear = matvec(R_GF, bias[:, 3:]) + cross(p, angular) + cross(v, w)
    own, relative = spatial(angular, linear), spatial(w, v + cross(p, w))
    if tree.reversed.any():
        turned = tree.reversed[:, None]
        own, relative = jnp.where(turned, -own, own), jnp.where(turned, -relative, relative)
    V_P = _at_parent(velocity, tree.parent, jnp.zeros(6, u.dtype))
    own = own + motion_cross(V_P, relative)
    bias_acceleration = static_sum(tree.descendants.T, own)
    return VelocityInfo(velocity=velocity, bias_acceleration=bias_acceleration)
