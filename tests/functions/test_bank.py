"""Scalar functions against live OpenSim: values and derivatives at, between and beyond knots."""

import functools
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.functions import evaluate
from jaxosim.functions.bank import module_of
from jaxosim.functions.simm_spline import simm_spline_cubics
from jaxosim.models.compile_functions import compile_functions
from jaxosim.models.spec import (
    ConstantSpec,
    LinearFunctionSpec,
    MultiplierFunctionSpec,
    PiecewiseLinearFunctionSpec,
    PolynomialFunctionSpec,
    SimmSplineSpec,
)
from tests import hopper_model
from tests.functions.live import live_values

LIVE_TOLERANCE = 1e-13  # relative to the largest coefficient's effect: rounding of a small solve
DIFFERENCE_TOLERANCE = 1e-8
COUNTS = (2, 3, 4, 5, 7, 12)


def knots(count, seed=0):
    rng = np.random.default_rng(seed + count)
    x = np.cumsum(rng.uniform(0.2, 1.0, count)) - 1.0
    return x, rng.standard_normal(count)


def arguments(x):
    """Knots, places between them, and places beyond both ends."""
    return np.concatenate([x, (x[1:] + x[:-1]) / 2, x[:1] - [2.0], x[-1:] + [0.7, 3.0]])


@functools.cache
def bank_of(count):
    """A spline and a piecewise line through the same knots, scaled; a polynomial and a constant."""
    x, y = knots(count)
    return compile_functions(
        [
            PolynomialFunctionSpec((2.0, -1.0, 0.5, 3.0)),
            SimmSplineSpec(tuple(x), tuple(y)),
            ConstantSpec(0.7),
            PiecewiseLinearFunctionSpec(tuple(x), tuple(y)),
            MultiplierFunctionSpec(SimmSplineSpec(tuple(x), tuple(y)), -2.0),
            LinearFunctionSpec((0.5, -0.2)),
        ]
    )


@functools.cache
def compiled(count):
    bank, params = bank_of(count)
    params = jax.tree.map(jnp.asarray, params)
    return jax.jit(lambda x: evaluate(bank, params, jnp.full(6, x)))


def table(count, places):
    """`[place, function]` of value, slope, curvature."""
    rows = [compiled(count)(jnp.asarray(x)) for x in places]
    stacked = hopper_model.stack(rows)
    return np.stack([stacked.value, stacked.derivative, stacked.second_derivative], axis=-1)


# parity


@pytest.mark.opensim
@pytest.mark.parametrize("count", COUNTS)
def test_splines_are_opensims(opensim, count):
    x, y = knots(count)
    spline = opensim.SimmSpline()
    for a, b in zip(x, y, strict=True):
        spline.addPoint(float(a), float(b))
    places = arguments(x)
    expected = np.array([live_values(opensim, spline, place) for place in places])
    obtained = table(count, places)
    scale = 1 + np.abs(expected).max(axis=0)
    beyond = (places < x[0]) | (places > x[-1])
    assert beyond.sum() == 3
    np.testing.assert_array_less(
        np.abs(obtained[:, 1] - expected) / scale, LIVE_TOLERANCE, err_msg="SimmSpline"
    )
    np.testing.assert_array_less(np.abs(obtained[:, 4] + 2 * expected) / scale, 3 * LIVE_TOLERANCE)


@pytest.mark.opensim
@pytest.mark.parametrize("count", COUNTS)
def test_lines_are_opensims_off_the_knots(opensim, count):
    x, y = knots(count)
    lines = opensim.PiecewiseLinearFunction()
    for a, b in zip(x, y, strict=True):
        lines.addPoint(float(a), float(b))
    places = arguments(x)
    expected = np.array([live_values(opensim, lines, place) for place in places])
    obtained = table(count, places)[:, 3]
    np.testing.assert_allclose(obtained[:, 0], expected[:, 0], rtol=0, atol=1e-14 * 10)
    off = ~np.isin(places, x[1:-1])  # at an inner knot OpenSim takes either side's slope
    np.testing.assert_allclose(obtained[off, 1], expected[off, 1], rtol=1e-13)
    assert not np.any(obtained[:, 2])


