"""Thelen's curves: against the published formulas, smooth at their joints, finite everywhere."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.muscles.thelen2003.curves import (
    active_force_length_multiplier,
    normalized_fiber_velocity,
    passive_force_multiplier,
    tendon_force_multiplier,
)
from tests import hopper_model
from tests.muscles.thelen2003.soleus import SOLEUS, muscles

ROUNDING = 1e-13
JOINT = 1e-7  # distance from a joint of two pieces; values there differ by slope times this
GRADIENT_TOLERANCE = 1e-7

E3 = np.exp(3)
TOE = 99 * SOLEUS["fmax_tendon_strain"] * E3 / (166 * E3 - 67)
AF, FLEN, LAST = SOLEUS["af"], SOLEUS["flen"], SOLEUS["fv_linear_extrap_threshold"]


def along(curve, values, *rest):
    """A curve at many arguments."""
    values = jnp.atleast_1d(jnp.asarray(values, float))
    others = [jnp.broadcast_to(jnp.asarray(r, float), values.shape) for r in rest]
    return np.asarray(jax.jit(curve)(values, *others, muscles(len(values))))


# parity: with the formulas of Thelen (2003) as OpenSim 4.6 extends them


def test_force_length_curves():
    length = np.array([0.4, 0.9, 1.0, 1.2, 1.9])
    np.testing.assert_allclose(
        along(active_force_length_multiplier, length), np.exp(-((length - 1) ** 2) / 0.45)
    )
    expected = np.where(length > 1, (np.exp(9 * (length - 1)) - 1) / (np.exp(9) - 1), 0.0)
    np.testing.assert_allclose(along(passive_force_multiplier, length), expected, rtol=1e-12)


def test_tendon_curve():
    strain = np.array([-0.1, 0.0, 0.3 * TOE, TOE, 2 * TOE])
    toe = 0.33 * (np.exp(3 * strain / TOE) - 1) / (E3 - 1)
    line = 0.67 / (0.049 - TOE) * (strain - TOE) + 0.33
    expected = np.where(strain > TOE, line, np.where(strain > 0, toe, 0.0))
    np.testing.assert_allclose(along(tendon_force_multiplier, strain), expected, rtol=1e-12)
    np.testing.assert_allclose(along(tendon_force_multiplier, [0.049]), 1.0, rtol=1e-13)


@pytest.mark.parametrize("a, overlap", [(1.0, 1.0), (0.3, 0.7), (0.01, 0.9)])
def test_force_velocity_curve(a, overlap):
    A = a * overlap
    F = np.array([-0.5, -1e-3, 0.0, 0.4, 1.0, 1.1, 1.3, 1.4, 3.0]) * A
    pace, top = 0.25 + 0.75 * a, LAST * A * FLEN

    def g(y):
        base = np.where(y <= A, A + y / AF, (2 + 2 / AF) * (A * FLEN - y) / (FLEN - 1))
        return pace * (y - A) / base

    below = pace * (-1 + (1 + 1 / AF) * F / A)
    slope = pace * (FLEN - 1) ** 2 / ((2 + 2 / AF) * A * FLEN**2 * (1 - LAST) ** 2)
    # The slope at the last point is that of the hyperbola there.
    above = g(np.array(top)) + _slope_at(top, A, pace) * (F - top)
    expected = np.where(F <= 0, below, np.where(F >= top, above, g(np.clip(F, 0, top))))
    np.testing.assert_allclose(along(normalized_fiber_velocity, F, A, a), expected, rtol=1e-11)
    np.testing.assert_allclose(_slope_at(top, A, pace), slope, rtol=1e-10)


def _slope_at(y, A, pace):
    base = (2 + 2 / AF) * (A * FLEN - y) / (FLEN - 1)
    steep = -(2 + 2 / AF) / (FLEN - 1)
    return pace / base - pace * (y - A) * steep / base**2


# property


def test_overlap_is_a_bell():
    length = np.linspace(0.2, 1.8, 33)
    bell = along(active_force_length_multiplier, length)
    np.testing.assert_allclose(bell, bell[::-1], rtol=1e-12)
    assert bell.max() == bell[16] == 1.0


def test_passive_and_tendon_forces_grow():
    for curve in (passive_force_multiplier, tendon_force_multiplier):
        assert (np.diff(along(curve, np.linspace(-0.1, 2.5, 200))) >= 0).all()


def test_isometric_at_equal_force_and_faster_with_more():
    F = np.linspace(-1.0, 3.0, 401)
    speed = along(normalized_fiber_velocity, F, 0.5, 0.5)
    assert (np.diff(speed) > 0).all()
    np.testing.assert_allclose(along(normalized_fiber_velocity, [0.5], 0.5, 0.5), 0.0, atol=1e-15)


@pytest.mark.parametrize("F", [0.0, 0.5, LAST * 0.5 * FLEN])
def test_pieces_of_the_force_velocity_curve_meet(F):
    low, high = along(normalized_fiber_velocity, [F - JOINT, F + JOINT], 0.5, 0.5)
    assert abs(high - low) < 2 * JOINT * 100


@pytest.mark.parametrize("strain", [0.0, TOE])
def test_pieces_of_the_tendon_curve_meet(strain):
    low, high = along(tendon_force_multiplier, [strain - JOINT, strain + JOINT])
    assert abs(high - low) < 2 * JOINT * 40


# gradient


@jax.jit
def blended(point):
    length, strain, required, activation, properties = point
    overlap = active_force_length_multiplier(length, properties)
    return jnp.sum(
        overlap
        + passive_force_multiplier(length, properties)
        + tendon_force_multiplier(strain, properties)
        + jnp.tanh(
            normalized_fiber_velocity(required, activation * overlap, activation, properties)
        )
    )


slopes_of_blended = jax.jit(jax.grad(blended))


def test_gradients_equal_differences():
    rng = np.random.default_rng(1)
    point = tuple(
        jnp.asarray(rng.uniform(low, high, 8))
        for low, high in ((0.5, 1.6), (0.005, 0.06), (0.1, 1.5), (0.1, 1.0))
    ) + (muscles(8),)
    slopes = slopes_of_blended(point)
    for index in range(5):
        direction = list(jax.tree.map(jnp.zeros_like, point))
        direction[index] = hopper_model.random_direction(point[index], seed=index)
        expected = hopper_model.slope_along(blended, point, tuple(direction), 1e-5)
        obtained = hopper_model.inner(slopes, tuple(direction))
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index


def test_everything_is_finite_at_and_far_beyond_the_joints():
    values = jnp.array([-1e3, -1.0, 0.0, TOE, 0.5, 1.0, LAST * FLEN, FLEN, 10.0, 1e3])
    properties = muscles(len(values))
    for level in (0.01, 0.5, 1.0):
        a = jnp.full(len(values), level)
        slopes = slopes_of_blended((values, values, values, a, properties))
        assert hopper_model.all_finite(slopes)
        assert np.isfinite(float(blended((values, values, values, a, properties))))


def test_second_derivatives_of_the_fiber_velocity_are_finite_in_float32():
    """An intermediate stage of a step may have a fiber of seven optimal lengths."""
    single = jax.tree.map(lambda x: x.astype(jnp.float32), muscles(3))
    required = jnp.array([-1e18, 0.0, 1e18], jnp.float32)

    def velocity(length, activation):
        available = activation * active_force_length_multiplier(length, single)
        return normalized_fiber_velocity(required, available, activation, single)

    def by_length(length, activation):
        value, rate = jax.jvp(lambda x: velocity(x, activation), (length,), (jnp.ones(3, "f4"),))
        return jnp.sum(value * 1e-30 + rate)

    at = jnp.full(3, 7.0, jnp.float32), jnp.full(3, 0.36, jnp.float32)
    for gradient in jax.jit(jax.grad(by_length, argnums=(0, 1)))(*at):
        assert np.all(np.isfinite(gradient))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(required):
        return normalized_fiber_velocity(
            required, 0 * required + 0.5, 0 * required + 0.5, muscles(3)
        )

    required = jnp.linspace(-1, 2, 12).reshape(4, 3)
    loop = jnp.stack([one(r) for r in required])
    half = jnp.full(3, 0.5)
    together = jax.vmap(lambda r: normalized_fiber_velocity(r, half, half, muscles(3)))(required)
    np.testing.assert_allclose(together, loop, rtol=ROUNDING)


@pytest.mark.parametrize(
    "curve, edge, into",
    [
        pytest.param(passive_force_multiplier, 1.0, 1, id="passive at optimal length"),
        pytest.param(passive_force_multiplier, 1 + 50 / 9, -1, id="passive at its largest"),
        pytest.param(tendon_force_multiplier, 0.0, 1, id="tendon at slack length"),
        pytest.param(tendon_force_multiplier, TOE, -1, id="tendon at the end of the toe"),
        pytest.param(tendon_force_multiplier, TOE, 1, id="tendon at the beginning of the line"),
    ],
)
def test_slopes_of_the_curves_at_their_edges(curve, edge, into):
    at, within = hopper_model.slopes_at_an_edge(lambda x: curve(x[None], muscles())[0], edge, into)
    np.testing.assert_allclose(at, within, rtol=1e-3 if edge == TOE else 1e-5)  # toe and line


def test_the_slope_of_the_force_velocity_curve_at_the_floor_of_the_available_force():
    def velocity(available):
        force, activation = jnp.array([5e-13]), jnp.array([0.5])
        return normalized_fiber_velocity(force, available[None], activation, muscles())[0]

    slope = jax.jit(jax.jacfwd(velocity))
    at, within = slope(jnp.float64(1e-12)), slope(jnp.float64(1.0001e-12))
    np.testing.assert_allclose(at, within, rtol=1e-3)
