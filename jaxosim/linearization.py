"""The stiff part of the state derivative's Jacobian, and the small solve it allows.

Of the whole Jacobian A only what makes the equations stiff is kept: friction, normal damping and
stiffness of contacts, springs and limits, and each fiber with its tendon and, through the moment
arms, with the joints. What is left out (rates of inertia, of moment arms, of Coriolis forces) is
slow, and a large step must not extrapolate it. Fibers and activations are eliminated by hand, so
that (I − g A) x = r costs one symmetric positive definite solve in the free coordinates.

Source: derived for jaxosim; secant friction makes the matrix positive definite at any slip.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.dynamics.joints import coordinate_rates, coordinate_speeds
from jaxosim.dynamics.multibody import mass_matrix, solve_positive
from jaxosim.muscles.activation import activation_rate
from jaxosim.muscles.path import shortening, tendon_generalized_force, tendon_stiffness
from jaxosim.muscles.thelen2003 import realize_fiber_velocity, realize_length
from jaxosim.placement import chosen, group_sum, joined, settled
from jaxosim.products import cross
from jaxosim.spatial import dot, matvec, safe_divide, weighted_gram
from jaxosim.system import (
    Dynamics,
    Position,
    net_generalized_force,
    realize,
    state_rates,
)
from jaxosim.types import JointInfo, Model, Params, PathInfo, State, StateDerivative


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
    """What the solve with the structured Jacobian at one state needs."""

    joints: JointInfo
    paths: PathInfo
    force: jax.Array  # [free] M u_dot
    mass: jax.Array  # [free, free]
    damping: jax.Array  # [free, free] −∂force/∂u
    stiffness: jax.Array  # [free, free] −∂force/∂q, without muscles
    rates: StateDerivative  # as in Evaluation
    fibers: FiberSlopes


def evaluate(
    model: Model,
    params: Params,
    state: State,
    excitation: jax.Array,
    chart: jax.Array | None = None,
) -> Evaluation:
    """What a state derivative and its Jacobian share; the chart is as for `realize`."""
    position, velocity, dynamics = realize(model, params, state, excitation, chart)
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
    u_dot = solve_positive(evaluation.mass, evaluation.force)
    u = group_sum(u_dot, model.tree.free, len(evaluation.rates.u))
    return dataclasses.replace(evaluation.rates, u=u)


def linearize(model: Model, params: Params, evaluation: Evaluation) -> Linearization:
    """The structured Jacobian, in parts."""
    position, dynamics = evaluation.position, evaluation.dynamics
    damping, stiffness = _contact_matrices(model, position, dynamics)
    joint_damping, joint_stiffness = _joint_diagonals(model, params, dynamics)
    return Linearization(
        joints=position.joints,
        paths=position.paths,
        force=evaluation.force,
        mass=evaluation.mass,
        damping=settled(damping + _diagonal(joint_damping)),
        stiffness=settled(stiffness + _diagonal(joint_stiffness)),
        rates=evaluation.rates,
        fibers=evaluation.fibers,
    )


def _contact_matrices(
    model: Model, position: Position, dynamics: Dynamics
) -> tuple[jax.Array, jax.Array]:
    """Damping and stiffness matrices `[free, free]` of the contacts that apply force.

    Contacts that the same coordinates move go together: the others' entries are zero.
    """
    contact, free = dynamics.contacts, len(model.tree.free)
    pressing = contact.normal_force > 0
    slip = contact.friction_slope  # secant: friction force over slip
    press = jnp.where(pressing, 1.5 * contact.dissipation * contact.hertz_force, 0.0)
    spring = jnp.where(
        pressing, 1.5 * safe_divide(contact.normal_force, jnp.maximum(contact.depth, 0.0)), 0.0
    )
    slip, press, spring = settled((slip, press, spring))
    places, damping, stiffness = [np.zeros(0, int)], [], []
    for pairs, moving, sign in _contact_groups(model):
        hinge, point = chosen(position.bodies.hinge, moving), chosen(contact.position, pairs)
        moved = hinge[None, :, 3:] + cross(hinge[None, :, :3], point[:, None, :])
        jacobian = settled(moved * sign.astype(moved.dtype)[..., None])  # [pair, moving, 3]
        normal = dot(jacobian, chosen(contact.normal, pairs)[:, None, :])
        rows = jnp.moveaxis(jacobian, -1, 0).reshape(-1, len(moving))
        own_slip, own_press = chosen(slip, pairs), chosen(press, pairs)
        friction = weighted_gram(rows, jnp.tile(own_slip, 3))
        damping.append((friction + weighted_gram(normal, own_press - own_slip)).reshape(-1))
        stiffness.append(weighted_gram(normal, chosen(spring, pairs)).reshape(-1))
        places.append((moving[:, None] * free + moving).reshape(-1))

    def placed(parts: list[jax.Array]) -> jax.Array:
        entries = joined(parts) if parts else jnp.zeros(0, contact.depth.dtype)
        return group_sum(entries, np.concatenate(places), free * free).reshape(free, free)

    return placed(damping), placed(stiffness)


def _contact_groups(model: Model) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of surfaces by the free coordinates that move one over the other.

    Returns:
      For each group its pairs, those coordinates, and `[pair, coordinate]` +1 where the coordinate
      moves the second surface, −1 where the first.
    """
    contacts = model.contacts
    support = np.concatenate([model.tree.support, np.zeros((1, len(model.tree.free)))])
    owner = np.concatenate([model.bodies.mobile, [-1]])[contacts.geometry_body]
    sign = support[owner[contacts.second]] - support[owner[contacts.first]]
    groups: dict[tuple[int, ...], list[int]] = {}
    for pair, row in enumerate(sign):
        groups.setdefault(tuple(np.flatnonzero(row).tolist()), []).append(pair)
    return [
        (np.array(pairs), np.array(moving), sign[np.ix_(pairs, moving)])
        for moving, pairs in groups.items()
        if moving
    ]


