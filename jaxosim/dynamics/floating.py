"""Joints whose three angles may be counted from any orientation, and forces along their angles.

An actuator of a coordinate turns about the axis of that coordinate's own angle, and not about that
of an angle counted from elsewhere. Its power is the same in both, which gives the forces along the
counted angles. Near gimbal lock an actuator turns the body with a torque beyond all bounds, since
in the model's coordinates its power is finite there.

Source: derived in docs/theory/joints.md, "Local coordinates".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack, take
from jaxosim.arrays.linalg import cross, dot, matmul, matvec, transpose
from jaxosim.arrays.safe import clip
from jaxosim.types import Model, Params

_LEAST = 1e-12  # squared cosine of the second angle, at which torques of actuators are largest


class Reference(NamedTuple):
    """From where the angles of floating joints are counted during a control step."""

    rotation: jax.Array  # [mobod, 3, 3] of each joint at angles of zero; the identity of others
    side: jax.Array  # [floating] (1) sign of the cosine of the model's own second angle


class Angles(NamedTuple):
    """The rotations of the floating joints."""

    axis: jax.Array  # [floating, 3, 3] (1) the three axes, one a row
    offset: jax.Array  # [floating, 3] (rad) angles at q = 0
    slope: jax.Array  # [floating, 3] (1) of the angles by q


def angles_of(model: Model, params: Params) -> Angles:
    """Axes of the floating joints, and their angles as straight lines."""
    floating, joints = model.floating, params.joints
    coefficients = joints.functions.polynomial_function.coefficients
    lines = take(coefficients, floating.polynomial.reshape(-1))
    lines = lines.reshape(-1, 3, lines.shape[-1])
    constant = take(joints.constant, floating.mobod)[:, :3]
    axis = take(joints.axis, floating.mobod)[:, :3]
    return Angles(axis, constant + lines[..., 0], lines[..., 1])


def hand(axis: jax.Array) -> jax.Array:
    """Which way angles about three perpendicular axes `[..., 3, 3]` count: 1, or −1 left-handed."""
    return dot(axis[..., 0, :], cross(axis[..., 1, :], axis[..., 2, :]))


def counted_per_own(
    model: Model, params: Params, rotation: jax.Array, axes: jax.Array, reference: Reference
) -> jax.Array:
    """Forces along the counted angles for those along the model's own, `[driven, 3, 3]` (1).

    Args:
      model: static structure.
      params: model parameters.
      rotation: `[mobod, 3, 3]` R_FM.
      axes: `[mobod, 3, 3]` the axes of the counted angles as they stand in F, one a row.
      reference: from where they are counted.
    """
    driven = model.floating.driven
    own = Angles(*(take(part, driven) for part in angles_of(model, params)))
    mobod = model.floating.mobod[driven]
    x = own.axis[:, 0]
    z = matvec(take(rotation, mobod), own.axis[:, 2])
    line = cross(z, x)  # along the second axis, as long as the cosine of the second angle
    # OpenSim differs: its torques of actuators grow without bound.
    squared = clip(dot(line, line), low=_LEAST)
    cosine = take(reference.side, driven) * hand(own.axis) * jnp.sqrt(squared)
    first, third = (v / squared[:, None] for v in (cross(line, z), cross(x, line)))
    rates = stack([first, line / cosine[:, None], third], axis=-2)  # of the own angles, by spin
    per_spin = rates / own.slope[..., None]  # of the own coordinates
    return matmul(own.slope[..., None] * take(axes, mobod), transpose(per_spin))


def along_counted(model: Model, per_own: jax.Array | None, force: jax.Array) -> jax.Array:
    """Generalized forces `[coordinate]` along the coordinates in which the state is expressed.

    Args:
      model: static structure.
      per_own: from `counted_per_own`; None where the state is in the model's own coordinates.
      force: `[coordinate]` (N·m | N) along the model's own coordinates.
    """
    if per_own is None:
        return force
    coordinates = model.floating.coordinate[model.floating.driven].reshape(-1)
    place = np.arange(len(force))
    place[coordinates] = len(force) + np.arange(len(coordinates))
    counted = matvec(per_own, take(force, coordinates).reshape(-1, 3))
    return take(concatenate([force, counted.reshape(-1)]), place)
