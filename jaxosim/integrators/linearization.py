"""The stiff part of the state derivative's Jacobian, and the small solve it allows.

Of the whole Jacobian A only what makes the equations stiff is kept: friction, normal damping and
stiffness of contacts, springs and limits, and each fiber with its tendon and, through the moment
arms, with the joints. What is left out (rates of inertia, of moment arms, of Coriolis forces) is
slow, and a large step must not extrapolate it. Fibers and activations are eliminated by hand, so
that W x = (I − g A) x = r costs one symmetric positive definite solve in the free coordinates.

Source: derived in docs/theory/integration.md, "Structured Jacobian".
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import put, segment_sum, take
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import matvec, scale_rows
from jaxosim.arrays.positive_definite import diagonal, inverse_positive, solve_positive, symmetric
from jaxosim.arrays.safe import clip
from jaxosim.dynamics.joints import JointInfo, coordinate_rates, coordinate_speeds
from jaxosim.dynamics.multibody import mass_matrix
from jaxosim.forces import present
from jaxosim.forces.force import CoordinateJacobian, Kinematics, MobilityJacobian, PathJacobian
from jaxosim.muscles import rows as muscle_rows
from jaxosim.muscles.muscle import MuscleLengthInfo
from jaxosim.paths.geometry_path import (
    PathInfo,
    path_stiffness,
    shortening,
    tension_generalized_force,
)
from jaxosim.system import (
    Dynamics,
    Position,
    StepContext,
    kinematics_of,
    net_generalized_force,
    realize,
    state_rates,
)
from jaxosim.types import (
    Model,
    Params,
    State,
    StateDerivative,
)

_Jacobian = TypeVar("_Jacobian", MobilityJacobian, CoordinateJacobian, PathJacobian)

_TINY = 1e-12  # J: the root's derivative stays finite for a world at rest, squared too


class FiberDerivatives(NamedTuple):
    """Derivatives of tension T, fiber velocity v and activation rate, `[muscle]`."""

    T_path: jax.Array  # N/m, at fixed fiber length; never negative
    T_fiber: jax.Array  # N/m, at fixed path length
    v_path: jax.Array  # 1/s
    v_fiber: jax.Array  # 1/s; never positive
    v_activation: jax.Array  # m/s
    activation: jax.Array  # 1/s, of the activation rate by activation


class EvaluatedStages(NamedTuple):
    """The state derivative at one state except accelerations, and the fibers' derivatives."""

    position: Position
    kinematics: Kinematics
    dynamics: Dynamics
    force: jax.Array  # [mobility] M u_dot
    mass: jax.Array  # [mobility, mobility]
    rates: StateDerivative  # q, activation and fiber rates; u is left zero
    fibers: FiberDerivatives


class Linearization(NamedTuple):
    """The structured Jacobian A at one state, in parts."""

    joints: JointInfo
    paths: PathInfo
    force: jax.Array  # [mobility] M u_dot
    mass: jax.Array  # [mobility, mobility]
    damping: jax.Array  # [mobility, mobility] −∂force/∂u
    stiffness: jax.Array  # [mobility, mobility] −∂force/∂q, without muscles
    rates: StateDerivative  # as in Evaluation
    fibers: FiberDerivatives


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model evaluated at one state, as `ros3w.Evaluation`."""

    model: Model
    params: Params
    stages: EvaluatedStages

    def rates(self) -> StateDerivative:
        """The state derivative, accelerations included."""
        stages = self.stages
        u_dot = solve_positive(stages.mass, inverse_positive(stages.mass), stages.force)
        u = segment_sum(u_dot, self.model.tree.mobility, len(stages.rates.u))
        return dataclasses.replace(stages.rates, u=u)

    def fiber_diagonal(self, g: jax.Array) -> State:
        """1 − g times the derivative of a fiber's velocity by its length; 1 elsewhere."""
        one = jax.tree.map(jnp.ones_like, self.stages.rates)
        return dataclasses.replace(one, fiber_length=1 - g * self.stages.fibers.v_fiber)

    def iteration_matrix(self, h: jax.Array, g: jax.Array) -> "IterationMatrix":
        """W = I − g A with the structured Jacobian A for a step of h."""
        return iteration_matrix(self.model, linearize(self, h), g)

    def norm(self, change: State) -> jax.Array:
        """Root of the energy in a change of the speeds, as if each moved alone.

        Squares are those of speeds over the largest, so that they do not overflow: stages of a step
        may be 1e30 (a tendon far beyond its strain), which then count for nothing but must not make
        the gradient NaN.
        """
        u = take(change.u, self.model.tree.mobility)
        scale = jax.lax.stop_gradient(jnp.maximum(jnp.max(jnp.abs(u), initial=0.0), 1.0))
        u = u / scale
        return scale * jnp.sqrt(jnp.sum(u * u * diagonal(self.stages.mass)) + _TINY)


