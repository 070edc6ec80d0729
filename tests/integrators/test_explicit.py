"""Time stepping on small problems with known answers, and Simbody's step control rule by rule."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.integrators import merson
from jaxosim.integrators.explicit import euler_steps, rk4_steps
from jaxosim.integrators.merson import merson_integrate
from tests import hopper_model

ORDERS = {"euler": 1, "rk4": 4}
ORDER_SLACK = 0.15  # of the measured order, between 20 and 40 steps
LIVE_TOLERANCE = 1e-8  # one control step, the same internal steps as OpenSim's
PENDULUM = 9.0  # (1/s²)


def pendulum(y):
    """Angle, speed and time of a damped pendulum that is pushed: smooth and nonlinear."""
    angle, speed, time = y
    push = jnp.sin(3 * time)
    return jnp.stack([speed, push - PENDULUM * jnp.sin(angle) - 0.3 * speed, jnp.ones_like(time)])


def march(method, rates, state, duration, count):
    """State after `count` equal steps."""
    steps = {"euler": euler_steps, "rk4": rk4_steps}[method]
    return jax.jit(lambda y: steps(rates, y, duration / count, count))(state)


@functools.cache
def pendulum_end():
    return np.asarray(march("rk4", pendulum, jnp.array([0.5, -0.2, 0.0]), 1.0, 4000))


def norm(state, error):
    return jnp.sqrt(jnp.mean(error**2))


def integrate(rates, state, duration, accuracy, step=0.01):
    run = jax.jit(lambda y, h: merson_integrate(rates, norm, y, rates(y), duration, accuracy, h))
    end, following = run(state, jnp.asarray(step))
    return np.asarray(end), float(following)


# parity


@pytest.mark.opensim
def test_one_control_step_takes_opensims_internal_steps(opensim):
    """At a loose accuracy other internal steps would differ by far more than this."""
    excitations = np.array([[0.9, 0.1], [0.9, 0.1]])
    model, params = hopper_model.load(hopper_model.HOPPER)
    live = hopper_model.oracle_of(hopper_model.HOPPER).trajectory(
        excitations, accuracy=1e-3, fresh_manager_each_step=True
    )
    options = jaxosim.Options.reference(accuracy=1e-3)
    state = hopper_model.initial(model, params)
    for index, excitation in enumerate(excitations):
        state = hopper_model.step_of(model, options)(params, state, jnp.asarray(excitation))
        for name in ("q", "u", "activation", "fiber_length"):
            expected = live[name][index + 1]
            np.testing.assert_allclose(
                getattr(state, name), expected, rtol=LIVE_TOLERANCE, atol=LIVE_TOLERANCE
            )


# property


@pytest.mark.parametrize("method", ORDERS)
def test_order_of_convergence(method):
    start = jnp.array([0.5, -0.2, 0.0])
    errors = [
        np.abs(np.asarray(march(method, pendulum, start, 1.0, n)) - pendulum_end()).max()
        for n in (20, 40)
    ]
    order = np.log2(errors[0] / errors[1])
    assert order == pytest.approx(ORDERS[method], abs=ORDER_SLACK * ORDERS[method])


@pytest.mark.parametrize("method", ORDERS)
def test_a_constant_rate_is_integrated_exactly(method):
    end = march(method, lambda y: jnp.array([2.0, -1.0]) + 0 * y, jnp.zeros(2), 0.7, 3)
    np.testing.assert_allclose(end, [1.4, -0.7], rtol=1e-14)


@pytest.mark.parametrize("accuracy", [1e-4, 1e-7, 1e-10])
def test_merson_keeps_its_accuracy(accuracy):
    end, _ = integrate(pendulum, jnp.array([0.5, -0.2, 0.0]), 1.0, accuracy)
    error = np.abs(end - pendulum_end()).max()
    assert error < 20 * accuracy
    assert end[2] == pytest.approx(1.0, abs=1e-14)


def test_merson_gives_up_on_an_infinite_rate_instead_of_hanging():
    end, step = integrate(lambda y: y / 0.0, jnp.array([1.0]), 1.0, 1e-5)
    assert step < 1e-8 and jnp.isnan(end[0])  # the end was not reached, and the state says so


# Simbody's rules: step size h, norm over accuracy, whether the end of the interval cut it short.
RULES = {
    "grows by 0.9 (ε/e)^¼": (1e-3, False, 0.9 * 1000**0.25, True),
    "grows five times at most": (1e-9, False, 5.0, True),
    "no error: five times": (0.0, False, 5.0, True),
    "does not grow a little": (0.5, False, 1.0, True),
    "does not grow when cut short": (1e-3, True, 1.0, True),
    "close to the limit, accepted as it is": (0.99, False, 1.0, True),
    "just too large: a tenth less": (1.0001, False, 0.9 * 1.0001**-0.25, False),
    "too large": (16.0, False, 0.45, False),
    "shrinks ten times at most": (1e9, False, 0.1, False),
    "not a number": (np.nan, False, 0.1, False),
    "infinite": (np.inf, False, 0.1, False),
    "too large, and cut short": (16.0, True, 0.45, False),
}


@pytest.mark.parametrize("rule", RULES)
def test_step_control(rule):
    error, limited, factor, accepted = RULES[rule]
    h = 0.01
    step, success = merson._next_step(jnp.asarray(error), 1.0, jnp.asarray(h), jnp.asarray(limited))
    assert float(step) == pytest.approx(min(factor, 5.0) * h, rel=1e-12)
    assert bool(success) is accepted


def test_the_last_step_ends_at_the_end_and_remembers_its_size():
    """A step that the end cuts short does not change the step size that follows."""
    linear = lambda y: jnp.ones_like(y)  # noqa: E731 — error zero, so only the rules act
    end, following = integrate(linear, jnp.zeros(1), 0.05, 1e-5, step=0.04)
    np.testing.assert_allclose(end, 0.05, rtol=1e-15)
    assert following == pytest.approx(0.2)  # 0.04, then 5 · 0.04 cut to 0.01 and kept
    _, following = integrate(linear, jnp.zeros(1), 0.0402, 1e-5, step=0.0402 / 0.96)
    assert following == pytest.approx(5 * 0.0402 / 0.96)  # within 5 %: not "cut short"


# gradient


@pytest.mark.parametrize("method", ORDERS)
def test_reverse_gradient_equals_forward(method):
    start = jnp.array([0.5, -0.2, 0.0])

    def end(y):
        return march(method, pendulum, y, 0.3, 4)[0]

    forward, reverse = jax.jacfwd(end)(start), jax.jit(jax.grad(end))(start)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12, atol=1e-14)
    expected = [hopper_model.slope_along(end, start, unit, 1e-4) for unit in jnp.eye(3)]
    np.testing.assert_allclose(reverse, expected, rtol=1e-8, atol=1e-10)


def test_merson_has_forward_gradients_only():
    def end(y):
        return merson_integrate(pendulum, norm, y, pendulum(y), 0.1, 1e-6, jnp.asarray(0.01))[0][0]

    start = jnp.array([0.5, -0.2, 0.0])
    assert hopper_model.all_finite(jax.jit(jax.jacfwd(end))(start))
    with pytest.raises(ValueError, match="[Rr]everse"):
        jax.grad(end)(start)


# batch, compile


def test_vmap_of_merson_lets_each_world_take_its_own_steps():
    starts = jnp.array([[0.5, -0.2, 0.0], [3.0, 5.0, 0.0]])

    def end(y):
        return merson_integrate(pendulum, norm, y, pendulum(y), 0.5, 1e-7, jnp.asarray(0.01))

    together = jax.jit(jax.vmap(end))(starts)
    for index, start in enumerate(starts):
        alone = jax.jit(end)(start)
        np.testing.assert_allclose(together[0][index], alone[0], rtol=1e-13)
        np.testing.assert_allclose(together[1][index], alone[1], rtol=1e-13)
    assert float(together[1][0]) != float(together[1][1])


def test_any_pytree_is_a_state():
    @dataclasses.dataclass
    class Pair:
        a: jax.Array
        b: jax.Array

    jax.tree_util.register_dataclass(Pair, data_fields=["a", "b"], meta_fields=[])
    end = rk4_steps(lambda y: Pair(y.b, -y.a), Pair(jnp.ones(2), jnp.zeros(2)), 0.01, 10)
    np.testing.assert_allclose(end.a, np.cos(0.1), rtol=1e-10)
