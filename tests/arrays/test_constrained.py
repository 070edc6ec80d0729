"""Constrained solutions that are refined: nearer, with the derivatives of the first solution."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.constrained import (
    constrained_system,
    null_space_projection,
    solve_constrained,
    solve_constrained_refined,
)
from jaxosim.arrays.positive_definite import inverse_positive
from tests import hopper_model

UNKNOWNS, EQUATIONS = 7, 3


def problem(smallest):
    """A matrix with these extreme eigenvalues, a Jacobian, and both right-hand sides."""
    rng = np.random.default_rng(2)
    axes = np.linalg.qr(rng.standard_normal((UNKNOWNS, UNKNOWNS)))[0]
    matrix = (axes * np.logspace(np.log10(smallest), 0, UNKNOWNS)) @ axes.T
    jacobian = rng.standard_normal((EQUATIONS, UNKNOWNS))
    return matrix, jacobian, rng.standard_normal(UNKNOWNS), rng.standard_normal(EQUATIONS)


def test_a_better_residual_makes_a_better_solution():
    """Everything in float32 but the residual, which knows the matrix in float64."""
    matrix, jacobian, rhs, value = problem(1e-4)
    zero = np.zeros((EQUATIONS, EQUATIONS))
    whole = np.block([[matrix, jacobian.T], [jacobian, zero]])
    exact = np.linalg.solve(whole, np.concatenate([rhs, value]))
    M, G, r, b = (jnp.asarray(x, jnp.float32) for x in (matrix, jacobian, rhs, value))
    system = constrained_system(M, inverse_positive(M), G)

    def missing(x):
        return (rhs - matrix @ x.astype(float)).astype(jnp.float32)

    first = solve_constrained(system, r, b)
    better = solve_constrained_refined(system, r, b, missing)
    errors = [np.abs(np.concatenate(found) - exact).max() for found in (first, better)]
    assert better[0].dtype == jnp.float32
    assert errors[1] < 0.05 * errors[0]


def test_derivatives_are_those_of_the_solution():
    matrix, jacobian, rhs, value = (jnp.asarray(x) for x in problem(0.1))
    change = jnp.asarray(np.random.default_rng(3).standard_normal(matrix.shape))

    def solutions(s, solve):
        moved = matrix + s * (change + change.T)
        system = constrained_system(moved, inverse_positive(moved), jacobian * (1 + s))
        return solve(system, rhs * (1 + s), value, moved)

    def plain(system, rhs, value, _):
        return solve_constrained(system, rhs, value)

    def refined(system, rhs, value, matrix):
        return solve_constrained_refined(system, rhs, value, lambda x: rhs - matrix @ x)

    slopes = [
        jax.jvp(lambda s, solve=solve: solutions(s, solve), (0.0,), (1.0,))[1]
        for solve in (plain, refined)
    ]
    for one, other in zip(*slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)
    assert hopper_model.all_finite(slopes) and np.abs(slopes[0][0]).max() > 0.1


REDUNDANT = np.array(  # the first row is the sum of the last two, and one is empty
    [[-1, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, -1, 0, 3e-7, 0], [0.5, 0, 0, -1, 0], [0.5, 0, 0, 0, -1]]
)


def test_a_null_space_projection_is_exact_where_rows_are_redundant():
    """Of two directions that are left one hardly moves the second unknown."""
    found = np.asarray(null_space_projection(jnp.asarray(REDUNDANT)))
    along = np.array([1, 1.5e-7, 0, 0.5, 0.5])
    exact = np.outer(along, along) / (along @ along)
    exact[2, 2] = 1.0
    np.testing.assert_allclose(found, exact, rtol=1e-14, atol=3e-16)
    np.testing.assert_allclose(found[1, 1], exact[1, 1], rtol=1e-13)
    np.testing.assert_allclose(REDUNDANT @ found[1], 0.0, atol=1e-22)


def test_derivatives_of_a_null_space_projection_equal_differences():
    jacobian = jnp.asarray(problem(0.1)[1])
    twice = jnp.concatenate([jacobian, jacobian[:1]])  # redundant wherever it moves

    def projection(s):
        return null_space_projection(twice * (1 + s * jnp.arange(float(UNKNOWNS))[None]))

    slope = jax.jacfwd(projection)(0.0)
    difference = (projection(1e-5) - projection(-1e-5)) / 2e-5
    np.testing.assert_allclose(slope, difference, atol=1e-8)
    assert np.abs(slope).max() > 0.1
