"""ActivationCoordinateActuator: a state of its own beside OpenSim's, in files and integrators."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.positive_definite import symmetric
from jaxosim.errors import OsimFormatError
from jaxosim.integrators.linearization import evaluate, iteration_matrix, linearize
from jaxosim.outputs import force_records
from jaxosim.state_variables import state_variables
from jaxosim.sto import read_states, write_states
from tests import hopper_model
from tests.models import osim_text as osim


def actuator(name, coordinate="q", **values):
    """An ActivationCoordinateActuator."""
    return osim.element("ActivationCoordinateActuator", name, coordinate=coordinate, **values)


_POINTS = osim.point("m1", location="0.1 0.1 0") + osim.point("m2", "/bodyset/a")
WORLD = osim.model(
    actuator("off", appliesForce="false", optimal_force="4"),
    osim.muscle(points=_POINTS),
    actuator("on_angle", optimal_force="3.5", activation_time_constant="0.05"),
    osim.element("CoordinateActuator", "plain", coordinate="q"),
    actuator("on_length", "x", default_activation="-2", optimal_force="-2"),
    bodies=osim.body("a") + osim.body("b"),
    joints=osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
    rest=f"<components>{actuator('free', 'x')}</components>",
)
FIELD = "activation_coordinate_actuators"
CONTROLS = jnp.array([0.5, 0.3, -0.4, 0.2, 1.7, 2.0])


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(WORLD)
    state = hopper_model.initial(model, params)
    return model, params, dataclasses.replace(state, u=jnp.array([0.3, 0.4]))


# parity


@pytest.mark.opensim
def test_forces_and_rates_are_opensims(opensim, world):
    model, params, _ = world
    q, u = np.random.default_rng(1).uniform(-1, 1, (2, 16, 2))
    states = hopper_model.states_at(model, params, q, u)
    states["excitation"] = np.random.default_rng(2).uniform(-2, 2, states["excitation"].shape)
    oracle = hopper_model.oracle_of(WORLD)
    reports = oracle.evaluate_all(states)
    from opensim_comparison.states import describe_all

    ours = describe_all(hopper_model.source_of(WORLD), states)
    for name in ("u_dot", "force_states_rate", "activation_rate", "fiber_length_rate"):
        np.testing.assert_allclose(ours[name], reports[name], rtol=1e-9, atol=1e-9)
    assert np.abs(reports["force_states_rate"]).min(axis=0).max() > 0
    for name in ("m1", "on_angle", "plain", "on_length"):
        expected = reports["records"][name]
        np.testing.assert_allclose(ours["records"][name], expected, rtol=1e-9, atol=1e-12)
    assert "off" not in ours["records"] and "free" in model.force_names


@pytest.mark.opensim
def test_names_and_defaults_of_states_are_opensims(opensim, world):
    model, params, state = world
    oracle = hopper_model.oracle_of(WORLD)
    assert tuple(variable.path for variable in state_variables(model)) == oracle.state_names
    at_rest = oracle.rest()
    for name in ("activation", "fiber_length", "force_states"):
        np.testing.assert_allclose(getattr(state, name), at_rest[name], rtol=1e-8)
    np.testing.assert_array_equal(state.force_states, [0.5, 0.5, 0.5, -2.0])


@pytest.mark.opensim
def test_states_of_components_outside_the_sets_are_named_as_in_opensim(opensim):
    others = osim.pin("own", "/bodyset/b", "/bodyset/c", "w") + osim.muscle("outside")
    text = WORLD.replace("</components>", f"{others}</components>")
    text = text.replace(osim.body("b"), osim.body("b") + osim.body("c"))
    model, _ = hopper_model.load(text)
    names = tuple(variable.path for variable in state_variables(model))
    assert names == hopper_model.oracle_of(text).state_names
    assert names[:4] == (
        "/free/activation",
        "/own/w/value",
        "/own/w/speed",
        "/outside/activation",
    )


@pytest.mark.opensim
def test_motion_is_opensims(opensim, world):
    model, params, state = world
    controls = np.linspace(-1, 1, 5)[:, None] * np.asarray(CONTROLS)
    start = {name: np.asarray(getattr(state, name)) for name in ("q", "u", "force_states")}
    expected = hopper_model.oracle_of(WORLD).trajectory(controls, start=start)
    options = jaxosim.Options.reference(1e-9)
    states = hopper_model.rollout_of(model, options)(params, state, jnp.asarray(controls))
    for name in ("q", "u", "force_states", "activation"):
        np.testing.assert_allclose(getattr(states, name), expected[name][1:], rtol=0, atol=1e-7)


@pytest.mark.opensim
def test_opensim_reads_the_states_that_are_written(opensim, world, tmp_path):
    model, params, state = world
    rng = np.random.default_rng(4)
    moved = dataclasses.replace(state, force_states=jnp.asarray(rng.uniform(-1, 1, 4)))
    states = hopper_model.stack([state, dataclasses.replace(moved, time=jnp.asarray(0.01))])
    write_states(tmp_path / "states.sto", model, states)
    replayed = hopper_model.oracle_of(WORLD).replay(tmp_path / "states.sto")
    read = read_states(tmp_path / "states.sto", model, params)
    for values in (replayed["force_states"], read.force_states):
        np.testing.assert_allclose(values, states.force_states, rtol=1e-12)


# property


@pytest.mark.thorough
def test_activations_approach_the_controls_exponentially(world):
    model, params, state = world
    run = hopper_model.step_of(model, jaxosim.Options.reference(1e-9))
    once = run(params, state, CONTROLS)
    goal = np.asarray(CONTROLS)[np.asarray(model.activation_coordinate_actuators.control)]
    left = np.exp(-0.01 / np.array([0.01, 0.01, 0.05, 0.01]))
    expected = goal + left * (np.asarray(state.force_states) - goal)
    np.testing.assert_allclose(once.force_states, expected, rtol=0, atol=1e-7)


@pytest.mark.thorough
def test_a_short_time_constant_does_not_make_the_implicit_method_unstable(world):
    model, params, state = world
    own = params.activation_coordinate_actuators
    short = jnp.full_like(own.activation_time_constant, 1e-7)
    own = dataclasses.replace(own, activation_time_constant=short)
    params = dataclasses.replace(params, **{FIELD: own})
    state = hopper_model.step_of(model, jaxosim.Options(kernel="xla"))(params, state, CONTROLS)
    goal = np.asarray(CONTROLS)[np.asarray(model.activation_coordinate_actuators.control)]
    np.testing.assert_allclose(state.force_states, goal, rtol=0, atol=1e-3)
    assert hopper_model.all_finite(state)


@pytest.mark.thorough
def test_the_implicit_solve_is_the_dense_one(world):
    """The states' columns of W = I − g A, against the sum of their terms."""
    model, params, state = world
    g, rng = 2e-3, np.random.default_rng(3)
    rhs = jax.tree.map(lambda x: jnp.asarray(rng.standard_normal(x.shape)), state)

    @jax.jit
    def solved(rhs):
        matrix = iteration_matrix(
            model, linearize(evaluate(model, params, state, CONTROLS), 1e-3), g
        )
        assert matrix.linearization.states is not None
        return matrix.solve(rhs), symmetric(matrix.matrix), matrix.linearization.states

    x, matrix, states = solved(rhs)
    without = solved(dataclasses.replace(rhs, force_states=jnp.zeros(4)))[0]
    moved = rhs.force_states / (1 - g * states.rate)
    np.testing.assert_allclose(x.force_states, moved, rtol=1e-13)
    pushed = g * (states.coordinate_force @ moved)[model.tree.mobility]
    found = (x.u - without.u)[model.tree.mobility]
    np.testing.assert_allclose(found, np.linalg.solve(matrix, pushed), rtol=1e-10)


