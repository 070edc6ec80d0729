"""ExpressionBasedCoordinateForce: beside OpenSim, as stiff as its formula."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.models import osim_text as osim


def force(name, coordinate, expression, **values):
    """A formula on a coordinate."""
    values |= {"coordinate": coordinate, "expression": expression}
    return osim.element("ExpressionBasedCoordinateForce", name, **values)


BODIES = {
    "bodies": osim.body("a") + osim.body("b"),
    "joints": osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
}
WORLD = osim.model(
    force("angle", "q", "-30*q - 2*qdot + 5*exp(-3*(q + 1))"),
    force("length", "x", "-70*q^3 - qdot*abs(qdot)"),
    force("also_angle", "q", "-3*q"),
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_formulas_on_angles_and_lengths_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    hopper_model.assert_parity(WORLD, checks.states(model, params, 16))


def test_a_formula_that_is_switched_off_does_nothing():
    model, _ = hopper_model.load(osim.model(force("f", "q", "1", appliesForce="false")))
    assert model.coordinate_expressions.names == ()


@pytest.mark.parametrize(
    "coordinate, expression, message",
    [
        ("z", "q", "expected the name of a coordinate, found 'z'"),
        ("q", "2*u", "expression: expected one of the variables q, qdot, found 'u'"),
    ],
)
def test_what_cannot_be_read_is_refused(coordinate, expression, message):
    with pytest.raises(OsimFormatError, match=rf"\[f\]: {message}"):
        hopper_model.load(osim.model(force("f", coordinate, expression)))


# property


@pytest.mark.thorough
def test_a_formula_is_a_spring_where_it_is_that_of_one():
    """Beside a SpringGeneralizedForce, step by step: also the stiff part is the same."""
    spring = osim.element(
        "SpringGeneralizedForce", "s", coordinate="q", stiffness="500", viscosity="20"
    )
    options, ends = jaxosim.Options(), []
    for text in (osim.model(spring), osim.model(force("f", "q", "-500*q - 20*qdot"))):
        model, params = hopper_model.load(text)
        start = checks.state_at(model, params)
        step = hopper_model.step_of(model, options)
        ends.append(step(params, start, checks.no_controls()))
    np.testing.assert_allclose(ends[0].u, ends[1].u, rtol=1e-12)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    checks.assert_gradients_equal_differences(model, params, "coordinate_expressions", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)


@pytest.mark.thorough
def test_a_stiff_formula_does_not_make_the_implicit_method_diverge():
    model, params = hopper_model.load(osim.model(force("f", "q", "-1e8*q")))
    start = dataclasses.replace(hopper_model.initial(model, params), u=jnp.ones(1))
    end = jaxosim.rollout(model, params, start, jnp.zeros((20, 0)))
    assert np.all(np.isfinite(end.u)) and np.abs(end.q).max() < 1e-2
