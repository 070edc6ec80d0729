"""Activation dynamics: reference rates, the strict switch, clipping, and gradients at the kinks."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.muscles.activation import clipped_activation, first_order_rate
from tests import hopper_model
from tests.muscles.thelen2003.soleus import muscles

ROUNDING = 1e-13
GRADIENT_TOLERANCE = 1e-8

rate = jax.jit(first_order_rate)


def at(activation, excitation):
    activation, excitation = (
        jnp.atleast_1d(jnp.asarray(x, float)) for x in (activation, excitation)
    )
    return rate(activation, excitation, muscles(len(activation)))


# parity


@pytest.mark.parametrize(
    "activation, excitation, expected",
    [
        (0.5, 0.8, 24.0),
        (0.05, 0.01, -0.575),
        (0.3, 1.2, 94.73684210526),
        (0.4, 0.4, 0.0),
        (-0.2, 0.5, 0.49 / (0.01 * 0.515)),  # used as the minimum, 0.01
        (1.3, 0.5, -0.5 / (0.04 / 2.0)),  # used as 1
        (0.01, -0.3, -0.31 / (0.04 / 0.515)),  # an excitation is not clipped: it drifts down
    ],
)
def test_rates_are_opensims(activation, excitation, expected):
    np.testing.assert_allclose(at(activation, excitation), expected, rtol=1e-12, atol=1e-15)


# property


def test_rising_is_faster_than_falling():
    level = np.linspace(0.1, 0.9, 9)
    up, down = at(level, level + 0.1), at(level, level - 0.1)
    assert (np.asarray(up) > -np.asarray(down)).all()
    assert (np.asarray(up) > 0).all() and (np.asarray(down) < 0).all()


def test_excitation_attracts():
    """Stepped in small steps the activation reaches the excitation and never passes it."""
    for start, goal in ((0.05, 0.9), (0.95, 0.1)):
        level = jnp.array([start])
        for _ in range(400):
            level = level + 0.001 * at(level, goal)
            assert (goal - float(level[0])) * (goal - start) >= -1e-15
        np.testing.assert_allclose(level, goal, atol=1e-3)


def test_clipping_keeps_what_is_inside():
    level = jnp.array([-1.0, 0.0, 0.01, 0.5, 1.0, 1.5])
    np.testing.assert_array_equal(
        clipped_activation(level, muscles(6)), [0.01, 0.01, 0.01, 0.5, 1.0, 1.0]
    )


# gradient


@pytest.mark.parametrize(
    "activation, excitation", [(0.3, 0.7), (0.8, 0.2), (-0.1, 0.5), (1.2, 0.1)]
)
def test_gradient_equals_differences(activation, excitation):
    point = (jnp.array([activation]), jnp.array([excitation]), muscles())

    def scalar(point):
        return jnp.sum(rate(*point))

    slopes, direction = jax.grad(scalar)(point), hopper_model.random_direction(point, seed=1)
    expected = hopper_model.slope_along(scalar, point, direction, 1e-4)
    assert abs(hopper_model.inner(slopes, direction) - expected) < GRADIENT_TOLERANCE * max(
        1, abs(expected)
    )


def test_gradient_is_finite_at_the_kinks():
    for level in (0.01, 0.4, 1.0):
        slopes = jax.grad(lambda *x: jnp.sum(rate(*x)), argnums=(0, 1, 2))(
            jnp.array([level]), jnp.array([level]), muscles()
        )
        assert hopper_model.all_finite(slopes)


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(activation, excitation):
        return first_order_rate(activation, excitation, muscles(3))

    a, x = jnp.linspace(-0.1, 1.1, 12).reshape(4, 3), jnp.linspace(1.0, 0.0, 12).reshape(4, 3)
    loop = jnp.stack([one(*row) for row in zip(a, x, strict=True)])
    together = jax.vmap(lambda a, x: first_order_rate(a, x, muscles(3)))(a, x)
    np.testing.assert_allclose(together, loop, rtol=ROUNDING)


@pytest.mark.parametrize("edge, into", [(0.01, 1), (1.0, -1)])
def test_the_slope_at_a_bound_of_activation_is_the_one_within(edge, into):
    for excitation in (0.005, 0.5, 1.2):
        rate_at = lambda a: first_order_rate(a[None], jnp.array([excitation]), muscles())[0]  # noqa: B023, E731
        at, within = hopper_model.slopes_at_an_edge(rate_at, edge, into)
        np.testing.assert_allclose(at, within, rtol=1e-5)