@dataclasses.dataclass(frozen=True)
class IterationMatrix:
    """W = I − g A, ready to be solved with, as `ros3w.IterationMatrix`."""

    model: Model
    linearization: Linearization  # where A is taken
    g: jax.Array  # s
    fiber_diagonal: jax.Array  # [muscle] 1 − g ∂(fiber velocity)/∂(fiber length)
    stiffness: jax.Array  # [mobility, mobility] of what is left without activations and fibers
    matrix: jax.Array  # [mobility, mobility] of the speeds alone
    inverse: jax.Array  # [mobility, mobility]

    def first_stage(self) -> State:
        """W⁻¹ g times the state derivative, which needs no accelerations."""
        lin, g = self.linearization, self.g
        rhs = jax.tree.map(lambda x: g * x, lin.rates)
        return self.solve_momentum(rhs, g * lin.force)

    def solve(self, rhs: State) -> State:
        """W⁻¹ rhs."""
        mass = symmetric(self.linearization.mass)
        momentum = matvec(mass, take(rhs.u, self.model.tree.mobility))
        return self.solve_momentum(rhs, momentum)

    def solve_momentum(self, rhs: StateDerivative, momentum: jax.Array) -> State:
        """Solve W x = rhs.

        Args:
          rhs: right-hand side; its u is given as `momentum` instead.
          momentum: `[mobility]` M · rhs.u.

        Returns:
          x, a State-shaped increment.
        """
        model, lin, g, damped = self.model, self.linearization, self.g, self.fiber_diagonal
        fibers, paths, mobility = lin.fibers, lin.paths, model.tree.mobility
        displacement = coordinate_speeds(model, lin.joints, rhs.q)
        d_a = rhs.activation / (1 - g * fibers.activation)
        stretched = rhs.fiber_length + g * fibers.v_activation * d_a
        released = tension_generalized_force(
            model, paths, on_paths(model, fibers.T_fiber * stretched / damped)
        )
        force = momentum - g * matvec(self.stiffness, displacement) + g * released
        d_u = solve_positive(self.matrix, self.inverse, force)
        d_s = displacement + g * d_u
        shortened = take(shortening(model, paths, d_s), model.muscle_path)
        return State(
            time=rhs.time,
            q=coordinate_rates(model, lin.joints, segment_sum(d_s, mobility, len(rhs.q))),
            u=segment_sum(d_u, mobility, len(rhs.u)),
            activation=d_a,
            fiber_length=(stretched - g * fibers.v_path * shortened) / damped,
        )


def evaluate(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    context: StepContext | None = None,
) -> Evaluation:
    """What a state derivative and its Jacobian share; arguments are as for `realize`."""
    return Evaluation(model, params, _stages(model, params, state, controls, context))


@jax.jit
def _stages(
    model: Model,
    params: Params,
    state: State,
    controls: jax.Array,
    context: StepContext | None,
) -> EvaluatedStages:
    """Under jit of its own, so that a step that evaluates twice is traced once."""
    position, velocity, dynamics = realize(model, params, state, controls, context)
    force = net_generalized_force(model, params, position, velocity, dynamics)
    return EvaluatedStages(
        position=position,
        kinematics=kinematics_of(
            state,
            position.bodies,
            velocity.bodies,
            position.paths.length,
            velocity.lengthening_speed,
        ),
        dynamics=dynamics,
        force=force,
        mass=mass_matrix(model, position.bodies, position.inertia),
        rates=state_rates(model, position, velocity, dynamics, state, jnp.zeros_like(force)),
        fibers=_fiber_derivatives(model, params, position, state, controls),
    )


def linearize(evaluation: Evaluation, h: float | jax.Array) -> Linearization:
    """The structured Jacobian, in parts, for a step of h (s)."""
    model, params, stages = evaluation.model, evaluation.params, evaluation.stages
    inertia = diagonal(stages.mass)
    parts = [
        force.jacobian(
            getattr(model, force.FIELD),
            getattr(params, force.FIELD),
            stages.kinematics,
            stages.dynamics.forces[force.FIELD],
            inertia,
            h,
        )
        for force in present(model)
    ]
    damping, stiffness = _on_mobilities(
        model, stages.position.paths, parts, jnp.zeros_like(stages.mass)
    )
    return Linearization(
        joints=stages.position.joints,
        paths=stages.position.paths,
        force=stages.force,
        mass=stages.mass,
        damping=damping,
        stiffness=stiffness,
        rates=stages.rates,
        fibers=stages.fibers,
    )


def on_paths(model: Model, values: jax.Array) -> jax.Array:
    """Values `[muscle]` of the muscles that pull along the paths, `[path]`."""
    return put(values, model.muscle_path, len(model.paths.names))


