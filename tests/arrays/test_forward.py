"""Functions whose loops end by a condition: both modes give the Jacobian of what was done."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.forward import with_forward_jacobian
from jaxosim.fused import fused, using

AT, TARGET = jnp.asarray([7.0, 0.5]), jnp.asarray([1e-3])


@with_forward_jacobian
def root(numbers, constants):
    """The square root of the first by Newton's method, times the second; ends at a tolerance."""

    def missing(x):
        return x * x - numbers[0]

    def step(x):
        return x - missing(x) / (2 * x)

    found = jax.lax.while_loop(lambda x: jnp.abs(missing(x)) > constants[0], step, numbers[0])
    return jnp.stack([found * numbers[1], found])


def by_hand(numbers):
    """The same, as many steps as the tolerance takes at AT."""
    x = numbers[0]
    for _ in range(4):
        x = x - (x * x - numbers[0]) / (2 * x)
    return jnp.stack([x * numbers[1], x])


def test_it_ends_at_the_tolerance():
    found = root(AT, TARGET)
    np.testing.assert_allclose(found, by_hand(AT), rtol=1e-15)
    assert 1e-12 < abs(float(found[1]) - np.sqrt(7.0)) < 1e-3


@pytest.mark.parametrize("kernel", ["fused", "xla"])
@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_the_jacobian_is_that_of_the_steps_made(mode, kernel):
    with using(kernel):
        slopes = jax.jit(mode(fused(lambda numbers: root(numbers, TARGET))))(AT)
    np.testing.assert_allclose(slopes, jax.jacfwd(by_hand)(AT), rtol=1e-13)


def test_a_batch_differentiates_each_of_its_own():
    batch = AT[None] * jnp.asarray([[1.0], [0.3], [2.0]])
    together = jax.vmap(jax.jacrev(lambda numbers: root(numbers, TARGET)))(batch)
    for numbers, slopes in zip(batch, together, strict=True):
        alone = jax.jacrev(lambda numbers: root(numbers, TARGET))(numbers)
        np.testing.assert_allclose(slopes, alone, rtol=1e-13)


def test_constants_have_no_derivative():
    slopes = jax.jacrev(root, argnums=1)(AT, TARGET)
    np.testing.assert_array_equal(slopes, np.zeros((2, 1)))
