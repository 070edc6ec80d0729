"""The stiff part of the state derivative's Jacobian, and the small solve it allows.

Of the whole Jacobian A only what makes the equations stiff is kept: friction, normal damping and
stiffness of contacts, springs and limits, and each fiber with its tendon and, through the moment
arms, with the joints. What is left out (rates of inertia, of moment arms, of Coriolis forces) is
slow, and a large step must not extrapolate it. The muscles' states are eliminated by hand, so
that W x = (I − g A) x = r costs one symmetric positive definite solve in the free coordinates.

Source: derived in docs/theory/integration.md, "Structured Jacobian".
"""

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from jaxosim.arrays.constrained import ConstrainedSystem, constrained_system, solve_constrained
from jaxosim.arrays.indexing import put, segment_sum, take
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import matvec, scale_rows
from jaxosim.arrays.positive_definite import diagonal, inverse_positive, solve_positive, symmetric
from jaxosim.arrays.safe import clip
from jaxosim.dynamics.constraints import ConstraintInfo, accelerations
from jaxosim.dynamics.floating import along_counted
from jaxosim.dynamics.joints import JointInfo, coordinate_rates, coordinate_speeds
from jaxosim.dynamics.multibody import NetForce, mass_matrix
from jaxosim.forces import present
from jaxosim.forces.force import (
    CoordinateJacobian,
    Kinematics,
    MobilityJacobian,
    PathJacobian,
    StateJacobian,
)
from jaxosim.muscles import rows as muscle_rows
from jaxosim.muscles.derivatives import FiberDerivatives
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
    Velocity,
    kinematics_of,
    realize,
    realize_net_force,
    state_rates,
)
from jaxosim.types import (
    Model,
    Params,
    State,
    StateDerivative,
)

_Part = MobilityJacobian | CoordinateJacobian | PathJacobian | StateJacobian
_Jacobian = TypeVar("_Jacobian", bound=_Part)

_TINY = 1e-12  # J: the root's derivative stays finite for a world at rest, squared too


class EvaluatedStages(NamedTuple):
    """The state derivative at one state except accelerations, and the fibers' derivatives."""

    position: Position
    kinematics: Kinematics
    dynamics: Dynamics
    net: NetForce
    mass: jax.Array  # [mobility, mobility]
    rates: StateDerivative  # q, activation and contraction rates; u is left zero
    fibers: FiberDerivatives
    constraints: ConstraintInfo | None
    constraint_bias: jax.Array | None  # [equation] second derivatives of errors when u_dot = 0


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
    states: StateJacobian | None  # of forces other than muscles; None if they have no states
    constraints: ConstraintInfo | None
    constraint_bias: jax.Array | None  # [equation]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model evaluated at one state, as `ros3w.Evaluation`."""

    model: Model
    params: Params
    stages: EvaluatedStages

    def rates(self) -> StateDerivative:
        """The state derivative, accelerations included."""
        stages = self.stages
        u_dot, _ = accelerations(
            self.model,
            stages.position.bodies,
            stages.position.inertia,
            stages.mass,
            stages.net,
            stages.constraints,
            stages.constraint_bias,
        )
        u = segment_sum(u_dot, self.model.tree.mobility, len(stages.rates.u))
        return dataclasses.replace(stages.rates, u=u)

    def fiber_diagonal(self, g: jax.Array) -> State:
        """1 − g times the derivative of a contraction state's rate by the state; 1 elsewhere."""
        one = jax.tree.map(jnp.ones_like, self.stages.rates)
        fields = muscle_rows.contraction_fields(self.model, self.stages.fibers.y_state)
        return dataclasses.replace(one, **{name: 1 - g * y for name, y in fields.items()})

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
    fiber_diagonal: jax.Array  # [muscle] 1 − g ∂(rate of the contraction state)/∂(that state)
    stiffness: jax.Array  # [mobility, mobility] of what is left without activations and fibers
    matrix: jax.Array  # [mobility, mobility] of the speeds alone
    inverse: jax.Array  # [mobility, mobility]
    constrained: ConstrainedSystem | None  # matrix and constraint Jacobian, where there is one

    def first_stage(self) -> State:
        """W⁻¹ g times the state derivative, which needs no accelerations."""
        lin, g = self.linearization, self.g
        rhs = jax.tree.map(lambda x: g * x, lin.rates)
        bias = lin.constraint_bias
        return self.solve_momentum(rhs, g * lin.force, None if bias is None else -g * bias)

    def solve(self, rhs: State) -> State:
        """W⁻¹ rhs."""
        mass = symmetric(self.linearization.mass)
        u = take(rhs.u, self.model.tree.mobility)
        constraints = self.linearization.constraints
        value = None if constraints is None else matvec(constraints.jacobian, u)
        return self.solve_momentum(rhs, matvec(mass, u), value)

    def solve_momentum(
        self, rhs: StateDerivative, momentum: jax.Array, value: jax.Array | None = None
    ) -> State:
        """Solve W x = rhs.

        Args:
          rhs: right-hand side; its u is given as `momentum` instead.
          momentum: `[mobility]` M · rhs.u.
          value: `[equation]` G · rhs.u, which G · x.u keeps; None where there is no constraint.

        Returns:
          x, a State-shaped increment.
        """
        model, lin, g, damped = self.model, self.linearization, self.g, self.fiber_diagonal
        fibers, paths, mobility = lin.fibers, lin.paths, model.tree.mobility
        displacement = coordinate_speeds(model, lin.joints, rhs.q)
        d_a = rhs.activation / (1 - g * fibers.activation)
        contracted = muscle_rows.contraction(model, rhs) + g * fibers.y_activation * d_a
        tension = fibers.T_state * contracted / damped
        if fibers.T_activation is not None:
            tension = tension + fibers.T_activation * d_a
        released = tension_generalized_force(model, paths, on_paths(model, tension))
        force = momentum - g * matvec(self.stiffness, displacement) + g * released
        d_states = rhs.force_states
        if lin.states is not None:
            d_states = d_states / (1 - g * lin.states.rate)
            pushed = matvec(lin.states.coordinate_force, d_states)
            pushed = along_counted(model, lin.joints.counted_per_own, pushed)
            force = force + g * take(pushed, mobility)
        if self.constrained is None or value is None:
            d_u = solve_positive(self.matrix, self.inverse, force)
        else:
            d_u, _ = solve_constrained(self.constrained, force, value)
        d_s = displacement + g * d_u
        contracted = contracted - g * fibers.y_path * self._shortening(d_s)
        if fibers.y_speed is not None:
            contracted = contracted - g * fibers.y_speed * self._shortening(d_u)
        return State(
            time=rhs.time,
            q=coordinate_rates(model, lin.joints, segment_sum(d_s, mobility, len(rhs.q))),
            u=segment_sum(d_u, mobility, len(rhs.u)),
            activation=d_a,
            **muscle_rows.contraction_fields(model, contracted / damped),
            force_states=d_states,
        )

    def _shortening(self, change: jax.Array) -> jax.Array:
        """By how much the muscles' paths shorten `[muscle]` if the mobilities change so."""
        return take(
            shortening(self.model, self.linearization.paths, change), self.model.muscle_path
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
    net = realize_net_force(model, params, position, velocity, dynamics)
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
        net=net,
        mass=mass_matrix(model, position.bodies, position.inertia),
        rates=state_rates(model, position, velocity, dynamics, state, jnp.zeros_like(net.force)),
        fibers=_fiber_derivatives(model, params, position, velocity, state),
        constraints=position.constraints,
        constraint_bias=velocity.constraint_bias,
    )


