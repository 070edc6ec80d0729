"""From instants to motion: the starting state, one control step, and a rollout of many.

A control step holds the controls for `Options.step_size` (0.01 s, as osim-rl does).
"""

import dataclasses
import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxosim.arrays.indexing import take
from jaxosim.dynamics.controls import total_controls
from jaxosim.fused import fused, using
from jaxosim.host.forks import check_process
from jaxosim.integrators.explicit import euler_steps, rk4_steps
from jaxosim.integrators.local_coordinates import from_local, to_local
from jaxosim.integrators.merson import merson_integrate
from jaxosim.integrators.problem import ModelProblem, error_norm
from jaxosim.integrators.projection import (
    assemble,
    constraint_error,
    project,
    without_normal_part,
)
from jaxosim.integrators.ros3w import SolverState, init, ros3w_step, ros3w_steps, step_schedule
from jaxosim.muscles import rows as muscle_rows
from jaxosim.paths.geometry_path import lengthening_speed
from jaxosim.pytree import array, checked_array, pytree
from jaxosim.state_variables import default_states
from jaxosim.system import (
    StepContext,
    check_records,
    checked_arguments,
    realize_derivative,
    realize_position,
)
from jaxosim.types import Model, Options, Params, State

_FIRST_STEP = 0.01  # s, the first internal step that OpenSim's integrator tries
_EXPLICIT = {"euler": euler_steps, "rk4": rk4_steps}
_IMPLICIT = "ros3w"
_ADAPTIVE = "merson"
_NAMES_SHOWN = 5


@pytree
class IntegratorState:
    """What the adaptive integrator remembers between control steps; fixed steps ignore it."""

    step: jax.Array = array(unit="s")
    controls: jax.Array = array("control", unit="1")  # those in force before


def initial_state(
    model: Model, params: Params, q: ArrayLike | None = None, u: ArrayLike | None = None
) -> State:
    """Default activations, muscles equilibrated, in the default pose or a given one.

    The pose is assembled: moved onto the constraints, if there are any.
    A muscle without equilibrium is warned of; a traced program asks `find_equilibrium`. So is a
    constraint that cannot be satisfied.

    Args:
      model: static structure.
      params: model parameters.
      q: `[coordinate]` (rad | m) pose; the coordinates' defaults if absent.
      u: `[coordinate]` (rad/s | m/s) speeds; the defaults if absent. Locked ones become zero.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    check_process()
    state, found = find_initial_state(model, params, q, u)
    warn_without_equilibrium(model, found)
    warn_unassembled(model, constraint_error(model, params, state))
    return state


def find_initial_state(
    model: Model, params: Params, q: ArrayLike | None = None, u: ArrayLike | None = None
) -> tuple[State, jax.Array]:
    """As `initial_state`, and which muscles have an equilibrium, `[muscle]` bool."""
    check_records(model, params=params)
    coordinates = params.coordinates
    axes, like = {"coordinate": len(model.coordinate_names)}, coordinates.default_value
    pose = checked_array("q", like if q is None else q, axes, like)
    speed = checked_array("u", coordinates.default_speed_value if u is None else u, axes, like)
    state = State(
        time=jnp.zeros((), pose.dtype),
        q=pose,
        u=jnp.where(model.locked, 0.0, speed),
        **default_states(params),
    )
    return find_equilibrium(model, params, assemble(model, params, state))


def equilibrate_muscles(
    model: Model, params: Params, state: State, controls: ArrayLike | None = None
) -> State:
    """The same state with every fiber at the length where it balances its tendon.

    Where OpenSim raises since a muscle has no equilibrium, this warns and names it; a traced
    program cannot, and asks `find_equilibrium`, which takes the same arguments.
    """
    balanced, found = find_equilibrium(model, params, state, controls)
    warn_without_equilibrium(model, found)
    return balanced


def find_equilibrium(
    model: Model, params: Params, state: State, controls: ArrayLike | None = None
) -> tuple[State, jax.Array]:
    """As `equilibrate_muscles`, and which muscles have an equilibrium at all.

    A muscle with a rigid tendon is in equilibrium whatever its fiber length.

    Args:
      model: static structure.
      params: model parameters.
      state: one world; `vmap` for many.
      controls: `[control]` (1), activations of the muscles that ignore activation dynamics; zero if
        absent, as in OpenSim.

    Returns:
      The state, and `[muscle]` bool: false for a muscle whose fiber and tendon cannot carry the
      same force, as on a path far too long for it. Its fiber length then means nothing.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    given = jnp.asarray(np.zeros(len(model.control_names)) if controls is None else controls)
    return _find_equilibrium(model, params, state, checked_arguments(model, params, state, given))


