"""RigidTendonMuscle: beside OpenSim with its own and other curves, its tendon, slopes, batches."""

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
from tests import hopper_model
from tests.models import osim_text as osim

TAG = "RigidTendonMuscle"
COMMON = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.5",
    "pennation_angle_at_optimal": "0.3",
    "max_contraction_velocity": "4",
}


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
    muscle("curved", 0.3, curve("passive_force_length_curve", "0 1 2 3", "-1 0 3 20")),
    muscle("straight", 0.25, pennation_angle_at_optimal="0"),
    muscle("long", 0.25, tendon_slack_length="0.95"),
    muscle("thelen", 0.35, tag="Thelen2003Muscle"),
    bodies=osim.body("a", mass_center="0 -0.3 0"),
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
    states = {name: jnp.asarray(value[0]) for name, value in states_of(1, seed).items()}
    controls = states.pop("excitation")
    return jaxosim.State(**states), controls


# parity


@pytest.mark.opensim
def test_muscles_are_opensims(opensim):
    states = states_of(48, seed=1)
    comparison = hopper_model.assert_parity(WORLD, states)
    tension = comparison.expected["muscle_tendon_force"][:, OWN]
    assert (tension == 0).any() and (tension < -1).any() and (tension > 200).any()


def test_a_curve_of_another_class_is_refused():
    text = muscle("m", 0.2, curve("force_velocity_curve", "0 1", "0 1"))
    text = text.replace("SimmSpline", "PiecewiseLinearFunction")
    with pytest.raises(UnsupportedComponentError, match="force_velocity_curve only a SimmSpline"):
        hopper_model.load(osim.model(text))


# property


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
    model, params = world()

    def blended(state, controls):
        rates = jaxosim.state_derivative(model, params, state, controls)
        return jnp.sum(jnp.tanh(rates.u / 50))

    return jax.jit(blended), jax.jit(jax.grad(blended, argnums=(0, 1)))


def test_gradient_equals_differences():
    value, slopes = slopes_of_rates()
    at = state_and_controls(seed=6)
    direction = hopper_model.random_direction(at, seed=6)
    expected = hopper_model.slope_along(lambda x: value(*x), at, direction, 1e-5)
    obtained = hopper_model.inner(slopes(*at), direction)
    assert abs(obtained - expected) < 1e-6 * max(1.0, abs(expected))


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


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_vmap_equals_loop_by_both_kernels(dtype):
    model, params = world()
    states = {name: jnp.asarray(value, dtype) for name, value in states_of(3, seed=8).items()}
    controls = states.pop("excitation")
    state = jaxosim.State(**states)
    params = jax.tree.map(lambda x: x.astype(dtype), params)
    accuracy = 1e-9 if dtype == jnp.float64 else 2e-3
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
