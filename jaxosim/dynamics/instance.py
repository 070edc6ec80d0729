"""What follows from Params alone (Simbody's Instance stage): welds fused, points re-expressed.

Computed once per call and, as long as Params are not batched, once for a whole batch.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim import constraints
from jaxosim.arrays.linalg import matmul, matvec, transpose
from jaxosim.arrays.safe import safe_norm
from jaxosim.arrays.spatial import body_xyz_rotation, skew
from jaxosim.forces import present
from jaxosim.forces.force import BodyFrames
from jaxosim.pytree import array, pytree
from jaxosim.structure import GROUND
from jaxosim.types import Model, Params


@pytree
class InstanceInfo:
    """What follows from Params alone: everything fixed on a mobilized body, in that body's frame.

    The frame of a mobilized body is its joint's outboard frame (Simbody's M), so that no constant
    transform is left in the chain of poses.
    """

    body_rotation: jax.Array = array("body", 3, 3, unit="1")  # of the body in its mobilized body
    body_position: jax.Array = array("body", 3, unit="m")
    inboard_rotation: jax.Array = array("mobod", 3, 3, unit="1")  # joint's inboard frame in parent
    inboard_position: jax.Array = array("mobod", 3, unit="m")
    mass: jax.Array = array("mobod", unit="kg")
    first_moment: jax.Array = array("mobod", 3, unit="kg·m")  # mass · mass center
    inertia: jax.Array = array("mobod", 3, 3, unit="kg·m²")  # about the mobilized body's origin
    point_location: jax.Array = array("point", 3, unit="m")
    moving_rotation: jax.Array = array("moving", 3, 3, unit="1")
    rigid_length: jax.Array = array("rigid", unit="m")  # of segments that cannot change length
    wrap_rotation: jax.Array = array("wrap_object", 3, 3, unit="1")
    wrap_position: jax.Array = array("wrap_object", 3, unit="m")
    forces: dict[str, Any]  # by the forces' fields: what follows from their params alone
    constraints: dict[str, Any]  # by the constraints' fields, likewise


def realize_instance(model: Model, params: Params) -> InstanceInfo:
    """Everything that is fixed on a mobilized body, expressed in that body's joint frame.

    Source: OpenSim `PhysicalOffsetFrame`, `WeldJoint`; parallel-axis theorem.
    """
    rotation, position = _body_transforms(model, params)
    mass, first_moment, inertia = _fused_inertia(model, params, rotation, position)
    inboard_rotation, inboard_position = _inboard_frames(model, params, rotation, position)
    frames = BodyFrames(_with_ground(rotation), _with_ground(position))
    paths = model.paths
    points = frames.carried(paths.point_body, params.paths.location)
    moving_body = paths.point_body[paths.moving_point]
    wrap_rotation, wrap_position = _wrap_objects(model, params, frames)
    rigid = points[paths.rigid.end] - points[paths.rigid.start]
    return InstanceInfo(
        body_rotation=rotation,
        body_position=position,
        inboard_rotation=inboard_rotation,
        inboard_position=inboard_position,
        mass=mass,
        first_moment=first_moment,
        inertia=inertia,
        point_location=points,
        moving_rotation=frames.turned(moving_body, params.paths.orientation),
        rigid_length=safe_norm(rigid),
        wrap_rotation=wrap_rotation,
        wrap_position=wrap_position,
        forces={
            force.FIELD: force.realize_instance(
                getattr(model, force.FIELD), getattr(params, force.FIELD), frames
            )
            for force in present(model)
            if hasattr(force, "realize_instance")
        },
        constraints={
            one.FIELD: one.realize_instance(
                getattr(model, one.FIELD), getattr(params, one.FIELD), frames
            )
            for one in constraints.present(model)
            if hasattr(one, "realize_instance")
        },
    )


def _wrap_objects(model: Model, params: Params, frames: BodyFrames) -> tuple[jax.Array, jax.Array]:
    """Poses of the wrap objects in the frames of the mobilized bodies that carry them."""
    body, paths = model.paths.wrap_body, params.paths
    if not len(body):
        return jnp.zeros((0, 3, 3), frames.rotation.dtype), paths.wrap_translation
    return frames.turned(body, paths.wrap_orientation), frames.carried(body, paths.wrap_translation)


def _with_ground(values: jax.Array) -> jax.Array:
    """Append ground, so that index GROUND (−1) finds the identity or the zero vector."""
    neutral = jnp.eye(3, dtype=values.dtype) if values.ndim == 3 else jnp.zeros(3, values.dtype)
    return jnp.concatenate([values, neutral[None]])


def _joint_frames(params: Params) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Rotations and positions of both frames of every joint, in their bodies."""
    joints = params.joints
    return (
        body_xyz_rotation(joints.parent_orientation),
        joints.parent_translation,
        body_xyz_rotation(joints.child_orientation),
        joints.child_translation,
    )


