"""MeyerFregly2016Muscle: beside OpenSim with and without states, limits, gradients, batches."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.muscles import meyer_fregly2016 as meyer
from tests import hopper_model
from tests.muscles import checks

TAG = "MeyerFregly2016Muscle"
COMMON = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.5",
    "pennation_angle_at_optimal": "0.3",
}


def muscle(name, x, tag=TAG, **values):
    return checks.muscle(name, x, tag, **{**COMMON, **values})


WORLD = checks.model(
    muscle("plain", 0.2),
    muscle("other", 0.3, activation_time_constant="0.02", activation_dynamics_smoothing="10"),
    muscle(
        "direct",
        0.25,
        ignore_activation_dynamics="true",
        ignore_passive_fiber_force="true",
        active_force_width_scale="1.4",
        pennation_angle_at_optimal="0",
    ),
    muscle("long", 0.25, tendon_slack_length="0.95", fiber_damping="0.1"),
    muscle("thelen", 0.35, tag="Thelen2003Muscle"),
)
OWN = slice(0, 4)


@functools.cache
def world():
    return hopper_model.load(WORLD)


def states_of(count, seed):
    """States with slack and taut tendons, fast either way."""
    model, params = world()
    rng = np.random.default_rng(seed)
    q, u = rng.uniform(-1.5, 1.5, (count, 1)), 3 * rng.normal(size=(count, 1))
    return hopper_model.states_at(model, params, q, u, seed)


def state_and_controls(seed):
    return checks.first(states_of(1, seed))


# parity


@pytest.mark.opensim
def test_muscles_are_opensims(opensim):
    comparison = hopper_model.assert_parity(WORLD, states_of(32, seed=1))
    tension = comparison.expected["muscle_tendon_force"][:, OWN]
    assert (tension < -1).any() and (tension > 200).any()


@pytest.mark.parametrize(
    "values, message",
    [
        ({"activation_time_constant": "0"}, "activation_time_constant above 0"),
        ({"active_force_width_scale": "0.9"}, "active_force_width_scale of at least 1"),
        ({"optimal_fiber_length": "0"}, "optimal_fiber_length above 0"),
    ],
)
def test_faults_are_errors_that_name_the_muscle(values, message):
    with pytest.raises(OsimFormatError, match=rf"{TAG}\[m\].*{message}"):
        hopper_model.load(checks.model(muscle("m", 0.2, **values)))


# property


@pytest.mark.thorough
def test_the_tendon_keeps_its_length_and_a_muscle_without_activation_dynamics_its_control():
    model, params = world()
    state, controls = state_and_controls(seed=3)
    info = hopper_model.describe(model, params, state, controls).muscles
    np.testing.assert_array_equal(info.tendon_length[OWN], [0.5, 0.5, 0.5, 0.95])
    assert info.activation[2] == controls[2] and info.activation[1] == state.activation[1]
    rates = hopper_model.rates(model, params, state, controls)
    np.testing.assert_array_equal(rates.fiber_length[OWN], 0.0)
    assert rates.activation[2] == 0.0 and np.all(rates.activation[np.array([0, 1, 3])] != 0)


@pytest.mark.thorough
def test_the_curves_have_their_limits():
    params = world()[1].meyer_fregly2016
    own = {"active_force_width_scale": 1.0, "ignore_passive_fiber_force": 0.0}
    one = dataclasses.replace(params, **{name: jnp.full(3, value) for name, value in own.items()})
    lengths = jnp.array([0.0, 1.0, 20.0])
    passive = meyer.passive_force_multiplier(lengths, one)
    assert 0 < passive[0] < 1e-6
    np.testing.assert_allclose(passive[2], 0.232000797810576 * 12.438535493526128 * 18.670529524)
    active = meyer.active_force_length_multiplier(lengths, one)
    np.testing.assert_allclose(active, [0, 1, 0], atol=2e-2)
    speeds = meyer.force_velocity_multiplier(jnp.array([-1.0, 0.0, 1.0, 10.0]))
    np.testing.assert_allclose(speeds[:2], [0, 1], atol=1e-3)
    assert np.all(np.diff(speeds) > 0) and speeds[-1] < 1.8


# gradient


@functools.cache
def slopes_of_rates():
    return checks.slopes_of_rates(world(), lambda rates: jnp.sum(jnp.tanh(rates.u / 50)))


@pytest.mark.thorough
def test_gradient_equals_differences_and_is_finite_at_the_awkward_points():
    """Tendons slack and just taut, no speed, no control and the largest."""
    at = state_and_controls(seed=6)
    checks.assert_gradient_equals_differences(*slopes_of_rates(), at, 1e-5)
    _, slopes = slopes_of_rates()
    state, controls = at
    for angle in (-3.1, 0.0, np.pi):
        for speed in (-30.0, 0.0, 30.0):
            moved = dataclasses.replace(state, q=jnp.full(1, angle), u=jnp.full(1, speed))
            for control in (0.0, 1.0):
                given = slopes(moved, jnp.full_like(controls, control))
                assert hopper_model.all_finite(given), (angle, speed, control)


# batch, compile


@pytest.mark.thorough
@pytest.mark.parametrize(("dtype", "accuracy"), [(jnp.float64, 1e-9), (jnp.float32, 2e-3)])
def test_vmap_equals_loop_by_both_kernels(dtype, accuracy):
    checks.assert_batches_equal_single_worlds(
        jaxosim.state_derivative, world(), states_of(2, seed=8), dtype, accuracy
    )


@pytest.mark.thorough
def test_one_trace():
    checks.assert_one_trace(world(), states_of(2, seed=0))
