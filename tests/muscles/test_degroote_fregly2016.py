"""DeGrooteFregly2016Muscle: beside OpenSim in every mode, limits, gradients, refusals."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.muscles.degroote_fregly2016 import curves
from jaxosim.state_variables import state_variables
from tests import hopper_model
from tests.models import osim_text as osim
from tests.muscles import checks

TAG = "DeGrooteFregly2016Muscle"
COMMON = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.55",
    "pennation_angle_at_optimal": "0.2",
}
# OpenSim has one set of activation constants in a process: all tests leave them at their defaults.
KINDS = {
    "elastic": {"active_force_width_scale": "1.2"},
    "rigid": {"ignore_tendon_compliance": "true", "fiber_damping": "0.1"},
    "direct": {"ignore_activation_dynamics": "true", "pennation_angle_at_optimal": "0"},
    "plain": {
        "ignore_activation_dynamics": "true",
        "ignore_tendon_compliance": "true",
        "ignore_passive_fiber_force": "true",
        "tendon_compliance_dynamics_mode": "implicit",
    },
    "implicit": {"tendon_compliance_dynamics_mode": "implicit", "fiber_damping": "0.1"},
}


def muscle(name, tag=TAG, x=0.3, **values):
    return checks.muscle(name, x, tag, **{**COMMON, **values})


def text_of(kinds):
    """A muscle of each kind, and one of another class."""
    return checks.model(
        muscle("thelen", "Thelen2003Muscle", x=-0.25),
        *(muscle(name, x=0.2 + 0.05 * i, **KINDS[name]) for i, name in enumerate(kinds)),
    )


WORLD = text_of(KINDS)
# The fixed steps of the motion below are small enough for these.
MOVING = ("elastic", "rigid", "direct", "plain"), ("implicit",)
OPTIONS = jaxosim.Options(substeps=2)


@functools.cache
def world(text=WORLD):
    return hopper_model.load(text)


def states_of(count, seed, least=0.3, text=WORLD):
    """States whose fibers are far from the ends of the curves, `[state, …]`."""
    model, params = world(text)
    rng = np.random.default_rng(seed)
    q, u = rng.uniform(-0.4, 0.4, (count, 1)), rng.normal(size=(count, 1))
    states = hopper_model.states_at(model, params, q, u, seed)
    for name in ("activation", "excitation"):
        states[name] = rng.uniform(least, 1.0, states[name].shape)
    forces = states["normalized_tendon_force"]
    return {**states, "normalized_tendon_force": rng.uniform(0.0, 0.6, forces.shape)}


def state_and_controls(seed):
    return checks.first(states_of(1, seed))


# parity


@pytest.mark.opensim
def test_muscles_of_every_mode_are_opensims(opensim):
    model, _ = world()
    assert model.sizes["degroote_fregly2016"] == len(KINDS)
    hopper_model.assert_parity(WORLD, states_of(32, seed=1))


@pytest.mark.opensim
def test_a_muscle_without_a_tendon_is_opensims(opensim):
    values = {"tendon_slack_length": "0", "optimal_fiber_length": "0.8"}
    text = checks.model(muscle("bare", **KINDS["rigid"] | values))
    model, params = hopper_model.load(text)
    q, u = np.random.default_rng(3).uniform(-0.4, 0.4, (2, 8, 1))
    hopper_model.assert_parity(text, hopper_model.states_at(model, params, q, u))
    with pytest.raises(jaxosim.OsimFormatError, match="above 0, or 0 with a rigid tendon"):
        hopper_model.load(checks.model(muscle("bare", **values)))


@pytest.mark.opensim
def test_state_variables_are_opensims_in_opensims_order(opensim):
    model, _ = world()
    names = tuple(variable.path for variable in state_variables(model))
    assert names == hopper_model.oracle_of(WORLD).state_names
    assert "/forceset/elastic/normalized_tendon_force" in names
    assert "/forceset/rigid/activation" in names and "/forceset/plain/activation" not in names


@pytest.mark.opensim
def test_equilibrium_is_opensims(opensim):
    model, params = world()
    oracle = hopper_model.oracle_of(WORLD)
    find = jax.jit(functools.partial(jaxosim.find_equilibrium, model, params))
    states = states_of(8, seed=2)
    for index in range(8):
        values = {name: value[index] for name, value in states.items()}
        given = {name: values[name] for name in ("q", "u", "activation", "excitation")}
        expected = oracle.read(oracle.initial_state(given))["normalized_tendon_force"]
        controls = values.pop("excitation")
        state = jaxosim.State(**{name: jnp.asarray(value) for name, value in values.items()})
        balanced, found = find(state, controls)
        assert np.asarray(found).all()
        elastic = np.isfinite(expected)
        assert elastic.sum() == 3
        np.testing.assert_allclose(
            balanced.normalized_tendon_force[elastic], expected[elastic], rtol=0, atol=1e-10
        )
        np.testing.assert_array_equal(  # rigid tendons have none, and keep what is there
            balanced.normalized_tendon_force[~elastic], values["normalized_tendon_force"][~elastic]
        )


@pytest.mark.thorough
@pytest.mark.opensim
@pytest.mark.parametrize("kinds", MOVING)
def test_a_motion_is_opensims(opensim, kinds):
    text = text_of(kinds)
    model, params = world(text)
    state, _ = checks.first(states_of(1, seed=3, text=text))
    controls = np.random.default_rng(3).uniform(0.2, 0.9, (5, len(model.control_names)))
    values = {f.name: np.asarray(getattr(state, f.name)) for f in dataclasses.fields(state)}
    live = hopper_model.oracle_of(text).trajectory(controls, start=values, accuracy=1e-10)
    for options in (jaxosim.Options.reference(1e-9), jaxosim.Options(substeps=100)):
        ours = hopper_model.rollout_of(model, options)(params, state, jnp.asarray(controls))
        for name in ("q", "u"):
            np.testing.assert_allclose(getattr(ours, name), live[name][1:], rtol=0, atol=2e-6)


def test_the_implicit_form_is_warned_of_and_any_other_an_error():
    text = osim.model(muscle("m", tendon_compliance_dynamics_mode="implicit"))
    with pytest.warns(OsimFormatWarning, match="tendon_compliance_dynamics_mode: implicit, so"):
        hopper_model.load(text)
    for mode in ("other", ""):
        with pytest.raises(OsimFormatError, match="expected explicit or implicit"):
            hopper_model.load(osim.model(muscle("m", tendon_compliance_dynamics_mode=mode)))


# property


@pytest.mark.thorough
def test_one_force_velocity_curve_inverts_the_other():
    velocity = jnp.linspace(-1.5, 1.5, 31)
    multiplier = curves.force_velocity_multiplier(velocity)
    np.testing.assert_allclose(multiplier[np.array([5, 15])], [0.0, 1.0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        curves.normalized_fiber_velocity(multiplier), velocity, rtol=0, atol=1e-13
    )


@pytest.mark.thorough
def test_fields_that_mean_nothing_have_no_effect():
    model, params = world()
    state, controls = state_and_controls(seed=4)
    rates = hopper_model.rates(model, params, state, controls)
    inert = {
        "activation": [3, 4],  # direct, plain
        "fiber_length": [1, 2, 3, 4, 5],  # all but thelen
        "normalized_tendon_force": [1, 3],  # rigid, plain
    }
    for name, rows in inert.items():
        np.testing.assert_array_equal(getattr(rates, name)[np.array(rows)], 0.0)
        moved = getattr(state, name).at[np.array(rows)].add(0.3)
        other = hopper_model.rates(
            model, params, dataclasses.replace(state, **{name: moved}), controls
        )
        chex.assert_trees_all_equal(rates, other)


@pytest.mark.thorough
def test_a_tendon_of_the_implicit_form_keeps_its_force_whatever_the_fiber_does():
    model, params = world()
    state, controls = state_and_controls(seed=9)
    tendon, muscle = 4, model.muscle_names.index("implicit")
    for activation in (0.1, 0.9):
        raised = state.activation.at[muscle].set(activation)
        moved = dataclasses.replace(state, activation=raised)
        assert (
            hopper_model.rates(model, params, moved, controls).normalized_tendon_force[tendon] == 0
        )
        info = hopper_model.describe(model, params, moved, controls).muscles
        force = 300 * state.normalized_tendon_force[tendon]
        np.testing.assert_allclose(info.tendon_force[muscle], force, rtol=1e-14)
        assert abs(info.fiber_force_along_tendon[muscle] - force) > 10


@pytest.mark.thorough
def test_a_muscle_that_is_switched_off_keeps_its_states():
    model, params = world()
    state, controls = state_and_controls(seed=5)
    on = hopper_model.rates(model, params, state, controls)
    works = np.arange(len(model.muscle_names)) != model.muscle_names.index("elastic")
    model = dataclasses.replace(model, muscle_applies_force=works)
    off = hopper_model.rates(model, params, state, controls)
    assert on.activation[1] != 0 and on.normalized_tendon_force[0] != 0
    assert off.activation[1] == 0 and off.normalized_tendon_force[0] == 0
    assert abs(off.u[0] - on.u[0]) > 1


# gradient


@functools.cache
def slopes_of_rates():
    return checks.slopes_of_rates(world(), checks.all_rates)


@pytest.mark.thorough
def test_gradient_equals_differences():
    at = state_and_controls(seed=6)
    checks.assert_gradient_equals_differences(*slopes_of_rates(), at, 1e-5)


@pytest.mark.thorough
def test_gradient_is_finite_at_the_awkward_points():
    """No activation, a slack or pushed tendon, and paths so short that fibers point backward."""
    _, slopes = slopes_of_rates()
    state, controls = state_and_controls(seed=7)
    for activation in (-0.1, 0.0, 1.0):
        for force in (-0.5, -0.2, 0.0, 5.0):
            for q in (0.2, 3.0):
                moved = dataclasses.replace(
                    state,
                    q=jnp.array([q]),
                    activation=jnp.full_like(state.activation, activation),
                    normalized_tendon_force=jnp.full_like(state.normalized_tendon_force, force),
                )
                given = slopes(moved, jnp.full_like(controls, activation))
                assert hopper_model.all_finite(given), (activation, force, q)


# batch, compile


@pytest.mark.thorough
@pytest.mark.parametrize(("dtype", "accuracy"), [(jnp.float64, 1e-9), (jnp.float32, 2e-4)])
def test_vmap_equals_loop_by_both_kernels(dtype, accuracy):
    checks.assert_batches_equal_single_worlds(
        functools.partial(jaxosim.step, options=OPTIONS),
        world(),
        states_of(3, seed=8),
        dtype,
        accuracy,
    )


@pytest.mark.thorough
def test_one_trace():
    checks.assert_one_trace(world(), states_of(2, seed=0))