@pytest.mark.opensim
@pytest.mark.parametrize("x", [(0, 1, 1, 2), (0, 1, 1 + 1e-8, 2)])
@pytest.mark.parametrize("kind", [SimmSplineSpec, PiecewiseLinearFunctionSpec])
def test_inner_knots_of_one_abscissa_are_kept_apart_as_opensims(opensim, kind, x):
    y = (0.0, 1.0, 2.5, 3.0)
    live = getattr(opensim, module_of(kind((0.0, 1.0), (0.0, 1.0))).TAG)()
    for a, b in zip(x, y, strict=True):
        live.addPoint(float(a), b)
    bank, params = compile_functions([kind(tuple(map(float, x)), y)])
    for place in (-0.5, 0.25, 0.75, 1.5, 2.5):
        ours = evaluate(bank, params, jnp.array([place]))
        expected = live_values(opensim, live, place)
        np.testing.assert_allclose(ours.value[0], expected[0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.derivative[0], expected[1], rtol=1e-9, atol=1e-9)


# property


def test_polynomials_have_highest_power_first():
    places = np.array([-1.5, 0.0, 0.3, 2.0])
    obtained = table(4, places)
    p = np.poly1d([2.0, -1.0, 0.5, 3.0])
    expected = np.stack([p(places), p.deriv()(places), p.deriv(2)(places)], axis=-1)
    np.testing.assert_allclose(obtained[:, 0], expected, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(obtained[:, 2], np.tile([0.7, 0, 0], (4, 1)))
    np.testing.assert_allclose(obtained[:, 5, 0], 0.5 * places - 0.2, rtol=1e-15, atol=1e-16)
    np.testing.assert_array_equal(obtained[:, 5, 1:], np.tile([0.5, 0], (4, 1)))


@pytest.mark.parametrize("count", COUNTS[1:])
def test_splines_pass_through_their_knots_twice_differentiable(count):
    x, y = knots(count)
    np.testing.assert_allclose(table(count, x)[:, 1, 0], y, rtol=1e-13, atol=1e-13)
    left, right = table(count, x[1:-1] - 1e-9), table(count, x[1:-1] + 1e-9)
    np.testing.assert_allclose(left[:, 1], right[:, 1], atol=1e-5)


@pytest.mark.parametrize("count", (4, 5, 12))
def test_a_spline_through_a_cubic_is_the_cubic(count):
    """The end conditions take third differences, so cubics come through; a natural spline bends."""
    x, _ = knots(count)
    p = np.poly1d([0.3, -1.0, 0.2, 0.5])
    cubics = simm_spline_cubics(x, p(x))
    np.testing.assert_allclose(6 * cubics[:, 3], p.deriv(3)(x[:-1]), rtol=1e-11)
    np.testing.assert_allclose(2 * cubics[:, 2], p.deriv(2)(x[:-1]), rtol=1e-11, atol=1e-11)


def test_beyond_the_ends_splines_are_straight():
    x, _ = knots(7)
    far = table(7, [x[-1], x[-1] + 1.0, x[-1] + 2.0])[:, 1]
    np.testing.assert_allclose(far[1:, 1], far[0, 1], rtol=1e-14)
    np.testing.assert_allclose(np.diff(far[:, 0]), far[0, 1], rtol=1e-12)
    assert not np.any(far[1:, 2])


def test_a_repeated_knot_stays_finite():
    assert np.isfinite(simm_spline_cubics(np.array([0.0, 1.0, 1.0, 2.0]), np.arange(4.0))).all()


def test_a_spline_of_many_knots_costs_little():
    x = np.linspace(0.0, 10.0, 20_000)
    start = time.process_time()
    cubics = simm_spline_cubics(x, np.sin(x))
    assert time.process_time() - start < 5.0
    np.testing.assert_allclose(cubics[1:-1, 2], -np.sin(x[1:-2]) / 2, rtol=0, atol=1e-4)


def test_an_empty_bank_gives_nothing():
    bank, params = compile_functions([])
    assert bank.count == 0
    assert evaluate(bank, params, jnp.zeros(0)).value.shape == (0,)


# gradient


@pytest.mark.parametrize("count", COUNTS)
def test_slopes_are_the_derivatives(count):
    """By automatic differentiation, at knots and beyond the ends as well."""
    value_slope = jax.jit(jax.jacfwd(compiled(count)))
    x, _ = knots(count)
    for place in arguments(x):
        here, rate = compiled(count)(jnp.asarray(place)), value_slope(jnp.asarray(place))
        assert hopper_model.all_finite(rate)
        inside = not np.isin(place, x[[0, -1]])
        if inside:  # at the end knots a derivative takes either side's, both finite
            np.testing.assert_allclose(rate.value, here.derivative, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(
                rate.derivative, here.second_derivative, rtol=1e-11, atol=1e-11
            )


def test_gradients_by_coefficients_equal_differences():
    bank, params = bank_of(5)
    params = jax.tree.map(jnp.asarray, params)

    @jax.jit
    def scalar(params):
        out = evaluate(bank, params, jnp.linspace(-0.5, 1.0, 6))
        return jnp.sum(jnp.sin(out.value)) + jnp.sum(out.derivative * out.second_derivative)

    slopes = jax.tree.map(
        lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, 0.0), jax.grad(scalar)(params)
    )
    direction = hopper_model.random_direction(params, seed=1)
    expected = hopper_model.slope_along(scalar, params, direction, 1e-4)
    assert abs(expected) > 1e-2
    obtained = hopper_model.inner(slopes, direction)
    assert abs(obtained - expected) < DIFFERENCE_TOLERANCE * max(1.0, abs(expected))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    bank, params = bank_of(4)
    params = jax.tree.map(jnp.asarray, params)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(x):
        return evaluate(bank, params, x)

    x = jnp.asarray(np.random.default_rng(0).uniform(-2, 3, (5, 6)))
    loop = hopper_model.stack([one(row) for row in x])
    together = jax.vmap(lambda row: evaluate(bank, params, row))(x)
    chex.assert_trees_all_close(together, loop, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("end, into", [(0, 1), (-1, -1)])
def test_the_slope_of_a_splines_slope_at_an_end_is_the_curvature_within(end, into):
    edge = float(knots(5)[0][end])
    bank, params = bank_of(5)
    params = jax.tree.map(jnp.asarray, params)
    derivative = lambda x: evaluate(bank, params, jnp.full(6, x)).derivative[jnp.array([1, 4])]  # noqa: E731
    at, within = hopper_model.slopes_at_an_edge(derivative, edge, into)
    np.testing.assert_allclose(at, within, rtol=1e-5)
