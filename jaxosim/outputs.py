"""Everything OpenSim can report about an instant, as arrays; and osim-rl's dictionary of it.

`describe` runs the same four stages as `state_derivative` and reads its numbers off them. Records
follow the file's order; `to_dict` turns them into the nested dictionary of osim-rl's
`get_state_desc()` on the host.

Source: OpenSim getters of the same names; osim-rl `OsimModel.compute_state_desc`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.constrained import null_space_projection
from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import cross, matmul, matvec, transpose
from jaxosim.arrays.positive_definite import diagonal
from jaxosim.arrays.safe import safe_divide
from jaxosim.arrays.spatial import body_xyz_angles, point_acceleration, point_velocity
from jaxosim.constraints import present as present_constraints
from jaxosim.dynamics.constraints import BodyReactions, reactions
from jaxosim.forces import present
from jaxosim.fused import fused
from jaxosim.paths.geometry_path import moment_arms
from jaxosim.pytree import array, pytree
from jaxosim.structure import GROUND
from jaxosim.system import (
    AccelerationInfo,
    Dynamics,
    Position,
    Velocity,
    checked_arguments,
    realize,
    realize_acceleration,
)
from jaxosim.types import Model, Params, State

_STILL = 8.0  # units of rounding: OpenSim's quotient by less is rounding


@pytree
class CoordinateOutputs:
    """Coordinates, in file order; locked ones have speed and acceleration zero."""

    value: jax.Array = array("coordinate", unit="rad | m")
    speed: jax.Array = array("coordinate", unit="rad/s | m/s")
    acceleration: jax.Array = array("coordinate", unit="rad/s² | m/s²")


@pytree
class BodyOutputs:
    """Bodies: motion of their origins, expressed in ground."""

    position: jax.Array = array("body", 3, unit="m")
    rotation: jax.Array = array("body", 3, 3, unit="1")
    angles: jax.Array = array("body", 3, unit="rad")  # body-fixed XYZ
    velocity: jax.Array = array("body", 3, unit="m/s")
    angular_velocity: jax.Array = array("body", 3, unit="rad/s")
    acceleration: jax.Array = array("body", 3, unit="m/s²")
    angular_acceleration: jax.Array = array("body", 3, unit="rad/s²")


@pytree
class PointOutputs:
    """Motion of points of bodies, expressed in ground."""

    position: jax.Array = array("point", 3, unit="m")
    velocity: jax.Array = array("point", 3, unit="m/s")
    acceleration: jax.Array = array("point", 3, unit="m/s²")


@pytree
class MuscleOutputs:
    """Muscles, named as OpenSim's getters."""

    length: jax.Array = array("muscle", unit="m")
    lengthening_speed: jax.Array = array("muscle", unit="m/s")
    moment_arm: jax.Array = array("muscle", "coordinate", unit="m | 1")  # 0 for locked ones
    activation: jax.Array = array("muscle", unit="1")
    fiber_length: jax.Array = array("muscle", unit="m")
    normalized_fiber_length: jax.Array = array("muscle", unit="1")
    pennation_angle: jax.Array = array("muscle", unit="rad")
    tendon_length: jax.Array = array("muscle", unit="m")
    tendon_strain: jax.Array = array("muscle", unit="1")
    active_force_length_multiplier: jax.Array = array("muscle", unit="1")
    passive_force_multiplier: jax.Array = array("muscle", unit="1")
    fiber_velocity: jax.Array = array("muscle", unit="m/s")
    normalized_fiber_velocity: jax.Array = array("muscle", unit="1")
    force_velocity_multiplier: jax.Array = array("muscle", unit="1")
    fiber_force: jax.Array = array("muscle", unit="N")
    fiber_force_along_tendon: jax.Array = array("muscle", unit="N")
    active_fiber_force: jax.Array = array("muscle", unit="N")
    passive_fiber_force: jax.Array = array("muscle", unit="N")
    tendon_force: jax.Array = array("muscle", unit="N")
    activation_rate: jax.Array = array("muscle", unit="1/s")