@pytest.mark.thorough
def test_an_actuator_that_is_switched_off_has_an_activation_and_no_record(world):
    model, params, state = world
    controls = CONTROLS.at[list(model.control_names).index("off")].set(9.0)
    one, two = (hopper_model.rates(model, params, state, c) for c in (CONTROLS, controls))
    np.testing.assert_array_equal(one.u, two.u)
    assert np.flatnonzero(np.asarray(one.force_states != two.force_states)).tolist() == [1]
    records = force_records(model, hopper_model.describe(model, params, state, CONTROLS))
    assert records["on_angle"] == [pytest.approx(1.75)] and "off" not in records


@pytest.mark.parametrize("value", ["0", "-0.01"])
def test_a_time_constant_that_is_not_positive_is_refused(value):
    text = osim.model(actuator("a", activation_time_constant=value))
    with pytest.raises(OsimFormatError, match=r"\[a\].*activation_time_constant above 0"):
        hopper_model.load(text)


def test_a_state_without_its_activations_is_refused(world):
    model, params, state = world
    short = dataclasses.replace(state, force_states=jnp.zeros(1))
    with pytest.raises(jaxosim.ModelMismatchError, match=r"State.force_states: .*4.*got \[1\]"):
        jaxosim.step(model, params, short, CONTROLS)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences(world):
    model, params, state = world

    def scalar(numbers, activations, controls):
        changed = dataclasses.replace(params, **{FIELD: numbers})
        at = dataclasses.replace(state, force_states=activations)
        rates = hopper_model.rates(model, changed, at, controls)
        return jnp.sum(rates.u) + jnp.sum(rates.force_states)

    at = params.activation_coordinate_actuators, state.force_states, CONTROLS
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.jit(jax.grad(scalar, argnums=(0, 1, 2)))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-4)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)
    assert hopper_model.nonzero(slopes[1]) and hopper_model.all_finite(slopes)


# batch, compile


@pytest.mark.thorough
def test_batches_of_fused_kernels_equal_single_steps_and_are_traced_once(world):
    model, params, state = world
    starts = [state, dataclasses.replace(state, force_states=-state.force_states)]
    hopper_model.assert_batches_equal_single_worlds(
        jaxosim.step, model, params, starts, CONTROLS, tolerances=(1e-11, 1e-4)
    )
