"""Poses of everything that is drawn, at one instant of one world: pure, jitted, vmapped.

Only what is visible is computed: poses, contacts, and all points of the muscles' paths, as
OpenSim's `GeometryPath::getCurrentPath` lists them, with more of them where a path is on a surface.
"""

import functools

import jax
import jax.numpy as jnp

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
from jaxosim.pytree import array, pytree
from jaxosim.system import kinematics_of
from jaxosim.types import Model, Params, State
from jaxosim.viewer.muscle_paths import muscle_points


@pytree
class SceneFrame:
    """Places of everything that moves, expressed in ground."""

    time: jax.Array = array(unit="s")
    body_rotation: jax.Array = array("body", 3, 3, unit="1")
    body_position: jax.Array = array("body", 3, unit="m")
    path: jax.Array = array("muscle", "slot", 3, unit="m")  # absent ones are where the last is
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
        path=muscle_points(model, params, instance, pose, state.q),
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
