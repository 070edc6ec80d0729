"""Symmetric positive definite systems: inverse by elimination, solves with it, derivatives."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxosim.arrays.indexing import take
from jaxosim.arrays.layout import batch_first, materialize
from jaxosim.arrays.linalg import matvec

_PIVOT_SLACK = 4  # units of rounding, relative to the diagonal


def diagonal(matrix: jax.Array) -> jax.Array:
    """Diagonal `[n]` of a square matrix."""
    count = len(matrix)
    return take(matrix.reshape(-1), np.arange(count) * (count + 1))


def symmetric(lower: jax.Array) -> jax.Array:
    """The whole matrix of which the lower triangle is given."""
    below = np.tril(np.ones(lower.shape), -1).astype(lower.dtype)
    return materialize(lower + (below * lower).T)


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


def solve_refined(
    matrix: jax.Array,
    inverse: jax.Array,
    rhs: jax.Array,
    missing: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """`solve_positive`, and once more for what its solution leaves of the right-hand side.

    What elimination loses by the order of the unknowns is won back, and as much of the rounding of
    the matrix and of the right-hand side as `missing` is free of. Derivatives are those of the
    first solution.

    Args:
      matrix: `[n, n]`, of which only the lower triangle is read.
      inverse: `[n, n]` by `inverse_positive`.
      rhs: `[n]`.
      missing: the right-hand side less the matrix times its argument, `[n]` of `[n]`.
    """
    found = solve_positive(matrix, inverse, rhs)
    left = missing(jax.lax.stop_gradient(found))
    return found + jax.lax.stop_gradient(solve_positive(matrix, inverse, left))


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
        rest = materialize(jnp.pad(rest, ((0, 1), (0, 1))) + partner)
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
    pivot = materialize(jnp.concatenate([second, -between, first]) / determinant)
    solved = materialize(pivot[:2, None] * rows[:1] + pivot[1:, None] * rows[1:])
    left = rows.T
    return materialize(
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


def _solve(inverse: jax.Array, rhs: jax.Array) -> jax.Array:
    """Solutions of right-hand sides `[..., n]`."""
    return matvec(jnp.broadcast_to(inverse, (*rhs.shape[:-1], *inverse.shape)), rhs)


def _solve_batched(
    values: Sequence[jax.Array], axes: Sequence[int | None]
) -> tuple[jax.Array, int]:
    """Batches of right-hand sides of one matrix stay with what the kernel has for its inverse."""
    inverse, rhs = values
    if axes[0] is None:
        return _solve_p.bind(inverse, batch_first(rhs, axes[1])), 0
    return jax.vmap(_solve, axes)(inverse, rhs), 0


_solve_p = Primitive("solve_by_inverse")
_solve_p.def_impl(_solve)
_solve_p.def_abstract_eval(lambda inverse, rhs: rhs)
mlir.register_lowering(_solve_p, mlir.lower_fun(_solve, multiple_results=False))
# Linear in the right-hand side; the inverse is a constant, and symmetric.
ad.defjvp2(_solve_p, None, lambda tangent, _, inverse, rhs: _solve_p.bind(inverse, tangent))
ad.primitive_transposes[_solve_p] = lambda cotangent, inverse, rhs: (
    None,
    cotangent if isinstance(cotangent, ad.Zero) else _solve_p.bind(inverse, cotangent),
)
batching.primitive_batchers[_solve_p] = _solve_batched
