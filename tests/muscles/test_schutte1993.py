"""Schutte1993Muscle_Deprecated: beside OpenSim, with OpenSim's curves and with those of a file."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import UnsupportedComponentError
from jaxosim.fused import using
from jaxosim.muscles.spline_curves import Spline, build_splines, evaluate_splines
from tests import hopper_model
from tests.models import osim_text as osim

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
    "muscle_actuation",
    "muscle_passive_fiber_force",
    "muscle_fiber_length",
    "muscle_normalized_fiber_length",
    "muscle_pennation_angle",
    "muscle_tendon_length",
    "muscle_active_force_length_multiplier",
    "muscle_passive_force_multiplier",
)


def curve(name, x, y):
    return osim.element("SimmSpline", name, x=x, y=y)


def muscle(name, x, inside="", tag=TAG, **values):
    points = osim.point("a", location=f"{x} 0.4 0") + osim.point(
        "b", "/bodyset/a", location="0 -0.5 0"
    )
    text = osim.muscle(name, points, kind=tag, **{**COMMON, **values})
    return text.replace(f"</{tag}>", f"{inside}</{tag}>")


WORLD = osim.model(
    muscle("plain", 0.2),
    muscle("curved", 0.3, curve("passive_force_length_curve", *PASSIVE), damping="0.017"),
    muscle("straight", 0.25, pennation_angle_at_optimal="0", time_scale="0.05"),
    muscle("thelen", 0.35, tag="Thelen2003Muscle"),
    bodies=osim.body("a", mass_center="0 -0.3 0"),
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
    states = {name: jnp.asarray(value[0]) for name, value in states_of(1, seed).items()}
    controls = states.pop("excitation")
    return jaxosim.State(**states), controls


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
    text = muscle("m", 0.2, curve("active_force_length_curve", "0 1", "0 1"))
    text = text.replace("SimmSpline", "PiecewiseLinearFunction")
    with pytest.raises(UnsupportedComponentError, match="active_force_length_curve only a Simm"):
        hopper_model.load(osim.model(text))


# property


def test_splines_of_different_lengths_keep_their_values():
    short, long = Spline((0.0, 1.0), (0.0, 2.0)), Spline((0.0, 0.5, 2.0, 3.0), (0.0, 1.0, 0.0, 4.0))
    together = jax.tree.map(jnp.asarray, build_splines([short, long]))
    alone = jax.tree.map(jnp.asarray, build_splines([long]))
    for x in (-1.0, 0.0, 0.3, 1.0, 2.5, 3.0, 7.0):
        first, second = evaluate_splines(together, jnp.full(2, x))
        np.testing.assert_allclose(first, 2 * x, rtol=0, atol=1e-14)
        np.testing.assert_allclose(second, evaluate_splines(alone, jnp.full(1, x))[0], rtol=1e-14)


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
    model, params = world()

    def blended(state, controls):
        rates = jaxosim.state_derivative(model, params, state, controls)
        parts = [jnp.sum(jnp.tanh(x / 5)) for x in jax.tree.leaves(rates)]
        return functools.reduce(jnp.add, parts)

    return jax.jit(blended), jax.jit(jax.grad(blended, argnums=(0, 1)))


def test_gradient_equals_differences():
    value, slopes = slopes_of_rates()
    at = state_and_controls(seed=6)
    direction = hopper_model.random_direction(at, seed=6)
    expected = hopper_model.slope_along(lambda x: value(*x), at, direction, 1e-6)
    obtained = hopper_model.inner(slopes(*at), direction)
    assert abs(obtained - expected) < 1e-6 * max(1.0, abs(expected))


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
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_vmap_equals_loop_by_both_kernels(dtype):
    model, params = world()
    states = {name: jnp.asarray(value, dtype) for name, value in states_of(3, seed=8).items()}
    controls = states.pop("excitation")
    state = jaxosim.State(**states)
    params = jax.tree.map(lambda x: x.astype(dtype), params)
    accuracy = 1e-9 if dtype == jnp.float64 else 5e-4
    rates = functools.partial(jaxosim.state_derivative, model, params)
    with using("xla"):
        expected = jax.jit(jax.vmap(lambda *given: rates(*given)))(state, controls)
    together = jax.jit(jax.vmap(rates))(state, controls)
    chex.assert_trees_all_close(together, expected, rtol=accuracy, atol=accuracy)
    for index in range(3):
        alone = hopper_model.rates(model, params, hopper_model.row(state, index), controls[index])
        chex.assert_trees_all_close(
            hopper_model.row(expected, index), alone, rtol=accuracy, atol=accuracy
        )


def test_one_trace():
    model, params = world()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(state, controls):
        return jaxosim.state_derivative(model, params, state, controls)

    chex.clear_trace_counter()
    for seed in range(2):
        one(*state_and_controls(seed))
