"""Projection of states onto the constraints, and assembly of poses that satisfy them.

A step leaves the constraints by its own error, which would add up. The projection moves the
coordinates, then the speeds, by the smallest change that satisfies the equations again; each step
ends so close to them that two Newton steps reach rounding error. An assembly starts anywhere and
keeps as many coordinates as it can.

Source: Simbody `projectQ`, `projectU`, `Assembler`; OpenSim `AssemblySolver`; see
docs/theory/constraints.md, "Projection" and "Assembly".
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.constrained import least_change
from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.linalg import matvec
from jaxosim.arrays.safe import largest
from jaxosim.dynamics.constraints import ConstraintInfo, is_constrained, realize_constraints
from jaxosim.dynamics.joints import JointInfo, coordinate_rates, coordinate_speeds, realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.system import StepContext
from jaxosim.types import Model, Params, State

_NEWTON_STEPS = 2
_ASSEMBLY_STEPS = 100  # that go towards what the assembly aims at too, ...
_TOWARD = 0.2  # ... by so much of the way, as curved constraints would have whole ways oscillate
_LAST_STEPS = 5  # onto the constraints alone
_LONGEST = 0.5  # rad | m, by which a coordinate may move in one of them
_AT_REST = 1e-9  # rad | m, far below that
_ROUNDING = 16  # units of rounding
_EASE = 1 / 2  # power of 1 over the unit of rounding by which dependent coordinates move first


def project(
    model: Model, params: Params, state: State, context: StepContext | None = None
) -> State:
    """The state with coordinates and speeds moved onto the constraints by the least change.

    # OpenSim differs: it projects only once an error exceeds a tenth of the integrator's accuracy,
    # and for joints whose speeds are an angular velocity it measures the change in their angles.

    Args:
      model: static structure.
      params: model parameters.
      state: near the constraints.
      context: what is held fixed; computed from params if None.
    """
    if not is_constrained(model):
        return state
    context = context or StepContext.of(model, params)
    for _ in range(_NEWTON_STEPS):
        joints, info = _equations(model, params, state, context)
        change = least_change(info.jacobian, jnp.ones_like(info.jacobian[0]), info.error)
        state = _moved(model, joints, state, change)
    return project_speeds(model, params, state, context)


def project_speeds(
    model: Model, params: Params, state: State, context: StepContext | None = None
) -> State:
    """The state with speeds moved onto the constraints by the least change; as `project`."""
    if not is_constrained(model):
        return state
    _, info = _equations(model, params, state, context or StepContext.of(model, params))
    error = matvec(info.jacobian, take(state.u, model.tree.mobility)) + info.error_rate
    change = least_change(info.jacobian, jnp.ones_like(info.jacobian[0]), error)
    u = state.u + segment_sum(change, model.tree.mobility, len(state.u))
    return dataclasses.replace(state, u=u)


def without_normal_part(model: Model, params: Params, state: State, error: State) -> State:
    """An estimated error without the part that a projection removes.

    Args:
      model: static structure.
      params: model parameters.
      state: on the constraints.
      error: of it, q and u.
    """
    if not is_constrained(model):
        return error
    joints, info = _equations(model, params, state, StepContext.of(model, params))
    one = jnp.ones_like(info.jacobian[0])
    mobility = model.tree.mobility

    def removed(values: jax.Array) -> jax.Array:
        change = least_change(info.jacobian, one, matvec(info.jacobian, values))
        return segment_sum(change, mobility, len(state.u))

    q = coordinate_rates(model, joints, removed(coordinate_speeds(model, joints, error.q)))
    u = removed(take(error.u, mobility))
    return dataclasses.replace(error, q=error.q + q, u=error.u + u)


def _equations(
    model: Model, params: Params, state: State, context: StepContext
) -> tuple[JointInfo, ConstraintInfo]:
    """The constraint equations at a state, and the joints that they follow from."""
    joints = realize_joints(model, params, state.q, context.reference)
    bodies = realize_pose(model, context.instance, joints)
    info = realize_constraints(model, params, context.instance, joints, bodies, state)
    assert info is not None
    return joints, info


def _moved(model: Model, joints: JointInfo, state: State, change: jax.Array) -> State:
    """The state with a change of its coordinates, given as one of speeds, `[mobility]`."""
    speeds = segment_sum(change, model.tree.mobility, len(state.u))
    return dataclasses.replace(state, q=state.q + coordinate_rates(model, joints, speeds))


@jax.jit
def assemble(model: Model, params: Params, state: State) -> State:
    """The state with the nearest pose that satisfies the constraints, and speeds projected.

    The nearest in the coordinates that do not depend on others, as OpenSim assembles a model;
    locked coordinates stay, clamped ones stay within their ranges.

    Args:
      model: static structure.
      params: model parameters.
      state: where to start; its coordinates are what the assembly aims at.
    """
    if not is_constrained(model):
        return state
    context = StepContext.of(model, params)
    find = _projected_pose if model.projects_pose else _assembled_pose
    q = find(model, params, state, context)
    return project_speeds(model, params, dataclasses.replace(state, q=q), context)


def _assembled_pose(model: Model, params: Params, state: State, context: StepContext) -> jax.Array:
    """Coordinates as `AssemblySolver` finds them: towards their goals, then onto the equations."""
    easily = float(jnp.finfo(state.q.dtype).eps) ** -_EASE
    ease = np.where(model.dependent, easily, 1.0)
    give = jnp.asarray(np.where(model.locked, 0.0, ease), state.q.dtype)
    low, high = params.coordinates.range[:, 0], params.coordinates.range[:, 1]

    def step(at: tuple[jax.Array, jax.Array, jax.Array], toward: jax.Array):
        q, goal, held = at
        jacobian, error = _equations_of_coordinates(model, params, state, q, context)
        give_now = jnp.where(held, 0.0, give)
        nearest = least_change(jacobian, give_now, error)
        best = goal - q + least_change(jacobian, give_now, error - jacobian @ (q - goal))
        change = nearest + toward * (best - nearest)
        # XLA's older emitters, which the tests use, gave every entry a factor of its own where the
        # one factor was L / max(longest, L).
        longest = jnp.maximum(jnp.max(jnp.abs(change)), _AT_REST)
        change = change * jnp.minimum(1.0, _LONGEST / longest)
        within = jnp.where(model.clamped, jnp.clip(q + change, low, high), q + change)
        stopped = within != q + change
        # Coordinates that depend on others aim at nothing, however steep their functions are.
        goal = jnp.where(stopped | model.dependent, within, goal)
        return (within, goal, held | stopped), None

    start = state.q, state.q, jnp.zeros(state.q.shape, bool)
    toward = np.repeat((_TOWARD, 0.0), (_ASSEMBLY_STEPS, _LAST_STEPS))
    return jax.lax.scan(step, start, jnp.asarray(toward, state.q.dtype))[0][0]


def _projected_pose(model: Model, params: Params, state: State, context: StepContext) -> jax.Array:
    """Coordinates after whole Newton steps, wherever they lead, as OpenSim's integrator begins."""
    give = jnp.asarray(np.where(model.locked, 0.0, 1.0), state.q.dtype)

    def step(q: jax.Array, _: None) -> tuple[jax.Array, None]:
        jacobian, error = _equations_of_coordinates(model, params, state, q, context)
        return q + least_change(jacobian, give, error), None

    return jax.lax.scan(step, state.q, length=_ASSEMBLY_STEPS)[0]