def linearize(evaluation: Evaluation, h: float | jax.Array) -> Linearization:
    """The structured Jacobian, in parts, for a step of h (s)."""
    model, params, stages = evaluation.model, evaluation.params, evaluation.stages
    inertia = diagonal(stages.mass)
    found = [
        force.jacobian(
            getattr(model, force.FIELD),
            getattr(params, force.FIELD),
            stages.kinematics,
            stages.dynamics.forces[force.FIELD],
            inertia,
            h,
        )
        for force in present(model)
        if hasattr(force, "jacobian")
    ]
    parts = [part for own in found for part in (own if isinstance(own, list) else [own])]
    of_states = _total(parts, StateJacobian)
    damping, stiffness = _on_mobilities(
        model, stages.position.paths, parts, jnp.zeros_like(stages.mass)
    )
    return Linearization(
        joints=stages.position.joints,
        paths=stages.position.paths,
        force=stages.net.force,
        mass=stages.mass,
        damping=damping,
        stiffness=stiffness,
        rates=stages.rates,
        fibers=stages.fibers,
        states=of_states[0] if of_states else None,
        constraints=stages.constraints,
        constraint_bias=stages.constraint_bias,
    )


def on_paths(model: Model, values: jax.Array) -> jax.Array:
    """Values `[muscle]` of the muscles that pull along the paths, `[path]`."""
    return put(values, model.muscle_path, len(model.paths.names))


def _on_mobilities(
    model: Model,
    paths: PathInfo,
    parts: Sequence[_Part | None],
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
    velocity: Velocity,
    state: State,
) -> FiberDerivatives:
    """Derivatives of tensions and of the rates of the muscles' states."""
    excitation = take(velocity.controls, model.muscle_control)
    return muscle_rows.derivatives(
        model,
        params,
        position.muscles,
        take(position.paths.length, model.muscle_path),
        take(velocity.lengthening_speed, model.muscle_path),
        muscle_rows.contraction(model, state),
        muscle_rows.used_activation(model, state, excitation),
        excitation,
    )


def iteration_matrix(
    model: Model, linearization: Linearization, g: float | jax.Array
) -> IterationMatrix:
    """W = I − g A, with g (s) the step size times a scheme's coefficient."""
    lin, fibers = linearization, linearization.fibers
    fiber_diagonal = materialize(1 - g * fibers.y_state)
    pull = clip(fibers.T_path + g * fibers.T_state * fibers.y_path / fiber_diagonal, low=0.0)
    stiffness = materialize(lin.stiffness + path_stiffness(model, lin.paths, on_paths(model, pull)))
    damping = lin.damping
    if fibers.T_speed is not None and fibers.y_speed is not None:
        drag = fibers.T_speed + g * fibers.T_state * fibers.y_speed / fiber_diagonal
        drag = on_paths(model, clip(drag, low=0.0))
        damping = damping + path_stiffness(model, lin.paths, drag)
    matrix = materialize(lin.mass + g * damping + (g * g) * stiffness)
    inverse, held = inverse_positive(matrix), lin.constraints
    return IterationMatrix(
        model=model,
        linearization=lin,
        g=jnp.asarray(g),
        fiber_diagonal=fiber_diagonal,
        stiffness=stiffness,
        matrix=matrix,
        inverse=inverse,
        constrained=None if held is None else constrained_system(matrix, inverse, held.jacobian),
    )