@fused(static_argnums=(0,), constant_argnums=(1,))
def _find_equilibrium(
    model: Model, params: Params, state: State, controls: jax.Array
) -> tuple[State, jax.Array]:
    """The same as one kernel."""
    position = realize_position(model, params, state)
    paths = position.paths
    speed = lengthening_speed(model, params, paths, position.joints, state.q, state.u)
    muscle_speed = take(speed, model.muscle_path)
    controls = total_controls(model, params, state.time, controls, muscle_speed)
    excitation = take(controls, model.muscle_control)
    balanced, found = muscle_rows.equilibrium(
        model,
        params,
        take(paths.length, model.muscle_path),
        muscle_speed,
        muscle_rows.used_activation(model, state, excitation),
    )
    return muscle_rows.with_contraction(model, state, balanced), found


def warn_unassembled(model: Model, error: jax.Array) -> None:
    """Warn of a constraint error (rad | m | 1) that an assembly has left, unless this is traced."""
    if isinstance(error, Tracer) or float(error) < float(jnp.finfo(error.dtype).eps) ** 0.5:
        return
    warnings.warn(
        f"{model.source}: expected a pose that satisfies the constraints, found none: an error of "
        f"{float(error):.3g} is left",
        stacklevel=3,
    )


def warn_without_equilibrium(model: Model, found: jax.Array) -> None:
    """Name the muscles without equilibrium `[muscle]` in a warning, unless this is being traced."""
    if isinstance(found, Tracer) or np.asarray(found).all():
        return
    names = [model.muscle_names[i] for i in np.flatnonzero(~np.asarray(found))]
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    warnings.warn(
        f"{model.source}: fiber and tendon have no equilibrium in {len(names)} muscle(s): {shown}. "
        "Their forces mean nothing: check path, optimal fiber and tendon slack length",
        stacklevel=3,
    )


def _fixed_steps(
    model: Model, params: Params, state: State, controls: jax.Array, options: Options
) -> State:
    """All substeps of one control step by a fixed-step method."""
    local, reference = to_local(model, params, state)
    context = StepContext.of(model, params, reference)
    if options.method == _IMPLICIT:
        problem = ModelProblem(model, params, controls, context)
        end = ros3w_steps(problem, local, _duration(state, options), options.substeps)
    else:

        def rates(at):
            return realize_derivative(model, params, at, controls, context)

        def onto_constraints(at):
            return project(model, params, at, context)

        h = options.step_size / options.substeps
        end = _EXPLICIT[options.method](rates, local, h, options.substeps, onto_constraints)
    return from_local(model, params, reference, end, state)


def _duration(state: State, options: Options) -> jax.Array:
    """The control step's size (s), one for each world: else vmap would trace its substeps twice."""
    return options.step_size + 0 * state.time


def substeps(
    model: Model, params: Params, state: State, controls: jax.Array, options: Options
) -> State:
    """States after each substep of a control step by the implicit method, `[substep]` leading."""
    local, reference = to_local(model, params, state)
    context = StepContext.of(model, params, reference)
    problem = ModelProblem(model, params, controls, context)

    def step(at: SolverState, planned: tuple[jax.Array, jax.Array]) -> tuple[SolverState, State]:
        after = ros3w_step(problem, at, *planned)
        return after, from_local(model, params, reference, after.state, state)

    duration = _duration(state, options)
    return jax.lax.scan(step, init(local, duration), step_schedule(options.substeps, duration))[1]


