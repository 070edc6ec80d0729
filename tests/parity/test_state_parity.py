"""Random states, stage by stage: the acceptance table of docs/fidelity.md against live OpenSim."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from opensim_comparison.states import (
    EQUILIBRIUM_TOLERANCE,
    MOTION_TOLERANCE,
    QUANTITIES,
    compare,
    equilibrium_error,
)

import jaxosim
from jaxosim.models.catalog import resolve
from jaxosim.opensim.sampling import random_states, stressed

pytestmark = pytest.mark.opensim

STATES = int(os.environ.get("JAXOSIM_PARITY_STATES", "64"))
MANY_STATES = 256
SEED = 1
DEFAULT = ("gait14dof22musc_pros", "arm2dof6musc")
LATER = {"gait9dof18musc": pytest.mark.thorough}
FEW_STATES = 8
# Their rates alone in the default run; ellipsoids make a program that takes long to compile.
FEW = (pytest.param("arm26", marks=pytest.mark.slow), "gait10dof18musc")
RATES = {"u_dot": "u", "fiber_length_rate": "fiber_length", "activation_rate": "activation"}
RATE_TOLERANCE = 1e-9  # relative to max(1, |OpenSim's value|)
NAMES = (
    "coordinate_names",
    "body_names",
    "joint_names",
    "muscle_names",
    "force_names",
    "marker_names",
)


# The default run leaves out those that share every part with another of the list.
EVERY = [
    pytest.param(name, marks=[] if name in DEFAULT else [LATER.get(name, pytest.mark.slow)])
    for name in jaxosim.bundled_models()
]


@pytest.fixture(scope="module", params=EVERY)
def name(request):
    return request.param


@pytest.fixture(scope="module", params=[STATES, pytest.param(MANY_STATES, marks=pytest.mark.slow)])
def comparison(request, name, opensim):
    from jaxosim.opensim.model import OpenSimModel

    oracle = OpenSimModel(resolve(name))
    return compare(oracle, name, random_states(oracle, request.param, SEED))


@pytest.fixture(scope="module")
def stressed_comparison(comparison, name):
    oracle = comparison.oracle
    return compare(oracle, name, stressed(oracle, comparison.states, SEED))


@pytest.mark.parametrize("name", FEW)
def test_rates_at_a_few_states(name, opensim):
    from jaxosim.opensim.model import OpenSimModel

    oracle = OpenSimModel(resolve(name))
    states = random_states(oracle, FEW_STATES, SEED)
    expected = oracle.evaluate_all(states)
    model, params = jaxosim.load_model(name)
    inputs = {key: jnp.asarray(value) for key, value in states.items()}
    controls = inputs.pop("excitation")
    rates = jax.jit(jax.vmap(functools.partial(jaxosim.state_derivative, model, params)))
    obtained = rates(jaxosim.State(**inputs), controls)
    for key, field in RATES.items():
        error = np.abs(getattr(obtained, field) - expected[key])
        assert (error / np.maximum(1.0, np.abs(expected[key]))).max() <= RATE_TOLERANCE, key


def test_names_are_those_of_the_file(comparison, name):
    model, _ = jaxosim.load_model(name)
    for names in NAMES:
        assert getattr(model, names) == getattr(comparison.oracle, names), names
    np.testing.assert_array_equal(model.locked, comparison.oracle.locked)
    np.testing.assert_array_equal(model.rotational, comparison.oracle.rotational)


def test_defaults_are_those_of_the_file(comparison, name):
    _, params = jaxosim.load_model(name)
    np.testing.assert_array_equal(params.coordinates.default_value, comparison.oracle.defaults)
    np.testing.assert_array_equal(params.coordinates.range, comparison.oracle.ranges)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_quantity(comparison, quantity):
    error = comparison.error(quantity)
    assert error.value <= quantity.tolerance, error


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_minimal_fibers_and_controls_out_of_range(stressed_comparison, quantity):
    error = stressed_comparison.error(quantity)
    assert error.value <= quantity.tolerance, error


def test_accelerations_satisfy_the_equations_of_motion(comparison):
    error = comparison.motion_error()
    assert error.value <= MOTION_TOLERANCE, error


def test_most_states_are_compared(comparison):
    for quantity in QUANTITIES:
        assert comparison.compared(quantity).mean() > 0.9, quantity.name


def test_locked_coordinates_stay(comparison):
    locked = comparison.oracle.locked
    assert not np.any(comparison.obtained["u_dot"][:, locked])
    assert not np.any(comparison.obtained["joint_velocity"][:, locked])


@pytest.mark.parametrize("moving", [False, True], ids=["at rest", "moving"])
def test_equilibrium(comparison, name, moving):
    error = equilibrium_error(comparison.oracle, name, comparison.states, moving)
    assert error.value <= EQUILIBRIUM_TOLERANCE, error


def test_states_reach_the_corners(comparison):
    """The sampler does what it promises, else the agreement above would mean little."""
    oracle, states = comparison.oracle, comparison.states
    beyond = (states["q"] < oracle.ranges[:, 0]) | (states["q"] > oracle.ranges[:, 1])
    assert beyond.any(axis=1).mean() > 0.3
    moved = (states["q"] != oracle.defaults)[:, oracle.locked]
    if oracle.locked.any():
        assert moved.any(axis=1).mean() == pytest.approx(0.25, abs=0.02)
    if oracle.vertical is not None and oracle.lowest_contact(states["q"][0]) is not None:
        lowest = np.array([oracle.lowest_contact(q) for q in states["q"]])
        assert ((lowest < 0) & (lowest > -0.0201)).mean() >= 0.6
    strain = (
        comparison.expected["muscle_tendon_length"] / oracle.muscle_lengths()["tendon_slack_length"]
    )
    assert ((strain > 0.985) & (strain < 1.065)).mean() > 0.3
