"""ExpressionBasedPathForce: beside OpenSim, taut, slack and unclamped."""

from dataclasses import replace

import jax.numpy as jnp
import pytest

from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.models import osim_text as osim

POINTS = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p2", "/bodyset/b", location="0 -0.5 0"
)
BODIES = {
    "bodies": osim.body("a") + osim.body("b"),
    "joints": osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
}


def force(name, expression, resting_length="0.9", **values):
    """A formula along a path between ground and a body."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", POINTS))
    values |= {"expression": expression, "resting_length": resting_length}
    return osim.element("ExpressionBasedPathForce", name, path, **values)


WORLD = osim.model(
    force("clamped", "200*s*(1 + 0.3*ldot) + 3"),
    force("unclamped", "80*s + 2*ldot", clamp_stretch="false"),
    force("default", "5*s^2", resting_length=None),
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_formulas_along_paths_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    assert model.path_expressions.names == ("clamped", "unclamped", "default")
    hopper_model.assert_parity(WORLD, checks.states(model, params, 32))


@pytest.mark.parametrize(
    "values, message",
    [
        ({"resting_length": "-1"}, "expected a resting_length of 0 or more, found -1.0"),
        ({"expression": "2*d"}, "expression: expected one of the variables s, ldot, found 'd'"),
    ],
)
def test_what_opensim_would_not_take_is_refused(values, message):
    text = osim.model(force("f", **({"expression": "s"} | values)), **BODIES)
    with pytest.raises(OsimFormatError, match=rf"\[f\]: {message}"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_a_slack_path_has_the_tension_of_zero_stretch():
    """Unless the stretch is not clamped: then it pushes."""
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    own = replace(params.path_expressions, resting_length=jnp.full(3, 5.0))
    loose = replace(params, path_expressions=own)
    info = hopper_model.describe(model, loose, state, checks.no_controls())
    clamped, unclamped, default = info.forces["path_expressions"].tension
    assert float(clamped) == 3.0 and float(unclamped) < -100 and float(default) == 0.0


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    checks.assert_gradients_equal_differences(model, params, "path_expressions", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)
