"""FunctionBasedBushingForce: beside OpenSim with functions of several kinds."""

import pytest

from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES, DAMPING, bushing, bushings
from tests.models import osim_text as osim

SPLINE = "<x>-2 -0.5 0.1 1 3</x><y>-9 -3 0 5 20</y>"
FUNCTIONS = {
    "m_x_theta_x": f"<SimmSpline>{SPLINE}</SimmSpline>",
    "m_y_theta_y": "<LinearFunction><coefficients>4 0.5</coefficients></LinearFunction>",
    "m_z_theta_z": f"<PiecewiseLinearFunction>{SPLINE}</PiecewiseLinearFunction>",
    "f_x_delta_x": "<PolynomialFunction><coefficients>3 1 20 1</coefficients></PolynomialFunction>",
    "f_y_delta_y": "<Constant><value>2</value></Constant>",
    "f_z_delta_z": "<MultiplierFunction><function><LinearFunction><coefficients>7 0</coefficients>"
    "</LinearFunction></function><scale>3</scale></MultiplierFunction>",
}


def function_bushing(name, first, second, functions=FUNCTIONS, **values):
    """A bushing with these functions."""
    inside = "".join(f"<{tag}_function>{text}</{tag}_function>" for tag, text in functions.items())
    return bushing(name, first, second, "FunctionBasedBushingForce", inside, **values)


WORLD = bushings(function_bushing, **DAMPING)


# parity


@pytest.mark.opensim
def test_bushings_with_functions_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    hopper_model.assert_parity(WORLD, checks.states(model, params, 16))


def test_a_function_of_two_arguments_is_refused():
    wide = "<LinearFunction><coefficients>4 0.5 1</coefficients></LinearFunction>"
    text = function_bushing("b", "/ground", "/bodyset/a", {"m_x_theta_x": wide})
    with pytest.raises(OsimFormatError, match=r"\[b\].*m_x_theta_x.* one argument, found 2"):
        hopper_model.load(osim.model(text, **BODIES))


# property


@pytest.mark.thorough
def test_a_bushing_without_functions_does_nothing():
    model, params = hopper_model.load(
        osim.model(function_bushing("b", "/ground", "/bodyset/a", {}), **BODIES)
    )
    state = checks.state_at(model, params)
    info = hopper_model.describe(model, params, state, checks.no_controls())
    assert not hopper_model.nonzero(info.forces["function_bushings"])


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params, spread=0.3)
    checks.assert_gradients_equal_differences(model, params, "function_bushings", state, 1e-6)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)