def _sides(model: Model, params: Params) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """By body: its joint's frame on the inboard body, then its joint's frame on itself."""
    bodies = model.bodies
    R_PF, p_PF, R_BM, p_BM = (values[bodies.joint] for values in _joint_frames(params))
    turned = bodies.reversed
    if not turned.any():
        return R_PF, p_PF, R_BM, p_BM
    matrices, vectors = turned[:, None, None], turned[:, None]
    return (
        jnp.where(matrices, R_BM, R_PF),
        jnp.where(vectors, p_BM, p_PF),
        jnp.where(matrices, R_PF, R_BM),
        jnp.where(vectors, p_PF, p_BM),
    )


def _body_transforms(model: Model, params: Params) -> tuple[jax.Array, jax.Array]:
    """Pose of every body in the joint frame of the mobilized body that carries it.

    The body at a moving joint first (the inverse of its own joint frame), then, weld by weld
    outwards, what is fixed on it; trip count is the longest chain of welds, 2 or 3.
    """
    R_in, p_in, R_own, p_own = _sides(model, params)
    rotation = transpose(R_own)
    position = -matvec(rotation, p_own)
    own_rotation, own_position = rotation, position
    for level in model.bodies.weld_levels:
        inboard = model.bodies.inboard[level]
        R_MP = _with_ground(rotation)[inboard]
        p_MP = _with_ground(position)[inboard]
        R_MF = matmul(R_MP, R_in[level])
        p_MF = p_MP + matvec(R_MP, p_in[level])
        rotation = _with_rows(rotation, level, matmul(R_MF, own_rotation[level]))
        position = _with_rows(position, level, p_MF + matvec(R_MF, own_position[level]))
    return rotation, position


def _with_rows(values: jax.Array, level: np.ndarray, rows: jax.Array) -> jax.Array:
    """The values with some rows replaced.

    Not by `.at[level].set`: if `level` is one row, XLA on a CPU (jaxlib 0.10.2) writes the result
    over `values` in place while the entries of that row are still being read for the next ones.
    """
    place = np.arange(len(values))
    place[level] = len(values) + np.arange(len(level))
    return jnp.concatenate([values, rows])[place]


def _inboard_frames(
    model: Model, params: Params, rotation: jax.Array, position: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Each mobilized body's inboard joint frame, in the frame of its parent mobilized body."""
    R_in, p_in, _, _ = (values[model.tree.body] for values in _sides(model, params))
    R_MP = _with_ground(rotation)[model.tree.parent_body]
    p_MP = _with_ground(position)[model.tree.parent_body]
    return matmul(R_MP, R_in), p_MP + matvec(R_MP, p_in)


def _fused_inertia(
    model: Model, params: Params, rotation: jax.Array, position: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mass, first moment and inertia of each mobilized body, about its joint frame's origin."""
    mass = params.bodies.mass
    xx, yy, zz, xy, xz, yz = (params.bodies.inertia[:, i] for i in range(6))
    rows = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    central = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
    turned = matmul(matmul(rotation, central), transpose(rotation))
    center = position + matvec(rotation, params.bodies.mass_center)
    arm = skew(center)
    inertia = turned - mass[:, None, None] * matmul(arm, arm)
    first_moment = mass[:, None] * center
    count = len(model.tree.body)
    carries = jnp.asarray(
        (model.bodies.mobod[None, :] == np.arange(count)[:, None]), mass.dtype
    )  # bodies welded to ground are carried by none
    assert GROUND == -1
    return (
        carries @ mass,
        carries @ first_moment,
        jnp.einsum("mb,bij->mij", carries, inertia),
    )
