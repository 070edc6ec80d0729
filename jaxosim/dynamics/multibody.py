"""Equations of motion of the free coordinates: mass matrix, bias and generalised forces.

M u_dot = τ + Sᵀ(external wrenches) − bias, all about the common point, so that composite inertias
and transmitted forces are plain sums over the bodies outboard of a joint.

Source: Featherstone (2008), composite-rigid-body algorithm and recursive Newton-Euler.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxosim.placement import chosen, settled
from jaxosim.products import cross, row_products, scaled, static_sum
from jaxosim.pytree import array, pytree
from jaxosim.spatial import apply_inertia, dot, force_cross, matmul, matvec, outer, transpose
from jaxosim.types import InstanceInfo, Model, PositionInfo, VelocityInfo

_PIVOT_SLACK = 4  # units of rounding, relative to the diagonal


@pytree
class InertiaInfo:
    """Inertia of each mobile body, in ground axes, about the common point."""

    mass: jax.Array = array("mobile", unit="kg")
    first_moment: jax.Array = array("mobile", 3, unit="kg·m")
    inertia: jax.Array = array("mobile", 3, 3, unit="kg·m²")


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
        inertia=turned + scaled(identity, trace).reshape(turned.shape) - shift,
    )


def mass_matrix(model: Model, position: PositionInfo, inertia: InertiaInfo) -> jax.Array:
    """Lower triangle of the mass matrix M (kg, kg·m, kg·m²), `[free, free]`.

    Row by row the momentum that a unit speed gives to all outboard bodies, seen by the inboard
    coordinates; which is the lower triangle because inboard coordinates come first.
    """
    tree = model.tree
    composite = jax.tree.map(
        lambda x: chosen(static_sum(tree.descendants, x), tree.free_mobile), inertia
    )
    momentum = apply_inertia(
        composite.mass, composite.first_moment, composite.inertia, position.hinge
    )
    return row_products(momentum, position.hinge) * np.tril(tree.related).astype(momentum.dtype)


def bias_wrench(velocity: VelocityInfo, inertia: InertiaInfo, gravity: jax.Array) -> jax.Array:
    """Wrench `[mobile, 6]` (N·m, N) that each body needs when no coordinate accelerates.

    Gravity enters as an upward acceleration of the ground.
    """
    arguments = inertia.mass, inertia.first_moment, inertia.inertia
    momentum = apply_inertia(*arguments, velocity.velocity)
    lift = jnp.concatenate([jnp.zeros_like(gravity), -gravity])
    needed = apply_inertia(*arguments, velocity.bias_acceleration + lift[None])
    return needed + force_cross(velocity.velocity, momentum)


def generalized_force(model: Model, position: PositionInfo, wrench: jax.Array) -> jax.Array:
    """Generalised forces `[free]` of wrenches on the mobile bodies `[mobile, 6]`."""
    transmitted = static_sum(model.tree.descendants, wrench)
    return dot(position.hinge, chosen(transmitted, model.tree.free_mobile))


def diagonal(matrix: jax.Array) -> jax.Array:
    """Diagonal `[n]` of a square matrix."""
    count = len(matrix)
    return chosen(matrix.reshape(-1), np.arange(count) * (count + 1))


def symmetric(lower: jax.Array) -> jax.Array:
    """The whole matrix of which the lower triangle is given."""
    below = np.tril(np.ones(lower.shape), -1).astype(lower.dtype)
    return settled(lower + (below * lower).T)


@jax.custom_jvp
def solve_positive(matrix: jax.Array, inverse: jax.Array, rhs: jax.Array) -> jax.Array:
    """Solve a symmetric positive definite system whose inverse is known.

    Args:
      matrix: `[n, n]`, of which only the lower triangle is read, and that by derivatives only.
      inverse: `[n, n]` by `inverse_positive`; derivatives count on its being the matrix's.
      rhs: `[n]`.
    """
    return _solve_p.bind(inverse, rhs)


@solve_positive.defjvp
def _solve_positive_jvp(
    primals: tuple[jax.Array, jax.Array, jax.Array],
    tangents: tuple[jax.Array, jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    _, inverse, rhs = primals
    x = _solve_p.bind(inverse, rhs)
    change = symmetric(_lower(tangents[0]))
    return x, _solve_p.bind(inverse, tangents[2] - matvec(change, x))


def inverse_positive(matrix: jax.Array) -> jax.Array:
    """Inverse of a symmetric positive definite matrix, for `solve_positive`: itself a constant.

    By elimination, not by LAPACK: batched LAPACK calls of jaxlib 0.10 wait for each other forever
    when two of them run at once on a CPU with two threads. A pivot is never smaller than rounding
    allows, so that next to gimbal lock the result is large, but not NaN. Factors would take fewer
    operations, but twice as many passes over a batch, and short ones; a fused kernel takes those
    (`jaxosim/fused/rules_positive.py`), and then this is whatever `solve_positive` needs.

    Args:
      matrix: `[n, n]`, of which only the lower triangle is read.
    """
    return _inverse_p.bind(jax.lax.stop_gradient(matrix), slack=_PIVOT_SLACK)


def _inverse(matrix: jax.Array, slack: int) -> jax.Array:
    """The inverse, pairs of unknowns exchanged one after the other."""
    count = len(matrix)
    rest = symmetric(_lower(matrix))
    if count % 2:  # a last odd unknown is paired with one that stands alone
        partner = np.diag(np.arange(count + 1) == count).astype(matrix.dtype)
        rest = settled(jnp.pad(rest, ((0, 1), (0, 1))) + partner)
    least = slack * jnp.finfo(matrix.dtype).eps * diagonal(rest)
    for k in range(0, len(rest), 2):
        rest = _exchange(rest, k, least[k : k + 2])
    return -rest[:count, :count]


def _lower(matrix: jax.Array) -> jax.Array:
    """The lower triangle, zeros above."""
    return matrix * np.tril(np.ones(matrix.shape)).astype(matrix.dtype)


def _exchange(rest: jax.Array, k: int, least: jax.Array) -> jax.Array:
    """Exchange unknowns k and k + 1 for their right-hand sides; one by one takes twice the passes.

    What is exchanged changes its sign, so that the matrix stays symmetric to rounding, and is minus
    the inverse once all are exchanged.
    """
    pair = slice(k, k + 2)
    unit = np.eye(len(rest))[pair].astype(rest.dtype)
    others = 1 - unit.sum(axis=0)
    rows = rest[pair] * others[None] - unit
    first = jnp.maximum(rest[k : k + 1, k], least[:1])
    second = jnp.maximum(rest[k + 1 : k + 2, k + 1], least[1:])
    between = rest[k : k + 1, k + 1]
    determinant = jnp.maximum(first * second - between * between, first * least[1:])
    pivot = settled(jnp.concatenate([second, -between, first]) / determinant)
    solved = settled(pivot[:2, None] * rows[:1] + pivot[1:, None] * rows[1:])
    left = rows.T
    return settled(
        rest * np.outer(others, others) - left[:, :1] * solved[:1] - left[:, 1:] * solved[1:]
    )


_inverse_p = Primitive("inverse_positive")
_inverse_p.def_impl(_inverse)
_inverse_p.def_abstract_eval(lambda matrix, slack: matrix)
mlir.register_lowering(_inverse_p, mlir.lower_fun(_inverse, multiple_results=False))
batching.primitive_batchers[_inverse_p] = lambda values, axes, slack: (
    jax.vmap(functools.partial(_inverse, slack=slack), axes)(*values),
    0,
)

_solve_p = Primitive("solve_by_inverse")
_solve_p.def_impl(matvec)
_solve_p.def_abstract_eval(lambda inverse, rhs: rhs)
mlir.register_lowering(_solve_p, mlir.lower_fun(matvec, multiple_results=False))
# Linear in the right-hand side; the inverse is a constant, and symmetric.
ad.defjvp2(_solve_p, None, lambda tangent, _, inverse, rhs: _solve_p.bind(inverse, tangent))
ad.primitive_transposes[_solve_p] = lambda cotangent, inverse, rhs: (
    None,
    cotangent if isinstance(cotangent, ad.Zero) else _solve_p.bind(inverse, cotangent),
)
batching.primitive_batchers[_solve_p] = lambda values, axes: (jax.vmap(matvec, axes)(*values), 0)


def body_accelerations(
    model: Model, position: PositionInfo, velocity: VelocityInfo, u_dot: jax.Array
) -> jax.Array:
    """Spatial accelerations `[mobile, 6]` about the common point for u_dot `[free]`."""
    moved = static_sum(model.tree.support, scaled(position.hinge, u_dot))
    return moved + velocity.bias_acceleration


def point_velocity(V: jax.Array, p: jax.Array) -> jax.Array:
    """Velocity `[..., 3]` (m/s) of the point p of a body with spatial velocity V."""
    return V[..., 3:] + cross(V[..., :3], p)


def point_acceleration(V: jax.Array, A: jax.Array, p: jax.Array) -> jax.Array:
    """Acceleration `[..., 3]` (m/s²) of the material point p of a body; p from the common point.

    The linear part of A is the rate of the velocity of whatever passes the common point; the
    material point there accelerates by ω × v more.
    """
    w, velocity = V[..., :3], point_velocity(V, p)
    return A[..., 3:] + cross(A[..., :3], p) + cross(w, velocity)
