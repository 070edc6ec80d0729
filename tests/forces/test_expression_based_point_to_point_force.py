"""ExpressionBasedPointToPointForce: beside OpenSim, with bodies named in every way."""

import pytest

from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES, POINTS
from tests.models import osim_text as osim


def force(name, first, second, expression, **values):
    """A force between points of two bodies."""
    values |= {"body1": first, "body2": second, "expression": expression}
    return osim.element("ExpressionBasedPointToPointForce", name, **values)


WORLD = osim.model(
    force("on_ground", "ground", "a", "30*(d - 0.4) + 2*ddot", **POINTS),
    force("paths", "/bodyset/b", "bodyset/a", "5*d^2*ddot", **POINTS),
    force("welded", "a", "w", "-3/d", **POINTS),
    force("in_frame", "/bodyset/b/o", "/ground", "30*(d - 0.4) + 2*ddot", **POINTS),
    force("one_body", "b", "b", "7", **POINTS),
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_forces_between_points_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    hopper_model.assert_parity(WORLD, checks.states(model, params, 16))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"first": "c"}, r"body1 the path of a frame, found '/bodyset/c'"),
        ({"second": ""}, r"body2 the path of a frame"),
        ({"expression": "q"}, "expression: expected one of the variables d, ddot, found 'q'"),
    ],
)
def test_what_cannot_be_resolved_is_refused(changes, message):
    values = {"first": "ground", "second": "a", "expression": "d"} | changes
    with pytest.raises(OsimFormatError, match=message):
        hopper_model.load(osim.model(force("f", **values), **BODIES))


# property


@pytest.mark.thorough
def test_a_positive_value_pulls_the_points_together():
    text = osim.model(force("f", "ground", "a", "5"), **BODIES)
    model, params = hopper_model.load(text)
    state = checks.state_at(model, params)
    info = hopper_model.describe(model, params, state, checks.no_controls())
    on_second = info.forces["point_expressions"].force[0, 1]
    towards = -info.bodies.position[0]
    assert float(on_second @ towards) == pytest.approx(5 * float(towards @ towards) ** 0.5)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    checks.assert_gradients_equal_differences(model, params, "point_expressions", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)
