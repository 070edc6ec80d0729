"""Small products and sums, and their derivatives, against NumPy's and JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays import linalg

ROUNDING = 1e-13  # dozens of products of numbers of order one
MATRIX = np.random.default_rng(2).integers(-1, 2, (4, 5)).astype(float)


def vectors(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING)


# The function, the same in JAX's own words, and the shapes of its arguments.
LAWS = {
    "sum_leading": (linalg.sum_leading, lambda x: jnp.sum(x, axis=0), [(5, 3)]),
    "constant_matmul": (
        lambda x: linalg.constant_matmul(MATRIX, x),
        lambda x: jnp.tensordot(MATRIX, x, axes=1),
        [(5, 2, 3)],
    ),
    "cross": (linalg.cross, jnp.cross, [(5, 3), (5, 3)]),
    "matmul_nt": (linalg.matmul_nt, lambda a, b: a @ b.T, [(5, 3), (4, 3)]),
    "stacks": (
        linalg.matmul_nt,
        lambda a, b: jnp.einsum("...nk,...mk->...nm", a, b),
        [(6, 2, 3), (6, 4, 3)],
    ),
    "scaled": (linalg.scale_rows, lambda v, f: v * f[:, None], [(5, 3), (5,)]),
    "long rows": (linalg.matmul_nt, lambda a, b: a @ b.T, [(2, 40), (3, 40)]),
    "matvec": (linalg.matvec, lambda a, b: jnp.einsum("nij,nj->ni", a, b), [(5, 3, 3), (5, 3)]),
}
each_law = pytest.mark.parametrize("name", LAWS)


def laws(name):
    ours, plain, shapes = LAWS[name]
    return ours, plain, [vectors(*shape, seed=seed) for seed, shape in enumerate(shapes)]


# parity


@each_law
def test_products_are_numpys(name):
    ours, plain, arguments = laws(name)
    close(ours(*arguments), plain(*arguments))


@pytest.mark.parametrize("count", [0, 1, 7, 32, 33, 60])
def test_sums_are_numpys_on_both_sides_of_the_unrolling(count):
    rows, weight = vectors(count, 4), vectors(count, seed=1)
    close(linalg.sum_leading(rows), np.sum(rows, axis=0))
    expected = np.einsum("i,ij,ik->jk", weight, rows, rows)
    close(linalg.weighted_gram(rows, weight), expected)
    matrix = np.random.default_rng(2).integers(0, 2, (5, count)).astype(float)
    close(linalg.constant_matmul(matrix, rows), matrix @ np.asarray(rows))


def test_one_stack_serves_many():
    a, b = vectors(6, 2, 3), vectors(4, 3)
    close(linalg.matmul_nt(a, b), np.einsum("snk,mk->snm", a, b))
    close(linalg.cross(a, b[:2]), np.cross(a, b[None, :2]))


# gradient, batch


@each_law
def test_derivatives_are_jaxs_in_both_modes_to_second_order(name):
    ours, plain, arguments = laws(name)

    def bent(law):
        return lambda *values: jnp.sum(jnp.sin(law(*values)))

    close_trees = lambda a, b: jax.tree.map(close, a, b)  # noqa: E731
    places = tuple(range(len(arguments)))
    for derivative in (jax.grad, jax.jacfwd, jax.hessian):
        obtained, expected = (
            jax.jit(derivative(bent(law), places))(*arguments) for law in (ours, plain)
        )
        close_trees(obtained, expected)


@each_law
@pytest.mark.parametrize("axis", [0, -1])
def test_a_batch_is_its_worlds_one_by_one(name, axis):
    ours, _, arguments = laws(name)
    worlds = [[x, 2 * x, x - 1] for x in arguments]
    batch = [jnp.stack(values, axis=axis) for values in worlds]
    expected = np.stack([ours(*values) for values in zip(*worlds, strict=True)])
    close(jax.jit(jax.vmap(ours, axis))(*batch), expected)
    gradient = jax.jit(jax.grad(lambda *values: jnp.sum(ours(*values) ** 2)))
    shared = (axis, *[None] * (len(arguments) - 1))
    many = jax.vmap(gradient, shared)(batch[0], *arguments[1:])
    close(many[1], gradient(2 * arguments[0], *arguments[1:]))


def test_no_reduction_is_left_in_a_derivative():
    def loss(a, b):
        return jnp.sum(linalg.matvec(a, linalg.cross(b, b + 1)) ** 2)

    text = jax.jit(jax.vmap(jax.grad(loss, (0, 1)))).lower(vectors(8, 5, 3, 3), vectors(8, 5, 3))
    assert "stablehlo.reduce" not in text.as_text().replace("reduce_precision", "")
