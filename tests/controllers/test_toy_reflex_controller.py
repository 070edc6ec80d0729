"""ToyReflexController: beside OpenSim, on the muscles that lengthen only."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.controls import total_controls
from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.models import osim_text as osim


def reflex(name, gain=None, **values):
    """A ToyReflexController."""
    return osim.element("ToyReflexController", name, gain=gain, **values)


def muscle(name, side, kind="Thelen2003Muscle", **values):
    """A muscle from ground to the pendulum, on one side of it."""
    points = osim.point("p1", location=f"{side} 0.6 0")
    points += osim.point("p2", "/bodyset/a", location=f"{side} 0.1 0")
    lengths = {"optimal_fiber_length": "0.2", "tendon_slack_length": "0.3"}
    return osim.muscle(name, points, kind=kind, **(lengths | values))


# Two controllers share a muscle; one muscle takes its control for its activation.
WORLD = osim.model(
    osim.element("CoordinateActuator", "before", coordinate="q"),
    muscle("front", "0.1", max_contraction_velocity="7"),
    muscle("back", "-0.1", "Millard2012EquilibriumMuscle", ignore_activation_dynamics="true"),
    rest=osim.members(
        "ControllerSet",
        reflex("r1", "0.8", socket_actuators="/forceset/back /forceset/front"),
        reflex("r2", socket_actuators="/forceset/front"),
        reflex("off", "9", socket_actuators="/forceset/front", enabled="false"),
    ),
)


SIDES = ("obtained", "expected")


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(WORLD)
    return model, params, hopper_model.initial(model, params)


@jax.jit
def controls_of(model, params, controls, speed):
    """Controls at work."""
    return total_controls(model, params, jnp.zeros(()), controls, speed)


# parity


@pytest.mark.opensim
def test_controls_and_rates_are_opensims(opensim, world):
    model, params, _ = world
    q, u = np.random.default_rng(1).uniform(-1, 1, (2, 16, 1))
    states = hopper_model.states_at(model, params, q, 3 * u)
    comparison = hopper_model.assert_parity(WORLD, states, only=("paths", "reported accel."))
    rates = {key: side["activation_rate"] for key, side in vars(comparison).items() if key in SIDES}
    np.testing.assert_allclose(rates["obtained"], rates["expected"], rtol=1e-10, atol=1e-10)
    oracle = hopper_model.oracle_of(WORLD)
    added = []
    for index in range(6):
        live = oracle.state_of({name: values[index] for name, values in states.items()})
        oracle.model.realizeVelocity(live)
        expected = oracle.model.getControls(live).to_numpy()
        speed = comparison.expected["muscle_lengthening_speed"][index]
        found = controls_of(model, params, jnp.asarray(states["excitation"][index]), speed)
        np.testing.assert_allclose(found, expected, rtol=1e-11)
        added.append(np.max(expected - states["excitation"][index]))
    assert max(added) > 0.1 and min(added) == 0.0


# property


@pytest.mark.thorough
def test_only_lengthening_muscles_are_driven_and_controllers_add_up(world):
    model, params, _ = world
    given = jnp.array([0.5, 0.25, 0.125])
    found = controls_of(model, params, given, jnp.array([0.7, 1.0]))
    np.testing.assert_allclose(found, [0.5, 0.25 + 1.8 * 0.7 / 1.4, 0.125 + 0.8 / 2], rtol=1e-14)
    np.testing.assert_array_equal(controls_of(model, params, given, jnp.array([-0.7, 0.0])), given)


def test_a_list_of_all_actuators_may_hold_muscles_only():
    old = WORLD.replace('Version="40600"', 'Version="40000"')
    text = old.replace(">/forceset/front<", ">ALL<").replace("socket_actuators", "actuator_list")
    text = text.replace("/forceset/", "")
    with pytest.raises(OsimFormatError, match=r"\[r2\]: expected muscles .*found before"):
        hopper_model.load(text)
    muscles = text.replace(osim.element("CoordinateActuator", "before", coordinate="q"), "")
    model, _ = hopper_model.load(muscles)
    assert model.toy_reflex_controllers.muscle.tolist() == [1, 0, 0, 1]


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences_also_where_the_speed_is_zero(world):
    model, params, state = world

    def scalar(gain, u, speed):
        own = dataclasses.replace(params.toy_reflex_controllers, gain=gain)
        numbers = dataclasses.replace(params, toy_reflex_controllers=own)
        at = dataclasses.replace(state, q=jnp.array([0.3]), u=u)
        rates = hopper_model.rates(model, numbers, at, jnp.full(3, 0.2))
        added = controls_of(model, numbers, jnp.zeros(3), speed)
        return jnp.sum(rates.u) + jnp.sum(rates.activation) + jnp.sum(added)

    at = params.toy_reflex_controllers.gain, jnp.array([0.8]), jnp.array([0.3, -0.2])
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.jit(jax.grad(scalar, argnums=(0, 1, 2)))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-4)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)
    of_zero = jax.grad(lambda s: controls_of(model, params, jnp.zeros(3), s)[1])(jnp.zeros(2))
    np.testing.assert_allclose(of_zero, [1.8 / 1.4, 0.0], rtol=1e-13)  # into lengthening


# batch, compile


@pytest.mark.thorough
def test_batches_of_fused_kernels_equal_single_worlds_and_are_traced_once(world):
    model, params, state = world
    starts = [dataclasses.replace(state, u=jnp.array([speed])) for speed in (2.0, -1.0)]
    hopper_model.assert_batches_equal_single_worlds(
        jaxosim.state_derivative, model, params, starts, tolerances=(1e-9, 1e-3)
    )
