"""Rotation coordinates counted from the current orientation, to step across gimbal lock.

Three successive angles lose a direction where the second is ±90°. Close to that the first and the
third change rapidly in opposite directions, by half a turn within a millisecond, and a step across
it diverges, although the body itself turns slowly. So for a control step the angles of a joint with
three rotations of its own (a pelvis) are counted from the orientation at the beginning of the step,
where they are zero and far from gimbal lock; the result is converted back to the model's
coordinates. Speeds and accelerations are the same physics in both.

Source: derived in docs/theory/joints.md, "Local coordinates"; local coordinates of the rotation
group, as in Munthe-Kaas methods.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.linalg import matmul, matvec, transpose
from jaxosim.arrays.spatial import body_xyz_angles
from jaxosim.dynamics.floating import Reference, angles_of, hand
from jaxosim.dynamics.joints import angle_rates, rotation_axes
from jaxosim.types import Model, Params, State


def to_local(model: Model, params: Params, state: State) -> tuple[State, Reference | None]:
    """The state with the angles of floating joints counted from their orientation in it.

    Returns:
      That state, all of these angles zero, and from where they are counted; None if no joint
      floats.
    """
    floating = model.floating
    if not len(floating.mobod):
        return state, None
    own = angles_of(model, params)
    q, u = (take(x, floating.coordinate.reshape(-1)).reshape(-1, 3) for x in (state.q, state.u))
    angles = own.offset + own.slope * q
    axes, rotation = rotation_axes(own.axis, angles)
    local = matvec(own.axis, matvec(transpose(rotation), _spin(axes, own.slope * u)))
    moved = _replaced(model, state, -own.offset / own.slope, _speeds(model, local / own.slope, u))
    place = np.full(len(model.tree.body), len(floating.mobod))
    place[floating.mobod] = np.arange(len(floating.mobod))
    one = jnp.ones((), q.dtype)
    rotations = take(concatenate([rotation, jnp.eye(3, dtype=q.dtype)[None]]), place)
    return moved, Reference(rotations, jnp.where(jnp.cos(angles[:, 1]) < 0, -one, one))


def from_local(
    model: Model, params: Params, reference: Reference | None, state: State, before: State
) -> State:
    """A state in local coordinates, expressed in the model's own coordinates.

    Args:
      model: static structure.
      params: model parameters.
      reference: from `to_local`; says on which side of gimbal lock the second angle is, which no
        motion crosses.
      state: in local coordinates.
      before: in the model's coordinates, not long ago: says how many turns an angle has made.
    """
    if reference is None:
        return state
    floating = model.floating
    own = angles_of(model, params)
    coordinates = floating.coordinate.reshape(-1)
    q, u, q_before = (take(x, coordinates).reshape(-1, 3) for x in (state.q, state.u, before.q))
    zero = take(reference.rotation, floating.mobod)
    axes, rotation = rotation_axes(own.axis, own.offset + own.slope * q, zero)
    near = own.offset + own.slope * q_before
    angles = _angles_near(own.axis, rotation, near, reference.side)
    rates = matvec(angle_rates(rotation_axes(own.axis, angles)[0]), _spin(axes, own.slope * u))
    q_new = (angles - own.offset) / own.slope
    return _replaced(model, state, q_new, _speeds(model, rates / own.slope, u))


def _spin(axes: jax.Array, rates: jax.Array) -> jax.Array:
    """Angular velocity `[floating, 3]` (rad/s) of angles that change at these rates."""
    return matvec(transpose(axes), rates)


def _speeds(model: Model, rates: jax.Array, same: jax.Array) -> jax.Array:
    """Speeds `[floating, 3]`: rates of q, but for joints whose speeds are the angular velocity."""
    angular = model.tree.angular_velocity[model.floating.mobod]
    return jnp.where(angular[:, None], same, rates)


def _replaced(model: Model, state: State, q: jax.Array, u: jax.Array) -> State:
    """The state with other values and speeds of the floating joints' angles."""
    place = np.arange(len(model.coordinate_names))
    coordinates = model.floating.coordinate.reshape(-1)
    place[coordinates] = len(place) + np.arange(len(coordinates))
    changed = {
        name: take(concatenate([getattr(state, name), new.reshape(-1)]), place)
        for name, new in (("q", q), ("u", u))
    }
    return dataclasses.replace(state, **changed)


def _angles_near(
    axis: jax.Array, rotation: jax.Array, near: jax.Array, side: jax.Array
) -> jax.Array:
    """The angles `[floating, 3]` (rad) of rotations about three axes, of all such the nearest.

    The axes may be left-handed: then angles count the other way.
    """
    seen = matmul(matmul(axis, rotation), transpose(axis))
    angles = hand(axis)[:, None] * body_xyz_angles(seen)
    mirrored = np.pi + angles * np.array([[1, -1, 1]], angles.dtype)
    angles = jnp.where(side[:, None] < 0, mirrored, angles)
    turn = 2 * np.pi
    return angles + turn * jnp.round((near - angles) / turn)
