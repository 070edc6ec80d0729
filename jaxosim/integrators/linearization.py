"""The stiff part of the state derivative's Jacobian, and the small solve it allows.

Of the whole Jacobian A only what makes the equations stiff is kept: friction, normal damping and
stiffness of contacts, springs and limits, and each fiber with its tendon and, through the moment
arms, with the joints. What is left out (rates of inertia, of moment arms, of Coriolis forces) is
slow, and a large step must not extrapolate it. Fibers and activations are eliminated by hand, so
that (I − g A) x = r costs one symmetric positive definite solve in the free coordinates.

Source: derived for jaxosim.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import matvec, scale_rows
from jaxosim.arrays.positive_definite import diagonal, inverse_positive, solve_positive
from jaxosim.arrays.safe import clip
from jaxosim.dynamics.joints import coordinate_rates, coordinate_speeds
from jaxosim.dynamics.multibody import mass_matrix
from jaxosim.forces.hunt_crossley_jacobian import contact_matrices
from jaxosim.muscles.activation import activation_rate
from jaxosim.muscles.thelen2003 import realize_fiber_velocity, realize_length
from jaxosim.paths.geometry_path import shortening, tendon_generalized_force, tendon_stiffness
from jaxosim.system import (
    Dynamics,
    Position,
    net_generalized_force,
    realize,
    state_rates,
)
from jaxosim.types import (
    InstanceInfo,
    JointInfo,
    Model,
    MuscleLengthInfo,
    Params,
    PathInfo,
    State,
    StateDerivative,
)


class FiberSlopes(NamedTuple):
    """Derivatives of tension T, fiber velocity v and activation rate, `[muscle]`."""

    T_path: jax.Array  # N/m, at fixed fiber length; never negative
    T_fiber: jax.Array  # N/m, at fixed path length
    v_path: jax.Array  # 1/s
    v_fiber: jax.Array  # 1/s; never positive
    v_activation: jax.Array  # m/s
    activation: jax.Array  # 1/s, of the activation rate by activation


class Evaluation(NamedTuple):
    """The state derivative at one state, but for accelerations, and the slopes of the fibers."""

    position: Position
    dynamics: Dynamics
    force: jax.Array  # [free] M u_dot
    mass: jax.Array  # [free, free]
    rates: StateDerivative  # q, activation and fiber rates; u is left zero
    fibers: FiberSlopes


class Linearization(NamedTuple):
    """The structured Jacobian A at one state, in parts."""

    joints: JointInfo
    paths: PathInfo
    force: jax.Array  # [free] M u_dot
    mass: jax.Array  # [free, free]
    damping: jax.Array  # [free, free] −∂force/∂u
    stiffness: jax.Array  # [free, free] −∂force/∂q, without muscles
    rates: StateDerivative  # as in Evaluation
    fibers: FiberSlopes


class Shifted(NamedTuple):
    """I − g A, ready to be solved with."""

    linearization: Linearization  # where A is taken
    g: jax.Array  # s
    damped: jax.Array  # [muscle] 1 − g ∂(fiber velocity)/∂(fiber length)
    stiffness: jax.Array  # [free, free] of all that is left when activations and fibers are solved
    matrix: jax.Array  # [free, free] of the speeds alone
    inverse: jax.Array  # [free, free]


@functools.partial(jax.jit, static_argnums=0)
def evaluate(
    model: Model,
    params: Params,
    state: State,
    excitation: jax.Array,
    chart: jax.Array | None = None,
    present: jax.Array | None = None,
    instance: InstanceInfo | None = None,
) -> Evaluation:
    """What a state derivative and its Jacobian share; arguments are as for `realize`.

    Under jit of its own, so that a step that evaluates twice is traced once.
    """
    position, velocity, dynamics = realize(
        model, params, state, excitation, chart, present, instance
    )
    force = net_generalized_force(model, params, position, velocity, dynamics)
    return Evaluation(
        position=position,
        dynamics=dynamics,
        force=force,
        mass=mass_matrix(model, position.bodies, position.inertia),
        rates=state_rates(model, position, velocity, dynamics, state, jnp.zeros_like(force)),
        fibers=_fiber_slopes(model, params, position, state, excitation),
    )


def full_rates(model: Model, evaluation: Evaluation) -> StateDerivative:
    """The state derivative, accelerations included."""
    mass = evaluation.mass
    u_dot = solve_positive(mass, inverse_positive(mass), evaluation.force)
    u = segment_sum(u_dot, model.tree.free, len(evaluation.rates.u))
    return dataclasses.replace(evaluation.rates, u=u)


def linearize(
    model: Model, params: Params, evaluation: Evaluation, h: float | jax.Array
) -> Linearization:
    """The structured Jacobian, in parts, for a step of h (s)."""
    position, dynamics = evaluation.position, evaluation.dynamics
    damping, stiffness = contact_matrices(
        model, position.bodies, dynamics.contacts, diagonal(evaluation.mass), h
    )
    joint_damping, joint_stiffness = _joint_diagonals(model, params, dynamics)
    return Linearization(
        joints=position.joints,
        paths=position.paths,
        force=evaluation.force,
        mass=evaluation.mass,
        damping=materialize(damping + _diagonal(joint_damping)),
        stiffness=materialize(stiffness + _diagonal(joint_stiffness)),
        rates=evaluation.rates,
        fibers=evaluation.fibers,
    )


def _diagonal(values: jax.Array) -> jax.Array:
    """Diagonal matrix `[n, n]`."""
    return scale_rows(jnp.eye(len(values), dtype=values.dtype), values)


def _joint_diagonals(
    model: Model, params: Params, dynamics: Dynamics
) -> tuple[jax.Array, jax.Array]:
    """Damping and stiffness `[free]` of limits and springs on coordinates."""

    def on_free(limits: jax.Array, springs: jax.Array) -> jax.Array:
        count = len(model.coordinate_names)
        stops = segment_sum(limits, model.limits.coordinate, count)
        return take(stops + segment_sum(springs, model.springs.coordinate, count), model.tree.free)

    limits, springs = dynamics.limits, params.springs
    return (
        on_free(limits.damping, springs.viscosity),
        on_free(clip(limits.stiffness, low=0.0), springs.stiffness),
    )


def _fiber_slopes(
    model: Model,
    params: Params,
    position: Position,
    state: State,
    excitation: jax.Array,
) -> FiberSlopes:
    """Derivatives of tension and rates by path length, fiber length and activation.

    In two steps, so that XLA works out what the slopes share once: curves by lengths, then fiber
    velocity by curves.
    """
    muscles, length = params.muscles, position.muscles
    path_length, fiber_length, a = materialize(
        (position.paths.length, state.fiber_length, state.activation)
    )
    curves_by_path = _slopes(
        lambda x: realize_length(muscles, x, fiber_length).tendon_force_multiplier, path_length
    )
    curves_by_fiber = _slopes(lambda x: realize_length(muscles, path_length, x), fiber_length)

    def velocity(curves: MuscleLengthInfo, activation: jax.Array, fiber: jax.Array) -> jax.Array:
        return realize_fiber_velocity(muscles, curves, activation, fiber).fiber_velocity

    def by_tendon(tendon_force: jax.Array) -> jax.Array:
        curves = dataclasses.replace(length, tendon_force_multiplier=tendon_force)
        return velocity(curves, a, fiber_length)

    one = jnp.ones_like(a)
    _, v_fiber = jax.jvp(
        lambda curves, x: velocity(curves, a, x), (length, fiber_length), (curves_by_fiber, one)
    )
    works = model.muscle_applies_force
    slopes = FiberSlopes(
        T_path=muscles.max_isometric_force * curves_by_path,
        T_fiber=muscles.max_isometric_force * curves_by_fiber.tendon_force_multiplier,
        v_path=curves_by_path * _slopes(by_tendon, length.tendon_force_multiplier),
        v_fiber=clip(v_fiber, high=0.0),
        v_activation=_slopes(lambda x: velocity(length, x, fiber_length), a),
        activation=clip(_slopes(lambda x: activation_rate(x, excitation, muscles), a), high=0.0),
    )
    return FiberSlopes(*(materialize(jnp.where(works, slope, 0.0)) for slope in slopes))


def _slopes(function: Callable[[jax.Array], Any], x: jax.Array) -> Any:
    """Derivatives of an elementwise function."""
    return materialize(jax.jvp(function, (x,), (jnp.ones_like(x),))[1])


def shift(model: Model, linearization: Linearization, g: float | jax.Array) -> Shifted:
    """I − g A, with g (s) the step size times a scheme's coefficient."""
    lin, fibers = linearization, linearization.fibers
    damped = materialize(1 - g * fibers.v_fiber)
    pull = clip(fibers.T_path + g * fibers.T_fiber * fibers.v_path / damped, low=0.0)
    stiffness = materialize(lin.stiffness + tendon_stiffness(model, lin.paths, pull))
    matrix = materialize(lin.mass + g * lin.damping + (g * g) * stiffness)
    return Shifted(lin, jnp.asarray(g), damped, stiffness, matrix, inverse_positive(matrix))


