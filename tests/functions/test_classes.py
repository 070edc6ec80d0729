"""Functions of every class with a law of its own, beside live OpenSim's made from the same text."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.functions import evaluate, evaluate_on_host
from jaxosim.functions.bank import LAWS, build, module_of
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.functions import read_function
from jaxosim.models.osim.xml import parse_document
from tests import hopper_model
from tests.functions.live import live_function, live_values
from tests.models.osim_text import document, element

PARITY_TOLERANCE = 1e-10
X = (-0.8, -0.3, 0.1, 0.15, 0.9, 1.4, 2.0, 2.3)
Y = (0.3, -0.2, 0.4, 0.5, 1.3, -0.7, 0.2, 0.0)
KNOTS = {"x": " ".join(map(str, X)), "y": " ".join(map(str, Y))}


def text_of(tag, **values):
    return element(tag, "function", **values)


TEXTS = {
    "PolynomialFunction": text_of("PolynomialFunction", coefficients="2 -1 0.5 3"),
    "SimmSpline": text_of("SimmSpline", **KNOTS),
    "PiecewiseLinearFunction": text_of("PiecewiseLinearFunction", **KNOTS),
    "Sine": text_of("Sine", amplitude="1.3", omega="-2.1", phase="0.4", offset="0.2"),
    "Sine, defaults": text_of("Sine"),
    "StepFunction": text_of(
        "StepFunction",
        transition_start_time="-0.5",
        transition_end_time="1.1",
        start_value="0.3",
        end_value="-2",
    ),
    "StepFunction, backwards": text_of(
        "StepFunction", transition_start_time="1.1", transition_end_time="-0.5"
    ),
    "StepFunction, defaults": text_of("StepFunction"),
    "PiecewiseConstantFunction": text_of("PiecewiseConstantFunction", **KNOTS),
    "MultivariatePolynomialFunction": text_of(
        "MultivariatePolynomialFunction", dimension="1", order="3", coefficients="1 -2 0.5 0.25"
    ),
} | {
    f"GCVSpline, half order {m}": text_of("GCVSpline", half_order=str(m), **KNOTS)
    for m in (1, 2, 3, 4)
}
# Away from knots, where OpenSim takes either side's slope or value, and at the ends.
PLACES = np.array([-3.0, -1.1, -0.75, -0.2, 0.12, 0.3, 0.7, 1.003, 1.2, 1.9, 2.2, 2.31, 4.0])
ENDS = np.array([X[0], X[-1]])
SMOOTH = [name for name in TEXTS if "Piecewise" not in name and name != "GCVSpline, half order 1"]


def read(text):
    """The function of a text, and what of it is refused."""
    holder = parse_document(document(text).encode()).model
    context = Context()
    return read_function(context, holder, "function"), list(context.unsupported)


@functools.cache
def bank():
    """All of the functions, in order."""
    return build([read(text)[0] for text in TEXTS.values()])


@functools.cache
def program():
    structure, params = bank()
    params = jax.tree.map(jnp.asarray, params)
    return jax.jit(jax.vmap(lambda x: evaluate(structure, params, jnp.full(len(TEXTS), x))))


def values_of(name, places):
    """`[place, 3]` of value, slope, curvature."""
    values = program()(jnp.asarray(places))
    own = list(TEXTS).index(name)
    return np.stack([values.value, values.derivative, values.second_derivative], -1)[:, own]


# parity


@pytest.mark.opensim
@pytest.mark.parametrize("name", TEXTS)
def test_values_and_derivatives_are_opensims(opensim, name):
    live = live_function(opensim, TEXTS[name])
    places = np.concatenate([PLACES, ENDS]) if "Piecewise" not in name else PLACES
    expected = np.array([live_values(opensim, live, x) for x in places])
    obtained = values_of(name, places)
    if name == "MultivariatePolynomialFunction":
        # OpenSim differs: asked for the second derivative it gives the first one again.
        np.testing.assert_array_equal(expected[:, 2], expected[:, 1])
        expected, obtained = expected[:, :2], obtained[:, :2]
    np.testing.assert_allclose(obtained, expected, rtol=PARITY_TOLERANCE, atol=PARITY_TOLERANCE)
    assert np.ptp(expected[:, 0]) > 0.1


# property


def test_every_law_is_compared():
    assert {module_of(read(text)[0]).TAG for text in TEXTS.values()} >= {law.TAG for law in LAWS}


def test_the_host_computes_the_same():
    structure, params = bank()
    for x in (*PLACES, *ENDS):
        value, slope = evaluate_on_host(structure, params, np.full(len(TEXTS), x))
        values = hopper_model.row(program()(jnp.asarray([x])), 0)
        np.testing.assert_allclose(value, values.value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slope, values.derivative, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("half_order", (1, 2, 3, 4))
def test_a_gcv_spline_passes_through_its_knots(half_order):
    obtained = values_of(f"GCVSpline, half order {half_order}", np.array(X))
    np.testing.assert_allclose(obtained[:, 0], Y, rtol=0, atol=1e-12)


# gradient


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_those_of_automatic_differentiation(name):
    structure, params = build([read(TEXTS[name])[0]])
    params = jax.tree.map(jnp.asarray, params)
    one = lambda x: evaluate(structure, params, jnp.full(1, x))  # noqa: E731
    rates = jax.vmap(jax.jacfwd(one))(jnp.asarray(PLACES))
    here = jax.vmap(one)(jnp.asarray(PLACES))
    np.testing.assert_allclose(rates.value, here.derivative, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(rates.derivative, here.second_derivative, rtol=1e-9, atol=1e-9)


@pytest.mark.thorough
def test_gradients_by_the_numbers_equal_differences():
    structure, params = bank()
    params = jax.tree.map(jnp.asarray, params)

    @jax.jit
    def scalar(params):
        out = evaluate(structure, params, jnp.linspace(-0.55, 1.7, len(TEXTS)))
        return jnp.sum(jnp.sin(out.value)) + jnp.sum(jnp.cos(out.derivative))

    slopes = jax.jit(jax.grad(scalar))(params)
    assert hopper_model.all_finite(slopes)
    direction = hopper_model.random_direction(params, seed=1)
    expected = hopper_model.slope_along(scalar, params, direction, 1e-4)
    assert abs(expected) > 1e-2
    assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-7 * max(1.0, abs(expected))


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    structure, params = bank()
    params = jax.tree.map(jnp.asarray, params)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(x):
        return evaluate(structure, params, x)

    x = jnp.asarray(np.random.default_rng(0).uniform(-2, 3, (4, len(TEXTS))))
    loop = hopper_model.stack([one(row) for row in x])
    together = jax.vmap(lambda row: evaluate(structure, params, row))(x)
    chex.assert_trees_all_close(together, loop, rtol=1e-12, atol=1e-12)


# errors

MULTIVARIATE = {"dimension": "2", "order": "1", "coefficients": "1 2"}
WRONG = {
    "half order": (text_of("GCVSpline", **KNOTS), "half_order of 1, 2, 3 or 4, found 0"),
    "few knots": (text_of("GCVSpline", half_order="4", x="0 1", y="0 1"), "8 or more knots"),
    "two values": (text_of("GCVSpline", half_order="1", x="0 0", y="0 1"), "one x"),
    "no transition": (
        text_of("StepFunction", transition_start_time="1", transition_end_time="1"),
        "other than the transition_end_time",
    ),
    "coefficients": (
        text_of("MultivariatePolynomialFunction", **MULTIVARIATE),
        "3 coefficients of a polynomial of dimension 2 and order 1, found 2",
    ),
    "dimension": (
        text_of("MultivariatePolynomialFunction", **(MULTIVARIATE | {"dimension": "1.5"})),
        "whole dimension",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_function_is_an_error(name):
    text, words = WRONG[name]
    with pytest.raises(OsimFormatError, match=words):
        read(text)


def test_smoothing_and_other_classes_are_refused_by_name():
    smooth = text_of("GCVSpline", half_order="2", error_variance="-1", **KNOTS)
    assert [item.class_name for item in read(smooth)[1]] == ["GCVSpline"]
    signal = read(text_of("SignalGenerator"))[1]
    assert [item.class_name for item in signal] == ["SignalGenerator"]
