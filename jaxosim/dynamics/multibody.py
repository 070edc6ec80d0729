"""Equations of motion of the free coordinates: mass matrix, bias and generalised forces.

M u_dot = τ + Sᵀ(external wrenches) − bias, all about the common point, so that composite inertias
and transmitted forces are plain sums over the bodies outboard of a joint.

Source: Featherstone (2008), composite-rigid-body algorithm and recursive Newton-Euler; see
docs/theory/multibody.md, "Mass matrix" and "Bias forces and equations of motion".
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import (
    constant_matmul,
    dot,
    matmul,
    matmul_nt,
    matvec,
    outer,
    scale_rows,
    transpose,
)
from jaxosim.arrays.spatial import apply_inertia, force_cross
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.kinematics import PositionInfo, VelocityInfo
from jaxosim.pytree import array, pytree
from jaxosim.types import Model


@pytree
class InertiaInfo:
    """Inertia of each mobilized body, in ground axes, about the common point."""

    mass: jax.Array = array("mobod", unit="kg")
    first_moment: jax.Array = array("mobod", 3, unit="kg·m")
    inertia: jax.Array = array("mobod", 3, 3, unit="kg·m²")


@pytree
class NetForce:
    """All that makes the free coordinates accelerate."""

    force: jax.Array = array("mobility", unit="N·m | N")  # M u_dot
    # The same, each part where it acts
    mobility_force: jax.Array = array("mobility", unit="N·m | N")
    # applied, less what a body needs when u_dot = 0
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@stage
def realize_inertia(instance: InstanceInfo, position: PositionInfo) -> InertiaInfo:
    """Turn the bodies' inertias into ground axes and move them to the common point."""
    R, p, mass = position.rotation, position.position, instance.mass
    own = matvec(R, instance.first_moment)  # mass center from the body's origin, times mass
    turned = matmul(matmul(R, instance.inertia), transpose(R))
    first_moment = own + mass[:, None] * p
    # Parallel axes: with s = p(m p + 2 own), symmetrised, the shift is trace(s) 1 − s.
    shift = outer(p, first_moment) + outer(own, p)
    trace = dot(p, first_moment + own)
    identity = jnp.tile(jnp.eye(3, dtype=p.dtype).reshape(1, 9), (len(mass), 1))
    return InertiaInfo(
        mass=mass,
        first_moment=first_moment,
        inertia=turned + scale_rows(identity, trace).reshape(turned.shape) - shift,
    )


def mass_matrix(model: Model, position: PositionInfo, inertia: InertiaInfo) -> jax.Array:
    """Lower triangle of the mass matrix M (kg, kg·m, kg·m²), `[mobility, mobility]`.

    Row by row the momentum that a unit speed gives to all outboard bodies, seen by the inboard
    coordinates; which is the lower triangle because inboard coordinates come first.
    """
    tree = model.tree
    composite = jax.tree.map(lambda x: take(_sum_outboard(model, x), tree.mobility_mobod), inertia)
    momentum = apply_inertia(
        composite.mass, composite.first_moment, composite.inertia, position.hinge
    )
    return matmul_nt(momentum, position.hinge) * np.tril(tree.related).astype(momentum.dtype)


def bias_wrench(velocity: VelocityInfo, inertia: InertiaInfo, gravity: jax.Array) -> jax.Array:
    """Wrench `[mobod, 6]` (N·m, N) that each body needs when no coordinate accelerates.

    Gravity enters as an upward acceleration of the ground.
    """
    arguments = inertia.mass, inertia.first_moment, inertia.inertia
    momentum = apply_inertia(*arguments, velocity.velocity)
    lift = jnp.concatenate([jnp.zeros_like(gravity), -gravity])
    needed = apply_inertia(*arguments, velocity.bias_acceleration + lift[None])
    return needed + force_cross(velocity.velocity, momentum)


def generalized_force(model: Model, position: PositionInfo, wrench: jax.Array) -> jax.Array:
    """Generalised forces `[mobility]` of wrenches on the mobilized bodies `[mobod, 6]`."""
    transmitted = _sum_outboard(model, wrench)
    return dot(position.hinge, take(transmitted, model.tree.mobility_mobod))


def net_force(
    model: Model, position: PositionInfo, mobility_force: jax.Array, wrench: jax.Array
) -> NetForce:
    """The net force of forces on mobilities `[mobility]` and of wrenches on bodies `[mobod, 6]`."""
    force = mobility_force + generalized_force(model, position, wrench)
    return NetForce(force=force, mobility_force=mobility_force, wrench=wrench)


def missing_force(
    model: Model, position: PositionInfo, inertia: InertiaInfo, net: NetForce, u_dot: jax.Array
) -> jax.Array:
    """Generalized force `[mobility]` missing for u_dot: force − M u_dot, found without M.

    Each body's wrench is balanced before any are added, as in inverse dynamics. Where one body is
    accelerated by far more than others, the rounding of M and of the force, in which all are
    already added, moves the others; see docs/theory/multibody.md, "Solution".
    """
    arguments = inertia.mass, inertia.first_moment, inertia.inertia
    needed = apply_inertia(*arguments, _moved(model, position, u_dot))
    return net.mobility_force + generalized_force(model, position, net.wrench - needed)


def _sum_outboard(model: Model, values: jax.Array) -> jax.Array:
    """For each body the sum of values `[mobod, …]` over it and all outboard of it.

    From the tips to the root, so that what cancels at a joint does so before it is added to others.
    """
    levels, parent = model.tree.levels[::-1], model.tree.parent
    if not levels:
        return values
    totals = [values[levels[0]]]
    for further, level in itertools.pairwise(levels):
        own = values[level]
        totals.append(own + segment_sum(totals[-1], parent[further] - level.start, len(own)))
    return concatenate(totals[::-1])


def body_accelerations(
    model: Model, position: PositionInfo, velocity: VelocityInfo, u_dot: jax.Array
) -> jax.Array:
    """Spatial accelerations `[mobod, 6]` about the common point for u_dot `[mobility]`."""
    return _moved(model, position, u_dot) + velocity.bias_acceleration


def _moved(model: Model, position: PositionInfo, u_dot: jax.Array) -> jax.Array:
    """The part of the bodies' accelerations `[mobod, 6]` that is due to u_dot."""
    return constant_matmul(model.tree.support, scale_rows(position.hinge, u_dot))