@pytree
class StateDescription:
    """Everything OpenSim can report about one instant."""

    coordinates: CoordinateOutputs
    bodies: BodyOutputs
    mass_center: PointOutputs
    muscles: MuscleOutputs
    forces: dict[str, Any]  # by the forces' fields: their Outputs
    markers: PointOutputs
    constraints: dict[str, Any]  # by the constraints' fields: CoordinateReactions, BodyReactions


@jax.named_scope("describe")
def describe(model: Model, params: Params, state: State, controls: jax.Array) -> StateDescription:
    """Everything OpenSim can report, from the stages that also drive the simulation.

    Args:
      model: static structure.
      params: model parameters.
      state: one world.
      controls: `[control]` (1).

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    controls = checked_arguments(model, params, state, controls)
    return _describe(model, params, state, controls)


@fused(static_argnums=(0,), constant_argnums=(1,))
def _describe(model: Model, params: Params, state: State, controls: jax.Array) -> StateDescription:
    """The same as one kernel."""
    position, velocity, dynamics = realize(model, params, state, controls)
    acceleration = realize_acceleration(model, params, position, velocity, dynamics)
    mobility = model.tree.mobility
    zero = jnp.zeros_like(state.u)
    bodies = _bodies(model, position, velocity, acceleration)
    origin = _origins(position, bodies)
    return StateDescription(
        coordinates=CoordinateOutputs(
            value=state.q,
            speed=zero.at[mobility].set(state.u[mobility]),
            acceleration=zero.at[mobility].set(acceleration.u_dot),
        ),
        bodies=bodies,
        mass_center=_mass_center(model, params, bodies),
        muscles=_muscles(model, state, position, velocity, dynamics),
        forces=_forces(model, dynamics, origin),
        markers=_points(bodies, model.marker_body, params.marker_location),
        constraints=reactions(
            model,
            params,
            position.instance,
            position.joints,
            position.constraints,
            acceleration.multiplier,
            origin,
        ),
    )


def _bodies(
    model: Model, position: Position, velocity: Velocity, acceleration: AccelerationInfo
) -> BodyOutputs:
    """Motion of every body, welded ones too."""
    owner = model.bodies.mobod  # GROUND (−1) finds the last row
    rest = jnp.zeros_like(velocity.bodies.velocity, shape=(1, 6))
    pose = take(position.bodies.pose, owner)
    R, p = pose[..., :3], pose[..., 3]
    V = jnp.concatenate([velocity.bodies.velocity, rest])[owner]
    A = jnp.concatenate([acceleration.acceleration, rest])[owner]
    rotation = matmul(R, position.instance.body_rotation)
    origin = p + matvec(R, position.instance.body_position)
    return BodyOutputs(
        position=origin + position.bodies.origin[None],
        rotation=rotation,
        angles=body_xyz_angles(rotation),
        velocity=point_velocity(V, origin),
        angular_velocity=V[:, :3],
        acceleration=point_acceleration(V, A, origin),
        angular_acceleration=A[:, :3],
    )


def _points(bodies: BodyOutputs, owner: np.ndarray, location: jax.Array) -> PointOutputs:
    """Motion of points fixed on bodies; those on ground (−1) stand still."""
    on_ground = (owner < 0)[:, None]
    arm = matvec(bodies.rotation[owner], location)
    w, alpha = bodies.angular_velocity[owner], bodies.angular_acceleration[owner]
    velocity = bodies.velocity[owner] + cross(w, arm)
    acceleration = bodies.acceleration[owner] + cross(alpha, arm) + cross(w, cross(w, arm))
    return PointOutputs(
        position=jnp.where(on_ground, location, bodies.position[owner] + arm),
        velocity=jnp.where(on_ground, 0.0, velocity),
        acceleration=jnp.where(on_ground, 0.0, acceleration),
    )


def _mass_center(model: Model, params: Params, bodies: BodyOutputs) -> PointOutputs:
    """Mass-weighted mean of the bodies' mass centers, `[3]` each."""
    everything = np.arange(len(model.body_names))
    centers = _points(bodies, everything, params.bodies.mass_center)
    share = params.bodies.mass / jnp.sum(params.bodies.mass)
    return jax.tree.map(lambda values: share @ values, centers)


