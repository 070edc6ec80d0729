"""Joint transforms, hinge maps and their rates, for all mobilized bodies at once.

Every joint class is six axes, as a CustomJoint has them: three successive rotations and three
translations along axes fixed in the inboard frame F. Angles and shifts are sums of functions of one
coordinate each. Ball and Free joints differ in one thing: their first three speeds are the angular
velocity instead of the rates of the angles. Classes in `joints.LAWS` add to the six axes.

Source: OpenSim `CustomJoint`, `SpatialTransform`; Simbody `MobilizedBody::FunctionBased`; see
docs/theory/joints.md, "Hinge map" and "Rate of the hinge map".
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, stack, take, take_or_zero
from jaxosim.arrays.linalg import cross, dot, matmul, scale_rows, sum_leading
from jaxosim.arrays.spatial import axis_angle_rotation, spatial
from jaxosim.dynamics.floating import Reference, counted_per_own
from jaxosim.functions import evaluate
from jaxosim.joints import LAWS
from jaxosim.pytree import array, pytree
from jaxosim.structure import LawRows
from jaxosim.types import Model, Params


@pytree
class JointInfo:
    """Joint transforms and hinge columns, each in its joint's own frames."""

    rotation: jax.Array = array("mobod", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("mobod", 3, unit="m")  # p_FM
    hinge: jax.Array = array("mobility", 6, unit="1 | m")  # V_FM per unit speed, in F
    axis_direction: jax.Array = array("mobod", 6, 3, unit="1")  # the six axes, in F
    derivative: jax.Array = array("term", unit="mixed")  # of each axis term by its coordinate
    second_derivative: jax.Array = array("term", unit="mixed")
    q_dot_map: jax.Array = array("mobod", 3, 3, unit="1")  # angular velocity to angle rates
    # Forces along counted angles for those along the model's own; none where these are the same.
    counted_per_own: jax.Array | None = array("driven", 3, 3, unit="1")
    laws: dict[str, Any]  # by the field of each class in `joints.LAWS` that occurs: its Info


def realize_joints(
    model: Model, params: Params, q: jax.Array, reference: Reference | None = None
) -> JointInfo:
    """Transforms and hinge columns of all joints at the coordinates q `[coordinate]`.

    Args:
      model: static structure.
      params: model parameters.
      q: `[coordinate]` (rad | m).
      reference: from where the angles of floating joints are counted, see `local_coordinates.py`;
        the model's own if None.
    """
    zero = None if reference is None else reference.rotation
    tree, joints = model.tree, params.joints
    terms = evaluate(tree.functions, joints.functions, take(q, tree.term_coordinate))
    values = segment_sum(terms.value, tree.term_axis, joints.constant.size)
    values = joints.constant + values.reshape(-1, 6)
    angles, shifts = values[:, :3], values[:, 3:]
    rotation_direction, rotation = rotation_axes(joints.axis[:, :3], angles, zero)
    direction = concatenate([rotation_direction, joints.axis[:, 3:]], axis=1)
    hinge_direction = direction
    if tree.undriven_axis.any():
        # OpenSim's CustomJoint leaves out a constant rotation when it builds the hinge map, though
        # not when it builds the pose.
        driven = jnp.where(tree.undriven_axis, 0.0, angles)
        driven_direction, _ = rotation_axes(joints.axis[:, :3], driven, zero)
        hinge_direction = concatenate([driven_direction, joints.axis[:, 3:]], axis=1)
    position = sum_leading(jnp.moveaxis(scale_rows(joints.axis[:, 3:], shifts), 1, 0))
    hinge = _hinge_columns(model, hinge_direction, terms.derivative)
    per_own = None
    if reference is not None and len(model.floating.driven):
        per_own = counted_per_own(model, params, rotation, rotation_direction, reference)
    laws = {}
    for law, rows in _laws(model):
        own_q = take(q, rows.coordinate.reshape(-1)).reshape(rows.coordinate.shape)
        own = law.realize(getattr(joints, law.FIELD), own_q, take(rotation, rows.mobod))
        rotation = _with_rows(rotation, rows.mobod, own.rotation)
        position = _with_rows(position, rows.mobod, own.position)
        free = np.flatnonzero(rows.mobility >= 0)
        columns = take(own.hinge.reshape(-1, 6), free)
        hinge = _with_rows(hinge, rows.mobility.reshape(-1)[free], columns)
        laws[law.FIELD] = own
    return JointInfo(
        rotation=rotation,
        position=position,
        hinge=hinge,
        axis_direction=direction,
        derivative=terms.derivative,
        second_derivative=terms.second_derivative,
        q_dot_map=angle_rates(rotation_direction)
        if tree.angular_velocity.any()
        else jnp.zeros_like(rotation),
        counted_per_own=per_own,
        laws=laws,
    )


def _laws(model: Model) -> list[tuple[ModuleType, LawRows]]:
    """The classes with a law of their own of which the model has joints, with these."""
    laws = zip(LAWS, model.tree.laws, strict=True)
    return [(law, rows) for law, rows in laws if len(rows.mobod)]


def _with_rows(values: jax.Array, numbers: np.ndarray, rows: jax.Array) -> jax.Array:
    """The values with some rows replaced."""
    place = np.arange(len(values))
    place[numbers] = len(values) + np.arange(len(numbers))
    return take(concatenate([values, rows]), place)


def rotation_axes(
    axis: jax.Array, angles: jax.Array, zero: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Three successive rotations: the axes as they stand in F, and the whole rotation.

    Args:
      axis: `[..., 3, 3]` (1) unit vectors, one a row.
      angles: `[..., 3]` (rad).
      zero: `[..., 3, 3]` the rotation at angles of zero; the identity if None.

    Returns:
      `[..., 3, 3]` axes, one a row, and `[..., 3, 3]`.
    """
    # Beside each rotation stands its axis, which those before carry along.
    steps = concatenate([axis_angle_rotation(axis, angles), axis[..., None]], axis=-1)
    first, second, third = (steps[..., i, :, :] for i in range(3))
    if zero is not None:
        first = matmul(zero, first)
    two = matmul(first[..., :3], second)
    three = matmul(two[..., :3], third)
    return stack([part[..., 3] for part in (first, two, three)], axis=-2), three[..., :3]


def _hinge_columns(model: Model, direction: jax.Array, derivative: jax.Array) -> jax.Array:
    """Spatial velocity of M in F per unit of each free speed, `[mobility, 6]`."""
    tree = model.tree
    moves = np.flatnonzero(tree.term_mobility >= 0)
    axes = tree.term_axis[moves]
    term = scale_rows(take(direction.reshape(-1, 3), axes), take(derivative, moves))
    is_rotation = (axes % 6 < 3)[:, None]
    columns = spatial(jnp.where(is_rotation, term, 0.0), jnp.where(is_rotation, 0.0, term))
    hinge = segment_sum(columns, tree.term_mobility[moves], len(tree.mobility))
    if not tree.angular_velocity.any():
        return hinge
    # Ball and Free: speed k is simply component k of the angular velocity (or of the velocity).
    unit = np.eye(6)[tree.coordinate_slot[tree.mobility] % 6].astype(hinge.dtype)
    return jnp.where(tree.angular_velocity[tree.mobility_mobod][:, None], unit, hinge)


def angle_rates(axes: jax.Array) -> jax.Array:
    """The matrices `[..., 3, 3]` from angular velocity in F to rates of three successive angles.

    Singular at a second angle of ±90°, as in OpenSim, which uses no quaternions.

    Args:
      axes: `[..., 3, 3]` as they stand in F, one a row.
    """
    x, y, z = axes[..., 0, :], axes[..., 1, :], axes[..., 2, :]
    volume = dot(x, cross(y, z))
    volume = jnp.where(volume == 0, jnp.finfo(axes.dtype).eps, volume)
    reciprocal = stack([cross(y, z), cross(z, x), cross(x, y)], axis=-2)
    return reciprocal / volume[..., None, None]


def coordinate_rates(model: Model, joints: JointInfo, u: jax.Array) -> jax.Array:
    """Rates of the coordinates q_dot `[coordinate]`: the speeds, but for Ball and Free joints."""
    tree = model.tree
    moving = jnp.where(model.locked, 0.0, u)
    for mobod in np.flatnonzero(tree.angular_velocity):  # at most a handful
        joint = tree.joint[mobod]
        index = np.array(model.joint_coordinates[joint][:3])
        rates = joints.q_dot_map[mobod] @ u[index]
        mobility = ~model.locked[index]
        moving = moving.at[index].set(jnp.where(mobility, rates, 0.0))
    return moving


def coordinate_speeds(model: Model, joints: JointInfo, q_dot: jax.Array) -> jax.Array:
    """Speeds `[mobility]` that go with coordinate rates `[coordinate]`; inverse of the above."""
    tree = model.tree
    speeds = q_dot
    for mobod in np.flatnonzero(tree.angular_velocity):
        index = np.array(model.joint_coordinates[tree.joint[mobod]][:3])
        speeds = speeds.at[index].set(q_dot[index] @ joints.axis_direction[mobod, :3])
    return take(speeds, tree.mobility)


def hinge_bias(
    model: Model, joints: JointInfo, u_mobility: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Velocity of M in F, and the part of its acceleration that the speeds alone cause.

    Copies OpenSim's rule for the rate of the hinge map, which is exact when rotation i is driven by
    coordinate i and only then: the second axis is carried by the first coordinate's rotation, the
    third axis by that of all coordinates but the third.

    Args:
      model: static structure.
      joints: position stage.
      u_mobility: `[mobility]` speeds.

    Returns:
      `[mobod, 6]` V_FM and `[mobod, 6]` dH/dt · u, both in F, linear parts of M's origin.
    """
    tree = model.tree
    count = len(tree.body)
    moves = np.flatnonzero(tree.term_mobility >= 0)
    axes, speed = tree.term_axis[moves], take(u_mobility, tree.term_mobility[moves])
    term_rate = take(joints.derivative, moves) * speed
    acceleration = take(joints.second_derivative, moves) * speed * speed

    slot = tree.coordinate_slot[tree.mobility]
    members = [np.arange(len(slot)), np.flatnonzero(slot == 0), np.flatnonzero(slot != 2)]
    velocity, carrier_two, carrier_three = _sums_together(
        take(scale_rows(joints.hinge, u_mobility), np.concatenate(members)),
        [tree.mobility_mobod[own] for own in members],
        count,
    )
    W = joints.axis_direction
    rate, acceleration = (
        values.reshape(count, 6)
        for values in _sums_together(
            concatenate([term_rate, acceleration]), [axes, axes], count * 6
        )
    )
    turning = rate[:, 1:2] * cross(carrier_two[:, :3], W[:, 1]) + rate[:, 2:3] * cross(
        carrier_three[:, :3], W[:, 2]
    )
    parts = scale_rows(W, acceleration)
    angular, linear = (sum_leading(jnp.moveaxis(p, 1, 0)) for p in (parts[:, :3], parts[:, 3:]))
    bias = spatial(turning + angular, linear)
    if tree.angular_velocity.any():
        bias = jnp.where(tree.angular_velocity[:, None], 0.0, bias)
    for law, rows in _laws(model):
        index = np.where(rows.mobility < 0, len(u_mobility), rows.mobility)
        speeds = take_or_zero(u_mobility, index.reshape(-1)).reshape(rows.mobility.shape)
        bias = _with_rows(bias, rows.mobod, law.bias(joints.laws[law.FIELD], speeds))
    return velocity, bias


def _sums_together(values: jax.Array, owners: list[np.ndarray], count: int) -> list[jax.Array]:
    """Several `segment_sum`s over as many groups: values `[n, …]` of all, then of the next."""
    sums = segment_sum(
        values,
        np.concatenate([own + i * count for i, own in enumerate(owners)]),
        len(owners) * count,
    )
    return [sums[i * count : (i + 1) * count] for i in range(len(owners))]
