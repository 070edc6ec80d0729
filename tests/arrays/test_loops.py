"""Laws of one row for many rows, and rounds that end early: values and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.loops import over_rows, rounds
from jaxosim.fused import fused, using

ROWS = {"x": np.linspace(0.1, 0.9, 5), "v": np.linspace(-1.0, 1.0, 15).reshape(5, 3)}
MOST = 12


def law(row):
    """Two results of one row."""
    return jnp.sin(row["x"]) * row["v"], row["x"] > 0.5


def scaled(factor):
    """The law at rows times a factor."""
    return over_rows(law, jax.tree.map(lambda values: factor * values, ROWS))


def halvings(given, start):
    """Halve numbers above a bound, until none is left."""

    def once(bound, carry, number):
        x, first = carry
        return jnp.where(x > bound, x / 2, x), first | ((number == 0) & (x > 8 * bound))

    goes_on = lambda carry: jnp.any(carry[0] > given)  # noqa: E731
    return rounds(once, given, (start, jnp.zeros(start.shape, bool)), goes_on, MOST)


@pytest.mark.parametrize("kernel", ["fused", "xla"])
def test_rows_are_a_loop_over_the_law(kernel):
    with using(kernel):
        vectors, flags = jax.jit(fused(scaled))(jnp.asarray(1.5))
    for i, x in enumerate(1.5 * ROWS["x"]):
        np.testing.assert_allclose(vectors[i], np.sin(x) * 1.5 * ROWS["v"][i], rtol=1e-14)
        assert flags[i] == (x > 0.5)


@pytest.mark.parametrize("kernel", ["fused", "xla"])
def test_both_modes_differentiate_rows(kernel):
    value = fused(lambda factor: jnp.sum(scaled(factor)[0] ** 2))
    with using(kernel):
        slopes = [mode(value)(jnp.asarray(1.5)) for mode in (jax.jacfwd, jax.jacrev)]
        sides = [float(value(jnp.asarray(1.5 + h))) for h in (-1e-6, 1e-6)]
    np.testing.assert_allclose(slopes, (sides[1] - sides[0]) / 2e-6, rtol=1e-7)


@pytest.mark.parametrize("kernel", ["fused", "xla"])
def test_rounds_end_when_all_is_done_and_both_modes_differentiate_them(kernel):
    start, bound = jnp.asarray([0.5, 3.0, 40.0]), jnp.asarray(1.0)
    of_start = fused(lambda start: halvings(bound, start)[0])
    with using(kernel):
        found, first = jax.jit(fused(halvings))(bound, start)
        slopes = [np.diag(mode(of_start)(start)) for mode in (jax.jacfwd, jax.jacrev)]
    np.testing.assert_array_equal(found, [0.5, 0.75, 0.625])
    np.testing.assert_array_equal(first, [False, False, True])
    np.testing.assert_allclose(slopes, [[1, 1 / 4, 1 / 64]] * 2, rtol=1e-15)


def test_rounds_are_never_more_than_the_most():
    found, _ = halvings(jnp.asarray(0.0), jnp.asarray([1.0]))
    np.testing.assert_array_equal(found, [0.5**MOST])