def _muscles(
    model: Model, state: State, position: Position, velocity: Velocity, dynamics: Dynamics
) -> MuscleOutputs:
    """Muscle quantities under OpenSim's names."""
    length, speed, force = position.muscles, velocity.muscles, dynamics.muscles
    arms = take(moment_arms(model, position.paths), model.muscle_path)
    if position.constraints is not None:
        coupled = matmul(arms, _coupling(position.constraints.jacobian))
        # OpenSim leaves coupled coordinates out of moment arms that are functions.
        given = np.isin(model.muscle_path, model.paths.function_based.path)
        arms = jnp.where(given[:, None], arms, coupled)
    moment_arm = jnp.zeros((len(model.muscle_names), len(state.q)), state.q.dtype)
    return MuscleOutputs(
        length=take(position.paths.length, model.muscle_path),
        lengthening_speed=take(velocity.lengthening_speed, model.muscle_path),
        moment_arm=moment_arm.at[:, model.tree.mobility].set(arms),
        activation=speed.activation,
        fiber_length=length.fiber_length,
        normalized_fiber_length=length.normalized_fiber_length,
        pennation_angle=length.pennation_angle,
        tendon_length=length.tendon_length,
        tendon_strain=length.tendon_strain,
        active_force_length_multiplier=length.active_force_length_multiplier,
        passive_force_multiplier=length.passive_force_multiplier,
        fiber_velocity=speed.fiber_velocity,
        normalized_fiber_velocity=speed.normalized_fiber_velocity,
        force_velocity_multiplier=speed.force_velocity_multiplier,
        fiber_force=force.fiber_force,
        fiber_force_along_tendon=force.fiber_force_along_tendon,
        active_fiber_force=force.active_fiber_force,
        passive_fiber_force=force.passive_fiber_force,
        tendon_force=force.tendon_force,
        activation_rate=force.activation_rate,
    )


def _coupling(jacobian: jax.Array) -> jax.Array:
    """Speeds of all coordinates, a column for each that moves by one under the constraints.

    Zero for a coordinate that the constraints do not let move, or only by less than a coupler of
    slope 4e-8 would (in float32 1e-3), where OpenSim divides by rounding.
    """
    moved = transpose(null_space_projection(jacobian))
    own = diagonal(moved)  # squares of the columns' lengths
    still = own < _STILL * jnp.finfo(own.dtype).eps
    return safe_divide(moved, jnp.where(still, 0.0, own)[None])


def _origins(position: Position, bodies: BodyOutputs) -> jax.Array:
    """Origins of all bodies from the common point, ground's last, `[body + 1, 3]` (m)."""
    ground = jnp.zeros_like(bodies.position, shape=(1, 3))
    return jnp.concatenate([bodies.position, ground]) - position.bodies.origin[None]


def _forces(model: Model, dynamics: Dynamics, origin: jax.Array) -> dict[str, Any]:
    """What every class of forces that the model has reports."""
    return {
        force.FIELD: force.outputs(
            getattr(model, force.FIELD), dynamics.forces[force.FIELD], origin
        )
        for force in present(model)
    }


def force_records(model: Model, info: StateDescription) -> dict[str, list[float]]:
    """Record values of every force by name, in file order, as OpenSim's `getRecordValues`.

    That of a disabled muscle is zero, whatever force its tendon would have; other disabled forces
    have no records here.

    Args:
      model: static structure.
      info: of one world.
    """
    tension = np.where(model.muscle_applies_force, np.asarray(info.muscles.tendon_force), 0.0)
    records = {name: [float(one)] for name, one in zip(model.muscle_names, tension, strict=True)}
    for force in present(model):
        records |= force.records(getattr(model, force.FIELD), info.forces[force.FIELD])
    return {name: records[name] for name in model.force_names}