def _diagonal(values: jax.Array) -> jax.Array:
    """Diagonal matrix `[n, n]`."""
    return values[:, None] * np.eye(len(values), dtype=values.dtype)


def _joint_diagonals(
    model: Model, params: Params, dynamics: Dynamics
) -> tuple[jax.Array, jax.Array]:
    """Damping and stiffness `[free]` of limits and springs on coordinates."""

    def on_free(limits: jax.Array, springs: jax.Array) -> jax.Array:
        count = len(model.coordinate_names)
        stops = group_sum(limits, model.limits.coordinate, count)
        return chosen(stops + group_sum(springs, model.springs.coordinate, count), model.tree.free)

    limits, springs = dynamics.limits, params.springs
    return (
        on_free(limits.damping, springs.viscosity),
        on_free(jnp.maximum(limits.stiffness, 0.0), springs.stiffness),
    )


def _fiber_slopes(
    model: Model,
    params: Params,
    position: Position,
    state: State,
    excitation: jax.Array,
) -> FiberSlopes:
    """Derivatives of tension and rates by path length, fiber length and activation."""
    muscles = params.muscles

    def laws(path_length, fiber_length, activation):
        length = realize_length(muscles, path_length, fiber_length)
        speed = realize_fiber_velocity(muscles, length, activation, fiber_length)
        tension = muscles.max_isometric_force * length.tendon_force_multiplier
        return tension, speed.fiber_velocity

    one, zero = jnp.ones_like(state.activation), jnp.zeros_like(state.activation)
    at = position.paths.length, state.fiber_length, state.activation
    _, slope = jax.linearize(laws, *settled(at))
    T_path, v_path = slope(one, zero, zero)
    T_fiber, v_fiber = slope(zero, one, zero)
    _, v_activation = slope(zero, zero, one)
    _, activation = jax.jvp(
        lambda a: activation_rate(a, excitation, muscles), (state.activation,), (one,)
    )
    works = model.muscle_applies_force
    slopes = FiberSlopes(
        T_path=T_path,
        T_fiber=T_fiber,
        v_path=v_path,
        v_fiber=jnp.minimum(v_fiber, 0.0),
        v_activation=v_activation,
        activation=jnp.minimum(activation, 0.0),
    )
    return FiberSlopes(*(settled(jnp.where(works, slope, 0.0)) for slope in slopes))


def solve(
    model: Model,
    linearization: Linearization,
    g: float | jax.Array,
    rhs: StateDerivative,
    momentum: jax.Array,
) -> StateDerivative:
    """Solve (I − g A) x = rhs.

    Args:
      model: structure.
      linearization: where A is taken.
      g: (s) step size times the scheme's coefficient.
      rhs: right-hand side; its u is given as `momentum` instead.
      momentum: `[free]` M · rhs.u.

    Returns:
      x, a State-shaped increment.
    """
    lin, fibers, paths = linearization, linearization.fibers, linearization.paths
    shift = coordinate_speeds(model, lin.joints, rhs.q)
    d_a = rhs.activation / (1 - g * fibers.activation)
    e = 1 / (1 - g * fibers.v_fiber)
    pull = jnp.maximum(fibers.T_path + g * e * fibers.T_fiber * fibers.v_path, 0.0)
    p = rhs.fiber_length + g * fibers.v_activation * d_a
    elastic = settled(lin.stiffness + tendon_stiffness(model, paths, pull))
    matrix = lin.mass + g * lin.damping + (g * g) * elastic
    released = tendon_generalized_force(model, paths, e * fibers.T_fiber * p)
    force = momentum - g * matvec(elastic, shift) + g * released
    d_u = solve_positive(matrix, force)
    d_s = shift + g * d_u
    free = model.tree.free
    displaced = group_sum(d_s, free, len(rhs.q))
    d_l = e * (p - g * fibers.v_path * shortening(model, paths, d_s))
    return State(
        time=rhs.time,
        q=coordinate_rates(model, lin.joints, displaced),
        u=group_sum(d_u, free, len(rhs.u)),
        activation=d_a,
        fiber_length=d_l,
    )
