"""The largest value: NaN where one is, however large the batch; derivative of the largest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.safe import largest


@pytest.mark.parametrize("worlds", [1, 3, 600, 5000])
def test_nan_is_the_largest_in_every_batch(worlds):
    values = np.abs(np.random.default_rng(0).standard_normal((worlds, 8)))
    values[-1, 3] = np.nan
    batch = jax.jit(jax.vmap(largest))(values)
    np.testing.assert_array_equal(batch[:-1], values[:-1].max(axis=1))
    assert np.isnan(batch[-1]) and np.isnan(largest(jnp.asarray(values)))
    np.testing.assert_array_equal(batch, np.stack([largest(one) for one in values]))


def test_of_none_it_is_zero_and_its_derivative_is_that_of_the_largest():
    assert largest(jnp.zeros(0)) == 0
    slope = jax.grad(lambda x: largest(x * x))(jnp.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(slope, [0, 6, 0])