def constraint_records(model: Model, info: StateDescription) -> dict[str, list[float]]:
    """Record values of every constraint by name, as OpenSim's `getRecordValues`.

    They are the opposite of what acts, Gᵀ λ: force and torque on the first and the second body,
    expressed in their nearest common ancestor; of a coupler, the generalized forces on all
    coordinates of the joints that it couples. OpenSim keeps no record of prescribed coordinates.

    Args:
      model: static structure.
      info: of one world.
    """
    rotation = np.concatenate([np.asarray(info.bodies.rotation), np.eye(3)[None]])
    records = {}
    for one in (one for one in present_constraints(model) if one.TAGS):
        structure, acts = getattr(model, one.FIELD), info.constraints[one.FIELD]
        for row, name in enumerate(structure.names):
            if isinstance(acts, BodyReactions):
                pair = int(structure.first_body[row]), int(structure.second_body[row])
                sides = np.concatenate([acts.force[row], acts.torque[row]], axis=1)
                values = sides.reshape(-1, 3) @ rotation[_common_ancestor(model, *pair)]
            else:
                joints = dict.fromkeys(model.tree.coordinate_joint[structure.coupled[row]].tolist())
                own = [c for joint in joints for c in model.joint_coordinates[joint]]
                values = np.asarray(acts.force[row])[own]
            records[name] = (-np.asarray(values)).reshape(-1).tolist()
    return records


def _common_ancestor(model: Model, first: int, second: int) -> int:
    """The nearest body that two bodies both are or hang on; GROUND (−1) at the end."""
    inboard = np.append(model.bodies.inboard, GROUND)
    chain = [first]
    while chain[-1] != GROUND:
        chain.append(int(inboard[chain[-1]]))
    while second not in chain:
        second = int(inboard[second])
    return second


def to_dict(model: Model, info: StateDescription) -> dict[str, dict]:
    """osim-rl's state description: nested dictionaries of lists, on the host.

    Args:
      model: static structure.
      info: of one world, from `describe`.

    Returns:
      Keys, names and lengths as `get_state_desc()` returns them.
    """
    host = jax.tree.map(np.asarray, info)
    return {
        **_joint_entries(model, host),
        **_body_entries(model, host),
        "forces": force_records(model, host),
        "muscles": _named(
            model.muscle_names,
            activation=host.muscles.activation,
            fiber_length=host.muscles.fiber_length,
            fiber_velocity=host.muscles.fiber_velocity,
            fiber_force=host.muscles.fiber_force,
        ),
        "markers": _named(
            model.marker_names,
            pos=host.markers.position,
            vel=host.markers.velocity,
            acc=host.markers.acceleration,
        ),
        "misc": {
            "mass_center_pos": host.mass_center.position.tolist(),
            "mass_center_vel": host.mass_center.velocity.tolist(),
            "mass_center_acc": host.mass_center.acceleration.tolist(),
        },
    }


def _named(names: tuple[str, ...], **columns: np.ndarray) -> dict[str, dict]:
    """One dictionary per name, holding its row of every column."""
    return {
        name: {key: values[row].tolist() for key, values in columns.items()}
        for row, name in enumerate(names)
    }


def _joint_entries(model: Model, info: StateDescription) -> dict[str, dict]:
    """joint_pos, joint_vel, joint_acc: lists by joint name."""
    columns = {
        "joint_pos": info.coordinates.value,
        "joint_vel": info.coordinates.speed,
        "joint_acc": info.coordinates.acceleration,
    }
    return {
        key: {
            name: np.asarray(values)[list(coordinates)].tolist()
            for name, coordinates in zip(model.joint_names, model.joint_coordinates, strict=True)
        }
        for key, values in columns.items()
    }


def _body_entries(model: Model, info: StateDescription) -> dict[str, dict]:
    """body_pos … body_acc_rot: lists of three by body name."""
    columns = {
        "body_pos": info.bodies.position,
        "body_vel": info.bodies.velocity,
        "body_acc": info.bodies.acceleration,
        "body_pos_rot": info.bodies.angles,
        "body_vel_rot": info.bodies.angular_velocity,
        "body_acc_rot": info.bodies.angular_acceleration,
    }
    return {
        key: {name: values[row].tolist() for row, name in enumerate(model.body_names)}
        for key, values in columns.items()
    }
