"""RigidTendonMuscle: beside OpenSim with its own and other curves, its tendon, slopes, batches."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import UnsupportedComponentError
from tests import hopper_model
from tests.models import osim_text as osim
from tests.muscles import checks

TAG = "RigidTendonMuscle"
COMMON = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.5",
    "pennation_angle_at_optimal": "0.3",
    "max_contraction_velocity": "4",
}


def muscle(name, x, inside="", tag=TAG, **values):
    return checks.muscle(name, x, tag, inside, **{**COMMON, **values})


WORLD = checks.model(
    muscle("plain", 0.2),
    muscle("curved", 0.3, checks.curve("passive_force_length_curve", "0 1 2 3", "-1 0 3 20")),
    muscle("straight", 0.25, pennation_angle_at_optimal="0"),
    muscle("long", 0.25, tendon_slack_length="0.95"),
    muscle("thelen", 0.35, tag="Thelen2003Muscle"),
)
OWN = slice(0, 4)


@functools.cache
def world():
    return hopper_model.load(WORLD)


def states_of(count, seed):
    """States with slack and taut tendons, fast either way; controls beyond their bounds."""
    model, params = world()
    rng = np.random.default_rng(seed)
    q, u = rng.uniform(-1.5, 1.5, (count, 1)), 3 * rng.normal(size=(count, 1))
    states = hopper_model.states_at(model, params, q, u, seed)
    return {**states, "excitation": rng.uniform(-0.2, 1.2, states["excitation"].shape)}


def state_and_controls(seed):
    return checks.first(states_of(1, seed))


# parity


@pytest.mark.opensim
def test_muscles_are_opensims(opensim):
    states = states_of(48, seed=1)
    comparison = hopper_model.assert_parity(WORLD, states)
    tension = comparison.expected["muscle_tendon_force"][:, OWN]
    assert (tension == 0).any() and (tension < -1).any() and (tension > 200).any()


def test_a_curve_of_another_class_is_refused():
    text = muscle("m", 0.2, checks.curve("force_velocity_curve", "0 1", "0 1"))
    text = text.replace("SimmSpline", "PiecewiseLinearFunction")
    with pytest.raises(UnsupportedComponentError, match="force_velocity_curve only a SimmSpline"):
        hopper_model.load(osim.model(text))


# property


@pytest.mark.thorough
def test_the_tendon_keeps_its_length_and_the_controls_are_the_activations():
    model, params = world()
    state, controls = state_and_controls(seed=3)
    info = hopper_model.describe(model, params, state, controls).muscles
    np.testing.assert_array_equal(info.tendon_length[OWN], [0.5, 0.5, 0.5, 0.95])
    np.testing.assert_array_equal(info.activation[OWN], controls[OWN])
    taut = np.asarray(info.length[OWN] > info.tendon_length[OWN])
    along = info.tendon_length + info.fiber_length * jnp.cos(info.pennation_angle)
    assert taut.sum() >= 2
    np.testing.assert_allclose(along[OWN][taut], info.length[OWN][taut], rtol=1e-14)
    rates = hopper_model.rates(model, params, state, controls)
    np.testing.assert_array_equal(rates.activation[OWN], 0.0)
    np.testing.assert_array_equal(rates.fiber_length[OWN], 0.0)


# gradient


@functools.cache
def slopes_of_rates():
    return checks.slopes_of_rates(world(), lambda rates: jnp.sum(jnp.tanh(rates.u / 50)))


@pytest.mark.thorough
def test_gradient_equals_differences():
    at = state_and_controls(seed=6)
    checks.assert_gradient_equals_differences(*slopes_of_rates(), at, 1e-5)


@pytest.mark.thorough
def test_gradient_is_finite_at_the_awkward_points():
    """Tendons slack and just taut, no speed, no control and the largest."""
    _, slopes = slopes_of_rates()
    state, controls = state_and_controls(seed=7)
    for angle in (-3.1, -1.5, 0.0, 1.5, 2.6, np.pi):
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
        jaxosim.state_derivative, world(), states_of(3, seed=8), dtype, accuracy
    )


@pytest.mark.thorough
def test_one_trace():
    checks.assert_one_trace(world(), states_of(2, seed=0))