def solve(
    model: Model, shifted: Shifted, rhs: StateDerivative, momentum: jax.Array
) -> StateDerivative:
    """Solve (I − g A) x = rhs.

    Args:
      model: structure.
      shifted: I − g A.
      rhs: right-hand side; its u is given as `momentum` instead.
      momentum: `[free]` M · rhs.u.

    Returns:
      x, a State-shaped increment.
    """
    lin, g, damped = shifted.linearization, shifted.g, shifted.damped
    fibers, paths, free = lin.fibers, lin.paths, model.tree.free
    displacement = coordinate_speeds(model, lin.joints, rhs.q)
    d_a = rhs.activation / (1 - g * fibers.activation)
    stretched = rhs.fiber_length + g * fibers.v_activation * d_a
    released = tendon_generalized_force(model, paths, fibers.T_fiber * stretched / damped)
    force = momentum - g * matvec(shifted.stiffness, displacement) + g * released
    d_u = solve_positive(shifted.matrix, shifted.inverse, force)
    d_s = displacement + g * d_u
    shortened = shortening(model, paths, d_s)
    return State(
        time=rhs.time,
        q=coordinate_rates(model, lin.joints, segment_sum(d_s, free, len(rhs.q))),
        u=segment_sum(d_u, free, len(rhs.u)),
        activation=d_a,
        fiber_length=(stretched - g * fibers.v_path * shortened) / damped,
    )
