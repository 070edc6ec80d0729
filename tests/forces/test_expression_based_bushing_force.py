"""ExpressionBasedBushingForce: beside OpenSim, also with formulas that couple deflections."""

import pytest

from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES, DAMPING, bushing, bushings
from tests.models import osim_text as osim

EXPRESSIONS = {
    "Mx_expression": "3*theta_x + theta_x^3",
    "My_expression": "4*sinh(theta_y) + theta_x*delta_z",
    "Mz_expression": "k*theta_z; k = 5 + abs(delta_y)",
    "Fx_expression": "60*delta_x + 2 * theta_y",
    "Fy_expression": "70*delta_y*(1 + square(delta_x))",
    "Fz_expression": "80*delta_z - exp(-delta_z)",
}


def expression_bushing(name, first, second, **values):
    """A bushing with formulas."""
    return bushing(name, first, second, "ExpressionBasedBushingForce", **values)


WORLD = bushings(expression_bushing, **EXPRESSIONS, **DAMPING)


# parity


@pytest.mark.opensim
def test_bushings_with_formulas_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    hopper_model.assert_parity(WORLD, checks.states(model, params, 16))


def test_a_formula_of_other_variables_is_refused():
    text = expression_bushing("b", "/ground", "/bodyset/a", Fy_expression="2*theta")
    with pytest.raises(OsimFormatError, match=r"\[b\].*Fy_expression.*theta_x.*found 'theta'"):
        hopper_model.load(osim.model(text, **BODIES))


# property


@pytest.mark.thorough
def test_a_bushing_without_formulas_does_nothing():
    text = osim.model(expression_bushing("b", "/ground", "/bodyset/a"), **BODIES)
    model, params = hopper_model.load(text)
    state = checks.state_at(model, params)
    info = hopper_model.describe(model, params, state, checks.no_controls())
    assert not hopper_model.nonzero(info.forces["expression_bushings"])


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    checks.assert_gradients_equal_differences(model, params, "expression_bushings", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)
