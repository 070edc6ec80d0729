"""All the verbs of one instant, in OpenSim's order: position, velocity, dynamics, acceleration.

Each `realize_*` turns what is known into a record; `state_derivative` is the four in a row. Read it
as the table of contents of the laws.

Source: Simbody's stages; OpenSim `Model::realize…`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import put, segment_sum, take
from jaxosim.arrays.layout import materialize
from jaxosim.dynamics import constraints
from jaxosim.dynamics.controls import total_controls
from jaxosim.dynamics.floating import Reference, along_counted
from jaxosim.dynamics.instance import InstanceInfo, realize_instance
from jaxosim.dynamics.joints import JointInfo, coordinate_rates, realize_joints
from jaxosim.dynamics.kinematics import (
    PositionInfo,
    VelocityInfo,
    realize_pose,
    realize_velocity_of_bodies,
)
from jaxosim.dynamics.multibody import (
    InertiaInfo,
    NetForce,
    bias_wrench,
    body_accelerations,
    mass_matrix,
    net_force,
    realize_inertia,
)
from jaxosim.errors import ModelMismatchError
from jaxosim.forces import present
from jaxosim.forces.force import ForceInfo, Kinematics, sum_of
from jaxosim.fused import fused
from jaxosim.host.forks import check_process
from jaxosim.muscles import rows as muscle_rows
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.paths.geometry_path import (
    PathInfo,
    lengthening_speed,
    realize_paths,
    tension_generalized_force,
)
from jaxosim.pytree import array, check_dtypes, check_shapes, checked_array, pytree
from jaxosim.types import Model, Params, State, StateDerivative

_CLASSES = {"model": Model, "params": Params, "state": State}


class StepContext(NamedTuple):
    """What is held fixed while a step is computed."""

    instance: InstanceInfo  # what follows from params alone
    # from `local_coordinates.to_local`: from where the angles of floating joints are counted; none
    # where the state is expressed in the model's own coordinates
    reference: Reference | None = None
    # [conditional] bool, the path points that are active; if None, those in whose range q is
    active_points: jax.Array | None = None

    @classmethod
    def of(cls, model: Model, params: Params, reference: Reference | None = None) -> "StepContext":
        """The context of these params."""
        return cls(realize_instance(model, params), reference)


@pytree
class Position:
    """Everything known once the coordinates and contraction states are."""

    instance: InstanceInfo
    joints: JointInfo
    bodies: PositionInfo
    inertia: InertiaInfo
    paths: PathInfo
    muscles: MuscleLengthInfo
    constraints: constraints.ConstraintInfo | None  # where there are any


@pytree
class Velocity:
    """Everything known once the speeds, activations and controls are."""

    bodies: VelocityInfo
    controls: jax.Array = array("control", unit="1")  # given, and those of controllers
    lengthening_speed: jax.Array = array("path", unit="m/s")
    contraction_rate: jax.Array = array("muscle", unit="m/s | 1/s")
    muscles: FiberVelocityInfo
    constraint_bias: jax.Array | None = array("equation", unit="mixed")  # ë when u_dot = 0


@pytree
class Dynamics:
    """Every force at work."""

    muscles: MuscleDynamicsInfo
    forces: dict[str, Any]  # by the forces' fields: their Info
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")
    mobility_force: jax.Array = array("mobility", unit="N·m | N")


@pytree
class AccelerationInfo:
    """Accelerations of the free coordinates and of the mobilized bodies."""

    u_dot: jax.Array = array("mobility", unit="rad/s² | m/s²")
    acceleration: jax.Array = array("mobod", 6, unit="rad/s², m/s²")  # A, about the common point
    multiplier: jax.Array | None = array("equation", unit="mixed")  # λ, where there are constraints


@jax.named_scope("realize_position")
def realize_position(
    model: Model, params: Params, state: State, context: StepContext | None = None
) -> Position:
    """Poses, path lengths and moment arms, fiber and tendon lengths; arguments as for `realize`."""
    instance, reference, active_points = context or StepContext.of(model, params)
    joints = realize_joints(model, params, state.q, reference)
    bodies = realize_pose(model, instance, joints)
    paths = realize_paths(model, params, instance, bodies, state.q, active_points)
    length = take(paths.length, model.muscle_path)
    contraction = muscle_rows.contraction(model, state)
    return Position(
        instance=instance,
        joints=joints,
        bodies=bodies,
        inertia=realize_inertia(instance, bodies),
        paths=paths,
        muscles=muscle_rows.realize_length(model, params, length, contraction),
        constraints=constraints.realize_constraints(model, params, instance, joints, bodies, state),
    )


@jax.named_scope("realize_velocity")
def realize_velocity(
    model: Model, params: Params, state: State, controls: jax.Array, position: Position
) -> Velocity:
    """Body velocities, lengthening speeds of paths and fibers, controls, contraction rates."""
    speed = lengthening_speed(model, params, position.paths, position.joints, state.q, state.u)
    muscle_speed = take(speed, model.muscle_path)
    controls = total_controls(model, params, state.time, controls, muscle_speed)
    excitation = take(controls, model.muscle_control)
    muscles = muscle_rows.realize_fiber_velocity(
        model,
        params,
        position.muscles,
        muscle_speed,
        muscle_rows.used_activation(model, state, excitation),
        muscle_rows.contraction(model, state),
    )
    bodies = realize_velocity_of_bodies(model, position.joints, position.bodies, state.u)
    return Velocity(
        bodies=bodies,
        controls=controls,
        lengthening_speed=speed,
        muscles=muscles,
        contraction_rate=muscle_rows.contraction_rate(
            model, params, position.muscles, muscles, muscle_speed
        ),
        constraint_bias=constraints.realize_bias(
            model, params, position.instance, position.constraints, position.joints, bodies, state.u
        ),
    )


@jax.named_scope("realize_dynamics")
def realize_dynamics(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    position: Position,
    velocity: Velocity,
) -> Dynamics:
    """Forces of muscles and of everything else."""
    excitation = take(controls, model.muscle_control)
    activation = muscle_rows.used_activation(model, state, excitation)
    muscles = muscle_rows.realize_dynamics(
        model, params, position.muscles, velocity.muscles, activation, excitation
    )
    kinematics = kinematics_of(
        state, position.bodies, velocity.bodies, position.paths.length, velocity.lengthening_speed
    )
    forces = realize_forces(model, params, position.instance, kinematics, controls)
    on_coordinates = along_counted(
        model,
        position.joints.counted_per_own,
        sum_of((force.coordinate_force for force in forces.values()), jnp.zeros_like(state.q)),
    )
    tension = jnp.where(model.muscle_applies_force, muscles.tendon_force, 0.0)
    path_tension = sum_of(
        [
            put(tension, model.muscle_path, len(model.paths.names)),
            *(force.path_tension for force in forces.values()),
        ],
        jnp.zeros_like(position.paths.length),
    )
    return Dynamics(
        muscles=muscles,
        forces=forces,
        wrench=sum_of(
            (force.wrench for force in forces.values()), jnp.zeros_like(velocity.bodies.velocity)
        ),
        mobility_force=take(on_coordinates, model.tree.mobility)
        + tension_generalized_force(model, position.paths, path_tension),
    )


def kinematics_of(
    state: State,
    position: PositionInfo,
    velocity: VelocityInfo,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
) -> Kinematics:
    """What forces may depend on at an instant."""
    return Kinematics(
        time=state.time,
        q=state.q,
        u=state.u,
        pose=position.pose,
        velocity=velocity.velocity_of_frames,
        hinge=position.hinge,
        path_length=path_length,
        lengthening_speed=lengthening_speed,
        force_states=state.force_states,
    )


def realize_forces(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    kinematics: Kinematics,
    controls: jax.Array,
) -> dict[str, ForceInfo]:
    """The Info of every class of forces that the model has, by its field of Model and Params."""
    return {
        force.FIELD: force.evaluate(
            getattr(model, force.FIELD),
            getattr(params, force.FIELD),
            instance.forces.get(force.FIELD),
            kinematics,
            controls,
        )
        for force in present(model)
    }


def realize(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    context: StepContext | None = None,
) -> tuple[Position, Velocity, Dynamics]:
    """The three stages up to the forces; a batch is laid out with the worlds contiguous.

    Args:
      model: static structure.
      params: model parameters.
      state: one world.
      controls: `[control]` (1), to which the model's controllers add.
      context: what is held fixed; computed from params if None.
    """
    state, controls = materialize((state, controls))
    position = realize_position(model, params, state, context)
    velocity = realize_velocity(model, params, state, controls, position)
    dynamics = realize_dynamics(model, params, state, velocity.controls, position, velocity)
    return position, velocity, dynamics


def realize_net_force(
    model: Model, params: Params, position: Position, velocity: Velocity, dynamics: Dynamics
) -> NetForce:
    """All that makes the free coordinates accelerate."""
    needed = bias_wrench(velocity.bodies, position.inertia, params.gravity)
    return net_force(model, position.bodies, dynamics.mobility_force, dynamics.wrench - needed)


@jax.named_scope("realize_acceleration")
def realize_acceleration(
    model: Model, params: Params, position: Position, velocity: Velocity, dynamics: Dynamics
) -> AccelerationInfo:
    """Accelerations of coordinates and bodies."""
    net = realize_net_force(model, params, position, velocity, dynamics)
    u_dot, multiplier = constraints.accelerations(
        model,
        position.bodies,
        position.inertia,
        mass_matrix(model, position.bodies, position.inertia),
        net,
        position.constraints,
        velocity.constraint_bias,
    )
    return AccelerationInfo(
        u_dot=u_dot,
        acceleration=body_accelerations(model, position.bodies, velocity.bodies, u_dot),
        multiplier=multiplier,
    )


def state_rates(
    model: Model,
    position: Position,
    velocity: Velocity,
    dynamics: Dynamics,
    state: State,
    u_dot: jax.Array,
) -> StateDerivative:
    """Gather the rates of a State; a disabled muscle's stay zero, a locked coordinate's too."""
    works = model.muscle_applies_force
    return State(
        time=jnp.ones_like(state.time),
        q=coordinate_rates(model, position.joints, state.u),
        u=segment_sum(u_dot, model.tree.mobility, len(model.coordinate_names)),
        activation=jnp.where(works, dynamics.muscles.activation_rate, 0.0),
        **muscle_rows.contraction_fields(model, jnp.where(works, velocity.contraction_rate, 0.0)),
        force_states=sum_of(
            (force.state_rate for force in dynamics.forces.values()),
            jnp.zeros_like(state.force_states),
        ),
    )


def check_records(model: Model, **records: Params | State) -> None:
    """Compare the arguments `params` and `state` with the model that they belong to.

    Raises:
      ModelMismatchError: an argument is of another class, or an array's shape or dtype does not fit
        the model.
    """
    for name, value in {"model": model, **records}.items():
        if not isinstance(value, _CLASSES[name]):
            raise ModelMismatchError(
                f"{name}: expected jaxosim.{_CLASSES[name].__name__}, got {type(value).__name__}"
            )
    for record in records.values():
        check_shapes(record, model.sizes)
    check_dtypes(*records.values())


def checked_arguments(model: Model, params: Params, state: State, controls: jax.Array) -> jax.Array:
    """The controls of one instant, after everything that the instant is made of was checked.

    Raises:
      ModelMismatchError: an argument's class, or an array's shape or dtype, does not fit the model.
      RuntimeError: this process was forked from one that had used JAX.
    """
    check_process()
    check_records(model, params=params, state=state)
    axes = {"control": len(model.control_names)}
    return checked_array("controls", controls, axes, state.activation)


def state_derivative(
    model: Model, params: Params, state: State, controls: jax.Array
) -> StateDerivative:
    """Rates of everything that is integrated.

    Args:
      model: static structure.
      params: model parameters.
      state: one world.
      controls: `[control]` (1), to which the model's controllers add; none is clipped.

    Returns:
      A State whose fields are rates: q_dot, u_dot, activation rate (1/s), fiber velocity (m/s);
      zero in the rows of muscles that have no such state.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    controls = checked_arguments(model, params, state, controls)
    return _state_derivative(model, params, state, controls)


@fused(static_argnums=(0,), constant_argnums=(1,))
def _state_derivative(
    model: Model, params: Params, state: State, controls: jax.Array
) -> StateDerivative:
    """The same as one kernel."""
    return realize_derivative(model, params, state, controls)


def realize_derivative(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    context: StepContext | None = None,
) -> StateDerivative:
    """The four stages in a row, for programs that have checked their arguments; as `realize`."""
    position, velocity, dynamics = realize(model, params, state, controls, context)
    acceleration = realize_acceleration(model, params, position, velocity, dynamics)
    return state_rates(model, position, velocity, dynamics, state, acceleration.u_dot)
