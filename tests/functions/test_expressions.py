"""Formulas: beside OpenSim's parser, their derivatives, and what is no formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.functions import expressions
from jaxosim.functions.expressions import ExpressionError, evaluate, parse

# A formula, and its value at q = 0.7, qdot = -1.3.
VALUES = {
    "2+3*q-4/q": 2 + 3 * 0.7 - 4 / 0.7,
    "-q^2": -0.49,
    "(-q)^2": 0.49,
    "2^3^2": 512.0,
    "2^-q*3": 3 * 2**-0.7,
    "-2^-q": -(2**-0.7),
    "8/4/2": 1.0,
    "q-qdot-1": 1.0,
    "q - -qdot": 0.7 - 1.3,
    "1.5e-1*q + .5 + 2.": 0.105 + 2.5,
    "1 2 * q": 8.4,
    "a*q; a = b^2 ; b = 3 + qdot": 0.7 * 1.7**2,
    "q; q = 3": 3.0,
    "a + b; a = q; b = 1; ": 1.7,
    "max(q, min(qdot, 3)) + abs(qdot)": 2.0,
    "step(q) + step(qdot) + step(0*q)": 2.0,
    "delta(q) + delta(q-0.7)": 1.0,
    "square(q) + cube(qdot) + recip(q)": 0.49 - 2.197 + 1 / 0.7,
    "sqrt(q)*exp(qdot) + log(q)": np.sqrt(0.7) * np.exp(-1.3) + np.log(0.7),
    "sin(q) + cos(q) + tan(q)": np.sin(0.7) + np.cos(0.7) + np.tan(0.7),
    "sec(q) + csc(q) + cot(q)": 1 / np.cos(0.7) + 1 / np.sin(0.7) + 1 / np.tan(0.7),
    "asin(q) + acos(q) + atan(qdot)": np.pi / 2 + np.arctan(-1.3),
    "sinh(q) + cosh(q) + tanh(q)": np.exp(0.7) + np.tanh(0.7),
    "erf(q) + erfc(q)": 1.0,
    "erf(q)": 0.6778011938374184,
    "erfc(0.5)": 0.4795001221869535,
    "0*log(qdot) + 0/sqrt(qdot)": 0.0,
    "log(qdot)/log(qdot) + log(qdot) - log(qdot)": np.nan,  # groups from the left
    "log(qdot)/log(qdot) + (log(qdot) - log(qdot))": 1.0,
    "0^q + 1^q + q^0": 2.0,
    "qdot^3 + qdot^-2": -2.197 + 1 / 1.69,
    "q^2.5 + q^q": 0.7**2.5 + 0.7**0.7,
}
WRONG = {
    "": "expected a number, a name or a parenthesis, found the end",
    "q +": "found the end",
    "+q": r"found '\+'",
    "(q": "expected a closing parenthesis, found the end",
    "q)": r"expected the end, found '\)'",
    "2 q": "expected the end, found 'q'",
    "1.2.3": r"found '.3'",
    "1e": "expected the end, found 'e'",
    "p + 1": "expected one of the variables q, qdot, found 'p'",
    "q & 1": "found 'q&1'",
    "sinus(q)": "expected the name of a function, found 'sinus'",
    "min(q)": r"expected 2 argument\(s\) of min, found 1",
    "sin(q, q)": r"expected 1 argument\(s\) of sin, found 2",
    "sin()": "a name or a parenthesis",
    "a; a + 1": r"expected name=formula after a semicolon, found 'a\+1'",
    "a; b = 1": "found 'a'",
    "a; a = b; b = a": "found 'a'",
    "q / (2 - 2)": "constant parts are finite",
    "q*sqrt(-1)": "constant parts are finite",
    "__import__('os')": "function, found '__import__'",
    "(" * 200 + "q" + ")" * 200: "at most 100 levels",
    "-" * 200 + "q": "at most 100 levels",
    "q^" * 200 + "q": "at most 100 levels",
    "q" * 20_000: "at most 10000 characters",
    ".": "expected a number, found '.'",
}
AT = {"q": jnp.array(0.7), "qdot": jnp.array(-1.3)}


# parity


@pytest.mark.parametrize("text", VALUES)
def test_the_value_is_the_expected_one(text):
    found = evaluate(parse(text, tuple(AT)), AT)
    np.testing.assert_allclose(found, VALUES[text], rtol=1e-14, atol=1e-15)


@pytest.mark.opensim
def test_values_are_those_of_opensim(opensim):
    """By way of forces on a coordinate, all in one model."""
    from tests import hopper_model
    from tests.models import osim_text as osim

    forces = [
        osim.element("ExpressionBasedCoordinateForce", f"f{i}", coordinate="q", expression=text)
        for i, text in enumerate(VALUES)
    ]
    model = opensim.Model(str(hopper_model.path_of(osim.model(*forces))))
    state = model.initSystem()
    model.getCoordinateSet().get(0).setValue(state, 0.7)
    model.getCoordinateSet().get(0).setSpeedValue(state, -1.3)
    model.realizeVelocity(state)
    for index, (text, expected) in enumerate(VALUES.items()):
        found = model.getForceSet().get(index).getRecordValues(state).get(0)
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15, err_msg=text)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ExpressionError, match=WRONG[text]):
        parse(text, tuple(AT))


# property


def test_definitions_of_definitions_do_not_grow_without_bound():
    """Each of 60 names is used twice by the one before: 2^60 operations if written out."""
    text = "a0;" + ";".join(f"a{i} = a{i + 1}/2 + a{i + 1}/2" for i in range(60)) + "; a60 = q"
    found = parse(text, tuple(AT))
    assert len(found.operations) < 200
    assert float(evaluate(found, AT)) == pytest.approx(0.7)


# gradient


@pytest.mark.parametrize("text", [text for text, value in VALUES.items() if np.isfinite(value)])
def test_derivatives_equal_differences(text):
    formula, h = parse(text, tuple(AT)), 1e-5

    def value(q, qdot):
        return evaluate(formula, {"q": q, "qdot": qdot})

    at = tuple(AT.values())
    slopes = jax.grad(value, argnums=(0, 1))(*at)
    if "delta" in text:
        np.testing.assert_array_equal(slopes, 0.0)
        return
    up = [float(value(at[0] + h, at[1])), float(value(at[0], at[1] + h))]
    down = [float(value(at[0] - h, at[1])), float(value(at[0], at[1] - h))]
    np.testing.assert_allclose(slopes, np.subtract(up, down) / (2 * h), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("text", ["sqrt(q)", "q^1.5", "q^0.3", "abs(q)", "q^2", "max(q, 0)"])
def test_derivatives_at_zero_are_finite(text):
    formula = parse(text, ("q",))
    value, slope = jax.value_and_grad(lambda q: evaluate(formula, {"q": q}))(jnp.array(0.0))
    assert value == 0 and np.isfinite(slope)


# batch


def test_formulas_of_many_rows_are_those_of_each_row():
    texts = ["q", "2*q", "q", "qdot^2", "2*q"]
    formulas = [parse(text, tuple(AT)) for text in texts]
    q, qdot = jnp.arange(5.0), jnp.arange(5.0) + 1
    found = expressions.evaluate_each(formulas, {"q": q, "qdot": qdot})
    np.testing.assert_array_equal(found, [0, 2, 2, 16, 8])
    by_q = expressions.slopes(formulas, {"q": q, "qdot": qdot}, "q")
    np.testing.assert_array_equal(by_q, [1, 2, 1, 0, 2])
