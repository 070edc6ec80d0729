"""CoordinateActuator: beside OpenSim, controls that nothing clips, files of other versions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.outputs import force_records
from tests import hopper_model
from tests.models import osim_text as osim


def actuator(name, coordinate="q", **values):
    """A CoordinateActuator."""
    return osim.element("CoordinateActuator", name, coordinate=coordinate, **values)


BODIES = {
    "bodies": osim.body("a") + osim.body("b"),
    "joints": osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
}
MUSCLE = osim.muscle(points=osim.point("m1", location="0.1 0.1 0") + osim.point("m2", "/bodyset/a"))
WORLD = osim.model(
    actuator("off", appliesForce="false"),
    actuator("on_angle", optimal_force="3.5", min_control="-1", max_control="inf"),
    MUSCLE,
    actuator("on_length", "x"),
    actuator("also_on_angle", optimal_force="-2"),
    **BODIES,
)
CONTROLS = jnp.array([0.5, -0.4, 0.3, 1.7, 2.0])


def state_at(model, params, q=(0.1, 0.2), u=(0.3, 0.4)):
    start = hopper_model.initial(model, params)
    return dataclasses.replace(start, q=jnp.asarray(q), u=jnp.asarray(u))


# parity


@pytest.mark.opensim
def test_actuators_beside_a_muscle_are_opensims(opensim):
    enabled = WORLD.replace(actuator("off", appliesForce="false"), actuator("off"))
    model, params = hopper_model.load(enabled)
    q, u = np.random.default_rng(1).uniform(-1, 1, (2, 16, 2))
    states = hopper_model.states_at(model, params, q, u)
    states["excitation"] = np.random.default_rng(2).uniform(-2, 2, states["excitation"].shape)
    hopper_model.assert_parity(enabled, states)


@pytest.mark.opensim
def test_an_actuator_that_is_switched_off_keeps_its_control(opensim):
    model, params = hopper_model.load(WORLD)
    oracle = hopper_model.oracle_of(WORLD)
    state = hopper_model.initial(model, params)
    report = oracle.evaluate(
        {
            **{name: np.asarray(getattr(state, name)) for name in ("q", "u", "activation")},
            "fiber_length": np.asarray(state.fiber_length),
            "excitation": np.asarray(CONTROLS),
        }
    )
    rates = hopper_model.rates(model, params, state, CONTROLS)
    np.testing.assert_allclose(rates.u, report["u_dot"], rtol=1e-10)
    records = force_records(model, hopper_model.describe(model, params, state, CONTROLS))
    assert "off" not in records
    for name, values in records.items():
        np.testing.assert_allclose(values, report["records"][name], rtol=1e-10, atol=1e-12)


def test_forces_are_the_controls_times_the_optimal_forces():
    """Numbers of OpenSim 4.6, whose actuations these are."""
    model, params = hopper_model.load(WORLD)
    info = hopper_model.describe(model, params, state_at(model, params), CONTROLS)
    records = force_records(model, info)
    assert records["on_angle"] == [pytest.approx(-1.4)]
    assert records["on_length"] == [pytest.approx(1.7)]
    assert records["also_on_angle"] == [pytest.approx(-4.0)]


# property


@pytest.mark.thorough
def test_accelerations_are_linear_in_the_controls():
    model, params = hopper_model.load(WORLD)
    state = state_at(model, params)
    still = jnp.zeros(5)

    def u_dot(controls):
        return hopper_model.rates(model, params, state, controls).u

    once, twice = u_dot(CONTROLS) - u_dot(still), u_dot(2 * CONTROLS) - u_dot(still)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-9)
    assert np.abs(once).min() > 0.1


@pytest.mark.parametrize("version", [20302, 30000, 40600])
def test_its_old_name_is_read(version):
    text = osim.model(actuator("a", optimal_force="2"))
    old = text.replace("CoordinateActuator", "GeneralizedForce")
    assert hopper_model.load(old)[0].coordinate_actuators.names == ("a",)


def test_an_unknown_coordinate_is_refused():
    with pytest.raises(OsimFormatError, match=r"CoordinateActuator\[a\].*found 'nowhere'"):
        hopper_model.load(osim.model(actuator("a", "nowhere")))


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = state_at(model, params)

    def scalar(optimal_force, controls):
        actuators = dataclasses.replace(params.coordinate_actuators, optimal_force=optimal_force)
        changed = dataclasses.replace(params, coordinate_actuators=actuators)
        return jnp.sum(hopper_model.rates(model, changed, state, controls).u)

    at = params.coordinate_actuators.optimal_force, CONTROLS
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.grad(scalar, argnums=(0, 1))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-4)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)
    assert float(slopes[1][0]) == 0.0  # of the one that is switched off


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(WORLD)
    state = state_at(model, params)
    controls = jnp.stack([CONTROLS, -CONTROLS])
    step = jax.jit(lambda c: jaxosim.step(model, params, state, c))
    together = jax.vmap(step)(controls)
    for index in range(2):
        np.testing.assert_allclose(together.u[index], step(controls[index]).u, rtol=1e-12)
    assert step._cache_size() == 1