def _equations_of_coordinates(
    model: Model, params: Params, state: State, q: jax.Array, context: StepContext
) -> tuple[jax.Array, jax.Array]:
    """Jacobian by coordinates `[equation, coordinate]` and errors `[equation]` at q."""
    joints, info = _equations(model, params, dataclasses.replace(state, q=q), context)
    unit = jnp.eye(len(q), dtype=q.dtype)
    speeds = jax.vmap(lambda q_dot: coordinate_speeds(model, joints, q_dot))(unit)
    return _without_rounding(info.jacobian @ speeds.T), info.error


def _without_rounding(jacobian: jax.Array) -> jax.Array:
    """The same with zeros for what is rounding of the largest entry of its row.

    Where that one is of a coordinate that does not give way, the equation is no equation of the
    others, and scaled by what is left of it would move them.
    """
    size = jnp.abs(jacobian)
    least = _ROUNDING * jnp.finfo(jacobian.dtype).eps * jnp.max(size, axis=1, keepdims=True)
    return jnp.where(size > least, jacobian, 0.0)


@jax.jit
def constraint_error(model: Model, params: Params, state: State) -> jax.Array:
    """The largest error of a constraint equation at a state (rad | m | 1)."""
    if not is_constrained(model):
        return jnp.zeros((), state.q.dtype)
    _, info = _equations(model, params, state, StepContext.of(model, params))
    return largest(jnp.abs(info.error))