def _on_mobilities(
    model: Model,
    paths: PathInfo,
    parts: Sequence[MobilityJacobian | CoordinateJacobian | PathJacobian | None],
    zero: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Damping and stiffness `[mobility, mobility]` of all forces."""
    matrices = [
        *_total(parts, MobilityJacobian),
        *(
            MobilityJacobian(*(path_stiffness(model, paths, values) for values in part))
            for part in _total(parts, PathJacobian)
        ),
        *(
            MobilityJacobian(*(_diagonal(take(values, model.tree.mobility)) for values in part))
            for part in _total(parts, CoordinateJacobian)
        ),
    ]
    if not matrices:
        return zero, zero
    (total,) = _total(matrices, MobilityJacobian)
    return materialize(total.damping), materialize(total.stiffness)


def _total(parts: Sequence[Any], kind: type[_Jacobian]) -> list[_Jacobian]:
    """The sum of the parts of one kind; none if there are none."""
    own = [part for part in parts if isinstance(part, kind)]
    sums = (functools.reduce(operator.add, values) for values in zip(*own, strict=True))
    return [kind(*sums)] if own else []


def _diagonal(values: jax.Array) -> jax.Array:
    """Diagonal matrix `[n, n]`."""
    return scale_rows(jnp.eye(len(values), dtype=values.dtype), values)


def _fiber_derivatives(
    model: Model,
    params: Params,
    position: Position,
    state: State,
    controls: jax.Array,
) -> FiberDerivatives:
    """Derivatives of tension and rates by path length, fiber length and activation.

    In two steps, so that XLA works out what the slopes share once: curves by lengths, then fiber
    velocity by curves.
    """
    strength, length = params.muscles.max_isometric_force, position.muscles
    path_length, fiber_length, a = materialize(
        (
            take(position.paths.length, model.muscle_path),
            state.fiber_length,
            state.activation,
        )
    )
    excitation = take(controls, model.muscle_control)

    def lengths(path: jax.Array, fiber: jax.Array) -> MuscleLengthInfo:
        return muscle_rows.realize_length(model, params, path, fiber)

    curves_by_path = _slopes(
        lambda x: lengths(x, fiber_length).tendon_force_multiplier, path_length
    )
    curves_by_fiber = _slopes(lambda x: lengths(path_length, x), fiber_length)

    def velocity(curves: MuscleLengthInfo, activation: jax.Array, fiber: jax.Array) -> jax.Array:
        return muscle_rows.realize_fiber_velocity(
            model, params, curves, activation, fiber
        ).fiber_velocity

    def by_tendon(tendon_force: jax.Array) -> jax.Array:
        curves = dataclasses.replace(length, tendon_force_multiplier=tendon_force)
        return velocity(curves, a, fiber_length)

    one = jnp.ones_like(a)
    _, v_fiber = jax.jvp(
        lambda curves, x: velocity(curves, a, x), (length, fiber_length), (curves_by_fiber, one)
    )
    works = model.muscle_applies_force
    slopes = FiberDerivatives(
        T_path=strength * curves_by_path,
        T_fiber=strength * curves_by_fiber.tendon_force_multiplier,
        v_path=curves_by_path * _slopes(by_tendon, length.tendon_force_multiplier),
        v_fiber=clip(v_fiber, high=0.0),
        v_activation=_slopes(lambda x: velocity(length, x, fiber_length), a),
        activation=clip(
            _slopes(lambda x: muscle_rows.activation_rate(model, params, x, excitation), a),
            high=0.0,
        ),
    )
    return FiberDerivatives(*(materialize(jnp.where(works, slope, 0.0)) for slope in slopes))


def _slopes(function: Callable[[jax.Array], Any], x: jax.Array) -> Any:
    """Derivatives of an elementwise function."""
    return materialize(jax.jvp(function, (x,), (jnp.ones_like(x),))[1])


def iteration_matrix(
    model: Model, linearization: Linearization, g: float | jax.Array
) -> IterationMatrix:
    """W = I − g A, with g (s) the step size times a scheme's coefficient."""
    lin, fibers = linearization, linearization.fibers
    fiber_diagonal = materialize(1 - g * fibers.v_fiber)
    pull = clip(fibers.T_path + g * fibers.T_fiber * fibers.v_path / fiber_diagonal, low=0.0)
    stiffness = materialize(lin.stiffness + path_stiffness(model, lin.paths, on_paths(model, pull)))
    matrix = materialize(lin.mass + g * lin.damping + (g * g) * stiffness)
    return IterationMatrix(
        model, lin, jnp.asarray(g), fiber_diagonal, stiffness, matrix, inverse_positive(matrix)
    )
