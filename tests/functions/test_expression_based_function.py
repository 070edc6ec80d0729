"""ExpressionBasedFunction: beside OpenSim, derivatives, where it is simulated, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.functions import multivariate
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.functions import read_function
from jaxosim.models.osim.xml import parse_document
from tests import hopper_model
from tests.constraints import worlds
from tests.functions.live import live_function
from tests.models import osim_text as osim

# Formula, variables, and the numbers of their arguments among three.
FORMULAS = (
    ("x*y + sin(x)*exp(-y)", "x y", (0, 2)),
    ("sqrt(1 + q1^2)*k - y^3; k = cosh(q1)*m; m = 0.3", "q1 y", (2, 1)),
    ("a*b/(2 + c^2)", "a b c", (1, 0, 1)),
    ("tanh(z)", "z", (2,)),
    ("3", "unused", (0,)),
    ("x*y + sin(x)*exp(-y)", "x y", (1, 0)),
)


def text_of(expression, variables, scale=None, name="function"):
    """A function, times a scale if there is one."""
    inside = "" if scale else name
    text = osim.element(
        "ExpressionBasedFunction", inside, expression=expression, variables=variables
    )
    if scale is None:
        return text
    return osim.element("MultiplierFunction", name, f"<function>{text}</function>", scale=scale)


def read(text):
    """The function of a text."""
    holder = parse_document(osim.document(text).encode()).model
    context = Context()
    function = read_function(context, holder, "function", several=True)
    assert not context.unsupported
    return function


TEXTS = [text_of(*row[:2], scale="-2" if i % 2 else None) for i, row in enumerate(FORMULAS)]


@pytest.fixture(scope="module")
def bank():
    functions = [(read(t), row[2], "f") for t, row in zip(TEXTS, FORMULAS, strict=True)]
    structure, params = multivariate.build(functions, "file")
    return structure, jax.tree.map(jnp.asarray, params)


# parity


@pytest.mark.opensim
def test_values_and_derivatives_are_opensims(opensim, bank):
    structure, params = bank
    points = np.random.default_rng(1).normal(size=(5, 3))
    found = jax.jit(jax.vmap(lambda x: multivariate.evaluate(structure, params, x)))(points)
    for row, (text, (_, _, own)) in enumerate(zip(TEXTS, FORMULAS, strict=True)):
        live = live_function(opensim, text)
        for place, point in enumerate(points):
            at = opensim.Vector.createFromMat(point[list(own)])
            expected, obtained = np.zeros(3), np.zeros(3)
            for slot, variable in enumerate(own):
                components = opensim.StdVectorInt()
                components.append(slot)
                expected[variable] += live.calcDerivative(components, at)
            entries = structure.entry_function == row
            obtained[structure.entry_variable[entries]] = found.derivative[place][entries]
            assert found.value[place, row] == pytest.approx(live.calcValue(at), rel=1e-12)
            np.testing.assert_allclose(obtained, expected, rtol=1e-12, atol=1e-14)


# property


def test_second_derivatives_along_a_motion_are_those_of_the_value(bank):
    structure, params = bank
    x, rate = np.random.default_rng(2).normal(size=(2, 3))

    def value(t):
        return multivariate.evaluate(structure, params, x + t * rate).value

    along = jax.jit(lambda x, v: multivariate.second_derivative_along(structure, params, x, v))
    expected = jax.jit(jax.jacfwd(jax.jacfwd(value)))(0.0)
    np.testing.assert_allclose(along(x, rate), expected, rtol=1e-12, atol=1e-14)


# refusals


@pytest.mark.parametrize(
    "expression, variables, message",
    [
        ("x*x", "x x", "each variable once"),
        ("", "x", "expected an expression"),
        ("x*z", "x y", "one of the variables x, y, found 'z'"),
        ("x*", "x", "expression: expected"),
    ],
)
def test_faults_are_errors_that_name_the_function(expression, variables, message):
    with pytest.raises(OsimFormatError, match=f"ExpressionBasedFunction.*{message}"):
        read(text_of(expression, variables))


def test_a_coupler_takes_it_and_a_joint_refuses_it_by_name():
    inside = text_of("p*p + 0.1", "p").replace(' name="function"', "")
    inside = f"<coupled_coordinates_function>{inside}</coupled_coordinates_function>"
    joints = osim.joint("UniversalJoint", "j", "/ground", "/bodyset/a", osim.coordinates("q", "r"))
    constraints = osim.members("ConstraintSet", worlds.coupler("c", "q", "r", inside))
    model, params = hopper_model.load(osim.model(joints=joints, rest=constraints))
    start = hopper_model.initial(model, params)
    assert float(start.q[1]) == pytest.approx(float(start.q[0]) ** 2 + 0.1, abs=1e-10)
    turned = osim.custom(
        osim.axis("rotation1", "q", "1 0 0", text_of("q", "q")), osim.coordinates("q")
    )
    with pytest.raises(UnsupportedComponentError, match="not simulated here"):
        hopper_model.load(osim.model(joints=turned))
