"""Schutte1993Muscle_Deprecated: beside OpenSim, with OpenSim's curves and with those of a file."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import UnsupportedComponentError
from jaxosim.muscles.spline_curves import Spline, build_splines, evaluate_splines
from tests import hopper_model
from tests.models import osim_text as osim
from tests.muscles import checks

TAG = "Schutte1993Muscle_Deprecated"
COMMON = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.5",
    "pennation_angle_at_optimal": "0.3",
    "max_contraction_velocity": "10",
}
PASSIVE = ("-5 0.998 0.999 1 1.1 1.3 1.6 1.7 5", "0 0 0 0 0.035 0.26 2 2 2")
# What OpenSim reports of a muscle of this class; it leaves other quantities empty.
REPORTED = (
    "activation_rate",
    "fiber_length_rate",
    "muscle_passive_fiber_force",
    "muscle_fiber_length",
    "muscle_normalized_fiber_length",
    "muscle_pennation_angle",
    "muscle_tendon_length",
    "muscle_active_force_length_multiplier",
    "muscle_passive_force_multiplier",
)


def muscle(name, x, inside="", tag=TAG, **values):
    return checks.muscle(name, x, tag, inside, **{**COMMON, **values})


WORLD = checks.model(
    muscle("plain", 0.2),
    muscle("curved", 0.3, checks.curve("passive_force_length_curve", *PASSIVE), damping="0.017"),
    muscle("straight", 0.25, pennation_angle_at_optimal="0", time_scale="0.05"),
    muscle("thelen", 0.35, tag="Thelen2003Muscle"),
)


@functools.cache
def world():
    return hopper_model.load(WORLD)


def states_of(count, seed):
    """States with slack and taut tendons, and fibers across them, `[state, …]`."""
    model, params = world()
    rng = np.random.default_rng(seed)
    q, u = rng.uniform(-0.6, 0.6, (count, 1)), rng.normal(size=(count, 1))
    states = hopper_model.states_at(model, params, q, u, seed)
    lengths = states["fiber_length"]
    short = rng.random(lengths.shape) < 0.2
    return {**states, "fiber_length": np.where(short, 0.05, rng.uniform(0.3, 0.45, lengths.shape))}


def state_and_controls(seed):
    return checks.first(states_of(1, seed))


# parity


@pytest.mark.opensim
def test_muscles_are_opensims(opensim):
    from opensim_comparison.states import QUANTITIES, compare

    states = states_of(64, seed=1)
    oracle = hopper_model.oracle_of(WORLD)
    comparison = compare(oracle, str(hopper_model.source_of(WORLD)), states)
    for quantity in QUANTITIES:
        parts = quantity.parts
        if quantity.name == "muscles":
            parts = {name: place for name, place in parts.items() if name in REPORTED}
            assert len(parts) == len(REPORTED)
        error = comparison.error(dataclasses.replace(quantity, parts=parts))
        assert error.value <= quantity.tolerance, (quantity.name, error)
    expected, obtained = comparison.expected, comparison.obtained
    tension = expected["muscle_actuation"]
    assert (tension == 0).any() and (tension > 30).any()
    along = expected["muscle_pennation_angle"] < 1.5  # across its tendon OpenSim divides by zero
    name = "muscle_active_fiber_force"
    np.testing.assert_allclose(obtained[name][along], expected[name][along], rtol=1e-9, atol=1e-9)
    assert 0 < (~along).sum() < along.sum()


@pytest.mark.opensim
def test_equilibrium_is_opensims(opensim):
    model, params = world()
    oracle = hopper_model.oracle_of(WORLD)
    find = jax.jit(functools.partial(jaxosim.find_equilibrium, model, params))
    states = states_of(24, seed=2)
    states["q"] = np.linspace(-1.5, 2.6, 24)[:, None]
    balanced_muscles = slack = 0
    for index in range(24):
        values = {name: value[index] for name, value in states.items() if name != "excitation"}
        expected = oracle.equilibrium(values["q"], values["u"], values["activation"])
        state = jaxosim.State(**{name: jnp.asarray(value) for name, value in values.items()})
        balanced, found = find(state)
        own = np.asarray(found) & np.isfinite(expected)
        balanced_muscles += own.sum()
        slack += np.sum(np.isclose(expected[:3], 0.3 * np.sin([0.3, 0.3, 0.0]), rtol=1e-12))
        np.testing.assert_allclose(balanced.fiber_length[own], expected[own], rtol=0, atol=1e-10)
    assert balanced_muscles > 80 and slack > 3


def test_a_curve_of_another_class_is_refused():
    text = muscle("m", 0.2, checks.curve("active_force_length_curve", "0 1", "0 1"))
    text = text.replace("SimmSpline", "PiecewiseLinearFunction")
    with pytest.raises(UnsupportedComponentError, match="active_force_length_curve only a Simm"):
        hopper_model.load(osim.model(text))


# property


@pytest.mark.thorough
def test_splines_of_different_lengths_keep_their_values():
    short, long = Spline((0.0, 1.0), (0.0, 2.0)), Spline((0.0, 0.5, 2.0, 3.0), (0.0, 1.0, 0.0, 4.0))
    together = jax.tree.map(jnp.asarray, build_splines([short, long]))
    alone = jax.tree.map(jnp.asarray, build_splines([long]))
    for x in (-1.0, 0.0, 0.3, 1.0, 2.5, 3.0, 7.0):
        first, second = evaluate_splines(together, jnp.full(2, x))
        np.testing.assert_allclose(first, 2 * x, rtol=0, atol=1e-14)
        np.testing.assert_allclose(second, evaluate_splines(alone, jnp.full(1, x))[0], rtol=1e-14)


@pytest.mark.thorough
def test_a_fiber_bears_the_tendons_force_at_its_velocity():
    """Where the fiber shortens, the force that the relation gives back is the required one."""
    model, params = world()
    state, controls = state_and_controls(seed=3)
    weak, strong = jnp.full_like(state.activation, 0.2), jnp.full_like(state.activation, 0.8)
    state = dataclasses.replace(state, u=jnp.zeros(1), activation=weak)
    state = jax.jit(jaxosim.equilibrate_muscles)(model, params, state)
    state = dataclasses.replace(state, activation=strong)
    info = hopper_model.describe(model, params, state, controls).muscles
    a, overlap = state.activation[0], info.active_force_length_multiplier[0]
    v = info.fiber_velocity[0] * 0.1 / 0.3
    B, kv = 0.1, 0.15
    assert -1 < v < -0.01
    required = a * overlap * (kv + kv * v) / (kv - v) + B * v  # Hill's hyperbola and a damper
    np.testing.assert_allclose(info.active_fiber_force[0] / 300, required, rtol=0, atol=1e-10)


# gradient


@functools.cache
def slopes_of_rates():
    return checks.slopes_of_rates(world(), checks.all_rates)


@pytest.mark.thorough
def test_gradient_equals_differences():
    at = state_and_controls(seed=6)
    checks.assert_gradient_equals_differences(*slopes_of_rates(), at, 1e-6)


@pytest.mark.thorough
def test_gradient_is_finite_at_the_awkward_points():
    """No activation, a fiber of no length, as long as the muscle is wide, or far too long."""
    _, slopes = slopes_of_rates()
    state, controls = state_and_controls(seed=7)
    for activation in (-0.1, 0.0, 1.0):
        for fiber in (0.0, 0.05, 0.3 * np.sin(0.3), 0.5, 3.0):
            moved = dataclasses.replace(
                state,
                activation=jnp.full_like(state.activation, activation),
                fiber_length=jnp.full_like(state.fiber_length, fiber),
            )
            given = slopes(moved, jnp.full_like(controls, activation))
            assert hopper_model.all_finite(given), (activation, fiber)


# batch, compile


@pytest.mark.thorough
@pytest.mark.parametrize(("dtype", "accuracy"), [(jnp.float64, 1e-9), (jnp.float32, 5e-4)])
def test_vmap_equals_loop_by_both_kernels(dtype, accuracy):
    checks.assert_batches_equal_single_worlds(
        jaxosim.state_derivative, world(), states_of(3, seed=8), dtype, accuracy
    )


@pytest.mark.thorough
def test_one_trace():
    checks.assert_one_trace(world(), states_of(2, seed=0))
