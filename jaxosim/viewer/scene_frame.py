"""Poses of everything that is drawn, at one instant of one world: pure, jitted, vmapped.

Only what is visible is computed: poses, contacts, and all points of the muscles' paths, as
OpenSim's `GeometryPath::getCurrentPath` lists them (forces need the flexible segments only).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import matmul, matvec
from jaxosim.dynamics.instance import InstanceInfo, realize_instance
from jaxosim.dynamics.joints import realize_joints
from jaxosim.dynamics.kinematics import (
    PositionInfo,
    VelocityInfo,
    realize_pose,
    realize_velocity_of_bodies,
)
from jaxosim.forces import hunt_crossley_force, present
from jaxosim.paths.points import conditions, current_locations
from jaxosim.pytree import array, pytree
from jaxosim.system import kinematics_of
from jaxosim.types import Model, Params, State


@pytree
class SceneFrame:
    """Places of everything that moves, expressed in ground."""

    time: jax.Array = array(unit="s")
    body_rotation: jax.Array = array("body", 3, 3, unit="1")
    body_position: jax.Array = array("body", 3, unit="m")
    path: jax.Array = array("muscle", "slot", 3, unit="m")  # absent points lie on their predecessor
    activation: jax.Array = array("muscle", unit="1")
    contact_position: jax.Array = array("pair", 3, unit="m")
    contact_force: jax.Array = array("pair", 3, unit="N")  # on the second surface's body
    marker_position: jax.Array = array("marker", 3, unit="m")


def realize_scene_frame(model: Model, params: Params, state: State) -> SceneFrame:
    """Places of everything at one state of one world."""
    instance = realize_instance(model, params)
    joints = realize_joints(model, params, state.q)
    pose = realize_pose(model, instance, joints)
    velocity = realize_velocity_of_bodies(model, joints, pose, state.u)
    origin = pose.origin[None]
    contact_position, contact_force = _contacts(model, params, instance, state, pose, velocity)
    mobod = model.bodies.mobod  # GROUND (−1) finds the last row
    ground = jnp.eye(3, dtype=state.q.dtype)[None]
    R, p = pose.pose[mobod, :, :3], pose.pose[mobod, :, 3] + origin
    rotation = jnp.concatenate([matmul(R, instance.body_rotation), ground])
    position = jnp.concatenate([p + matvec(R, instance.body_position), jnp.zeros_like(origin)])
    owner = model.marker_body
    return SceneFrame(
        time=state.time,
        body_rotation=rotation[:-1],
        body_position=position[:-1],
        path=_paths(model, params, instance, pose, state.q),
        activation=state.activation,
        contact_position=contact_position + origin,
        contact_force=contact_force,
        marker_position=position[owner] + matvec(rotation[owner], params.marker_location),
    )


def _contacts(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    state: State,
    pose: PositionInfo,
    velocity: VelocityInfo,
) -> tuple[jax.Array, jax.Array]:
    """Places `[pair, 3]` (m), from the common point, and forces `[pair, 3]` (N) of contacts."""
    if hunt_crossley_force not in present(model):
        nothing = jnp.zeros((0, 3), state.q.dtype)
        return nothing, nothing
    no_paths = jnp.zeros(len(model.paths.names), state.q.dtype)  # contacts do not depend on them
    contact = hunt_crossley_force.evaluate(
        model.contacts,
        params.contacts,
        instance.forces[hunt_crossley_force.FIELD],
        kinematics_of(state, pose, velocity, no_paths, no_paths),
        jnp.zeros(len(model.control_names), state.q.dtype),
    )
    return contact.position, contact.force


@functools.cache
def scene_frame_function(model: Model):
    """The jitted `realize_scene_frame` of a model: `(params, state) → SceneFrame`."""
    return jax.jit(functools.partial(realize_scene_frame, model))


@functools.cache
def scene_frames_function(model: Model):
    """The same over states stacked along their leading axis."""
    return jax.jit(jax.vmap(functools.partial(realize_scene_frame, model), in_axes=(None, 0)))


@functools.cache
def path_slots(model: Model) -> np.ndarray:
    """Points of each muscle in order, `[muscle, slot]`; the last is repeated to fill up."""
    points = [np.flatnonzero(model.paths.point_path == path) for path in model.muscle_path]
    longest = max((len(own) for own in points), default=0)
    rows = [np.pad(own, (0, longest - len(own)), mode="edge") for own in points]
    return np.array(rows, dtype=np.int32).reshape(len(rows), longest)


def _paths(
    model: Model, params: Params, instance: InstanceInfo, pose: PositionInfo, q: jax.Array
) -> jax.Array:
    """Current points of every muscle, `[muscle, slot, 3]`, expressed in ground."""
    paths, slots = model.paths, path_slots(model)
    if not slots.size:
        return jnp.zeros((*slots.shape, 3), q.dtype)
    owner = np.concatenate([model.bodies.mobod, [-1]])[paths.point_body]
    R, p = pose.pose[owner, :, :3], pose.pose[owner, :, 3] + pose.origin[None]
    points = p + matvec(R, current_locations(model, params, instance, q))
    order = np.arange(slots.shape[1])
    inside = conditions(model, params, q)
    active_points = jnp.ones(len(paths.point_path), bool).at[paths.conditional_point].set(inside)
    here = active_points[slots]
    before = jax.lax.cummax(jnp.where(here, order, -1), axis=1)
    shown = jnp.where(before < 0, jnp.argmax(here, axis=1, keepdims=True), before)
    return points[jnp.take_along_axis(jnp.asarray(slots), shown, axis=1)]