def _adaptive_step(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    integrator_state: IntegratorState,
    options: Options,
    first_stage: jax.Array | None,
) -> tuple[State, IntegratorState]:
    """One control step of the reference integrator."""

    def rates(y):
        return realize_derivative(model, params, y, controls)

    def onto_constraints(y, error):
        y = project(model, params, y)
        return y, without_normal_part(model, params, y, error)

    first = realize_derivative(
        model, params, state, controls if first_stage is None else first_stage
    )
    end, step = merson_integrate(
        rates,
        functools.partial(error_norm, model),
        state,
        first,
        options.step_size,
        options.accuracy,
        integrator_state.step,
        onto_constraints,
    )
    return end, IntegratorState(step=step, controls=controls)


def init_integrator(state: State, controls: jax.Array) -> IntegratorState:
    """Memory of an integrator that has just been started."""
    return IntegratorState(step=jnp.full_like(state.time, _FIRST_STEP), controls=controls)


def step_with_state(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    integrator_state: IntegratorState,
    options: Options,
    first_stage: jax.Array | None = None,
) -> tuple[State, IntegratorState]:
    """One control step, with the integrator's state carried along.

    Args:
      model: static structure.
      params: model parameters.
      state: one world.
      controls: `[control]` (1).
      integrator_state: from `init_integrator` or the step before.
      options: how to integrate.
      first_stage: `[control]` (1) in the first evaluation of the adaptive method; `controls` if
        None.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    controls = checked_arguments(model, params, state, controls)
    with using(options.kernel):
        return _step_with_state(
            model, params, state, controls, integrator_state, options, first_stage
        )


@fused(static_argnums=(0, 5), constant_argnums=(1,))
def _step_with_state(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    integrator_state: IntegratorState,
    options: Options,
    first_stage: jax.Array | None,
) -> tuple[State, IntegratorState]:
    """The same as one kernel."""
    start = state.time
    if options.method == _ADAPTIVE:
        state, integrator_state = _adaptive_step(
            model, params, state, controls, integrator_state, options, first_stage
        )
    else:
        state = _fixed_steps(model, params, state, controls, options)
        integrator_state = dataclasses.replace(integrator_state, controls=controls)
    return dataclasses.replace(state, time=start + options.step_size), integrator_state


def step(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    options: Options | None = None,
) -> State:
    """One control step of 0.01 s with the controls held.

    Args:
      model: static structure.
      params: model parameters.
      state: one world; `vmap` for many.
      controls: `[control]` (1), to which the model's controllers add; none is clipped.
      options: how to integrate; `Options()` if absent.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    controls = checked_arguments(model, params, state, controls)
    start = init_integrator(state, controls)
    return step_with_state(model, params, state, controls, start, options or Options())[0]


def rollout(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    options: Options | None = None,
) -> State:
    """Many control steps, one per row of controls.

    The adaptive method keeps its step size from one control step to the next, as OpenSim's does.

    Args:
      model: static structure.
      params: model parameters.
      state: one world, before the first step.
      controls: `[time, control]` (1).
      options: how to integrate; `Options()` if absent.

    Returns:
      States after each step, every field with a leading `[time]` axis.

    Raises:
      ModelMismatchError: while tracing, if an array's shape or dtype does not fit the model.
    """
    check_process()
    check_records(model, params=params, state=state)
    axes = {"time": None, "control": len(model.control_names)}
    controls = checked_array("controls", controls, axes, state.activation)
    chosen = options or Options()

    def one(carry, row):
        after = step_with_state(model, params, carry[0], row, carry[1], chosen)
        return after, after[0]

    integrator_state = init_integrator(state, controls[0])
    _, states = jax.lax.scan(one, (state, integrator_state), controls)
    return states
