"""Symmetric positive definite systems under linear constraints that may be redundant.

M x + Gᵀ λ = r and G x = b lead to S λ = G M⁻¹ r − b with the Schur complement S = G M⁻¹ Gᵀ, which
is singular where equations are redundant. Its rows are scaled to a diagonal of ones and solved with
by Tikhonov's method, iterated once: among redundant equations the multipliers are then the
smallest, and everything else is as exact as the arithmetic.

Source: Benzi, Golub and Liesen (2005), Numerical solution of saddle point problems, section 5;
see docs/theory/constraints.md, "Multipliers".
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import stack
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import matvec, scale_rows, transpose
from jaxosim.arrays.positive_definite import diagonal, inverse_positive, solve_positive

_SLACK = 0.75  # power of the unit of rounding that is added to the diagonal, as Simbody's tolerance


class ConstrainedSystem(NamedTuple):
    """M, G and what is needed to solve with them."""

    matrix: jax.Array  # [n, n] M, lower triangle
    inverse: jax.Array  # [n, n] by `inverse_positive`
    jacobian: jax.Array  # [m, n] G
    response: jax.Array  # [m, n] G M⁻¹
    schur: "ScaledSchur"


class ScaledSchur(NamedTuple):
    """S with its rows and columns scaled."""

    scale: jax.Array  # [m]
    matrix: jax.Array  # [m, m], whole
    shifted: jax.Array  # [m, m] with the slack on its diagonal
    inverse: jax.Array  # [m, m] of the latter, by `inverse_positive`


def constrained_system(
    matrix: jax.Array, inverse: jax.Array, jacobian: jax.Array
) -> ConstrainedSystem:
    """M and G, prepared.

    Args:
      matrix: `[n, n]` of which only the lower triangle is read.
      inverse: `[n, n]` of it by `inverse_positive`.
      jacobian: `[m, n]`, whose rows may depend on one another, or be zero.
    """
    rows = [solve_positive(matrix, inverse, jacobian[i]) for i in range(len(jacobian))]
    response = materialize(stack(rows))
    return ConstrainedSystem(
        matrix, inverse, jacobian, response, scaled_schur(_products(jacobian, response))
    )


def _products(a: jax.Array, b: jax.Array) -> jax.Array:
    """Scalar products of all rows of a `[m, n]` with all rows of b."""
    return stack([matvec(b, a[i]) for i in range(len(a))])


def solve_constrained(
    system: ConstrainedSystem, rhs: jax.Array, value: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Solution x `[n]` and multipliers λ `[m]` of M x + Gᵀ λ = rhs, G x = value.

    Args:
      system: M and G.
      rhs: `[n]`.
      value: `[m]`.
    """
    free = solve_positive(system.matrix, system.inverse, rhs)
    multipliers = solve_schur(system.schur, matvec(system.jacobian, free) - value)
    return free - matvec(transpose(system.response), multipliers), multipliers


def solve_constrained_refined(
    system: ConstrainedSystem,
    rhs: jax.Array,
    value: jax.Array,
    missing: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """`solve_constrained`, and once more for what its solution leaves of both right-hand sides.

    Derivatives are those of the first solution.

    Args:
      system: M and G.
      rhs: `[n]`.
      value: `[m]`.
      missing: rhs less M times its argument, `[n]` of `[n]`, with less rounding than M has.
    """
    found = solve_constrained(system, rhs, value)
    x, multipliers = jax.lax.stop_gradient(found)
    left = missing(x) - matvec(transpose(system.jacobian), multipliers)
    change = solve_constrained(system, left, value - matvec(system.jacobian, x))
    x_change, multiplier_change = jax.lax.stop_gradient(change)
    return found[0] + x_change, found[1] + multiplier_change


def least_change(jacobian: jax.Array, mobility: jax.Array, error: jax.Array) -> jax.Array:
    """The change x `[n]` with G x = −error that is smallest in Σ x²/mobility.

    Args:
      jacobian: `[m, n]` G.
      mobility: `[n]` how easily each unknown gives way; 0 for one that does not.
      error: `[m]`.
    """
    response = scale_rows(jacobian.T, mobility).T
    schur = scaled_schur(_products(jacobian, response))
    return -matvec(transpose(response), solve_schur(schur, error))


def null_space_projection(jacobian: jax.Array) -> jax.Array:
    """1 − G⁺ G `[n, n]`, which takes away from vectors their parts along rows of G `[m, n]`.

    They are taken away twice: what is left of a vector is then exact to rounding of its own length,
    however short that is, if no row is nearly a sum of others without being one (`_SLACK`).
    """
    schur = scaled_schur(_products(jacobian, jacobian))
    across = transpose(jacobian)

    # Right-hand sides are products with G, as only these have solutions where rows are redundant.
    def projected(vector: jax.Array) -> jax.Array:
        return vector - matvec(across, solve_schur(schur, matvec(jacobian, vector)))

    unit = jnp.eye(jacobian.shape[1], dtype=jacobian.dtype)
    if not len(unit):
        return unit
    return stack([projected(projected(unit[i])) for i in range(len(unit))])


def scaled_schur(matrix: jax.Array) -> ScaledSchur:
    """S `[m, m]`, prepared."""
    size = jax.lax.stop_gradient(diagonal(matrix))
    positive = size > 0
    scale = jnp.where(positive, 1 / jnp.sqrt(jnp.where(positive, size, 1.0)), 0.0)
    scaled = materialize(scale_rows(scale_rows(matrix, scale).T, scale).T)
    slack = len(matrix) * float(jnp.finfo(matrix.dtype).eps) ** _SLACK
    shifted = scaled + slack * jnp.eye(len(matrix), dtype=matrix.dtype)
    return ScaledSchur(scale, scaled, shifted, inverse_positive(shifted))


def solve_schur(schur: ScaledSchur, rhs: jax.Array) -> jax.Array:
    """λ `[m]` with S λ = rhs `[m]`, the smallest where there are several."""
    scaled = schur.scale * rhs
    first = solve_positive(schur.shifted, schur.inverse, scaled)
    left = scaled - matvec(schur.matrix, first)
    return schur.scale * (first + solve_positive(schur.shifted, schur.inverse, left))
