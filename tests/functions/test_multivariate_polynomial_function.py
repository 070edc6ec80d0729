"""MultivariatePolynomialFunction of several arguments: its derivatives, in couplers, in joints."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.functions import multivariate
from jaxosim.functions import multivariate_polynomial_function as polynomial
from jaxosim.integrators.projection import constraint_error
from jaxosim.models.compile_functions import split_function
from tests import hopper_model
from tests.constraints import worlds
from tests.models import osim_text as osim

NAMES = ("x", "y", "z")


def is_mixed(exponents):
    return sum(power > 0 for power in exponents) > 1


def without_products(dimension, order, seed=0):
    """A polynomial whose arguments are not multiplied."""
    rng = np.random.default_rng(seed)
    powers = list(polynomial._powers(dimension, order))
    coefficients = [0.0 if is_mixed(p) else rng.normal() for p in powers]
    return polynomial.Spec(tuple(coefficients), dimension, order)


def coupled(coefficients, dimension, order):
    """A body on a free joint, one of whose coordinates is such a function of others."""
    inside = worlds.function(
        "MultivariatePolynomialFunction",
        coefficients=" ".join(map(str, coefficients)),
        dimension=dimension,
        order=order,
    )
    free = osim.joint("FreeJoint", "free", "/ground", "/bodyset/a", osim.coordinates(*"pqrxyz"))
    constraint = worlds.coupler("c", "x p q", "y", inside, scale_factor="0.5")
    return osim.model(joints=free, rest=osim.members("ConstraintSet", constraint))


@pytest.mark.opensim
@pytest.mark.parametrize("dimension, order", [(1, 4), (2, 3), (3, 1), (3, 3)])
def test_the_parts_add_up_to_opensims_function(opensim, dimension, order):
    spec = without_products(dimension, order)
    vector = opensim.Vector.createFromMat(np.array(spec.coefficients))
    live = opensim.MultivariatePolynomialFunction(vector, dimension, order)
    parts = polynomial.separated(spec)
    assert parts is not None
    for point in np.random.default_rng(1).normal(size=(5, dimension)):
        terms = (np.polyval(p.coefficients, x) for p, x in zip(parts[1], point, strict=True))
        expected = live.calcValue(opensim.Vector.createFromMat(point))
        assert parts[0] + sum(terms) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_coupler_takes_a_sum_of_functions_of_one_coordinate_each():
    constant, terms = split_function(without_products(3, 2), NAMES, "coupler")
    assert [name for name, _ in terms] == list(NAMES) and constant
    model, params = hopper_model.load(coupled([1, 2, 3, 4], 3, 1))
    couplers = params.coordinate_couplers
    assert model.sizes["equation"] == 1
    np.testing.assert_allclose(couplers.functions.constant, 1.0)  # before the scale factor
    np.testing.assert_allclose(couplers.scale_factor, 0.5)


def with_products(dimension, order, seed=0):
    """A polynomial of all monomials but some."""
    count = len(list(polynomial._powers(dimension, order)))
    rng = np.random.default_rng(seed)
    coefficients = np.where(rng.uniform(size=count) < 0.3, 0.0, rng.normal(size=count))
    return polynomial.Spec(tuple(coefficients.tolist()), dimension, order)


@pytest.mark.opensim
def test_values_and_derivatives_of_products_are_opensims_also_at_zero(opensim):
    """Functions of all, some and repeated variables, together."""
    arguments = ([0, 1, 2], [3, 1], [2, 2], [4, 0, 3, 1])
    specs = [with_products(len(own), 6 - len(own), seed) for seed, own in enumerate(arguments)]
    functions = [(spec, own, "f") for spec, own in zip(specs, arguments, strict=True)]
    bank, params = multivariate.build(functions, "file")
    params = jax.tree.map(jnp.asarray, params)
    found = jax.jit(jax.vmap(lambda x: multivariate.evaluate(bank, params, x)))
    points = np.concatenate([np.random.default_rng(1).normal(size=(5, 5)), np.zeros((1, 5))])
    value, slope = found(points)
    for row, (spec, own) in enumerate(zip(specs, arguments, strict=True)):
        vector = opensim.Vector.createFromMat(np.array(spec.coefficients))
        live = opensim.MultivariatePolynomialFunction(vector, spec.dimension, spec.order)
        for place, point in enumerate(points):
            at = opensim.Vector.createFromMat(point[own])
            expected = np.zeros(5)
            for slot, variable in enumerate(own):
                components = opensim.StdVectorInt()
                components.append(slot)
                expected[variable] += live.calcDerivative(components, at)
            entries = bank.entry_function == row
            obtained = np.zeros(5)
            obtained[bank.entry_variable[entries]] = slope[place][entries]
            assert value[place, row] == pytest.approx(live.calcValue(at), rel=1e-12, abs=1e-12)
            np.testing.assert_allclose(obtained, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives_along_a_motion_are_those_of_the_value():
    functions = [(with_products(3, 4), [0, 1, 2], "f"), (without_products(2, 3), [2, 1], "g")]
    bank, params = multivariate.build(functions, "file")
    params = jax.tree.map(jnp.asarray, params)
    x, rate = np.random.default_rng(2).normal(size=(2, 3))

    def value(t):
        return multivariate.evaluate(bank, params, x + t * rate).value

    along = jax.jit(lambda x, v: multivariate.second_derivative_along(bank, params, x, v))
    expected = jax.jit(jax.jacfwd(jax.jacfwd(value)))(0.0)
    obtained = along(jnp.asarray(x), jnp.asarray(rate))
    np.testing.assert_allclose(obtained, expected, rtol=1e-12)


@pytest.mark.opensim
def test_a_coupler_multiplies_coordinates_as_opensims_at_rest_and_keeps_them_coupled(opensim):
    """In motion OpenSim takes first derivatives for second ones, and drifts off its constraint."""
    spec = with_products(3, 3)
    text = coupled(spec.coefficients, 3, 3)
    model, params = hopper_model.load(text)
    start = jax.jit(jaxosim.initial_state)(model, params)
    live = opensim.Model(str(hopper_model.path_of(text)))
    at = live.initSystem()
    for index, value in enumerate(np.asarray(start.q)):
        live.getCoordinateSet().get(index).setValue(at, float(value), False)
    live.realizeAcceleration(at)
    assert np.abs(at.getQErr().to_numpy()).max() < 1e-10
    coordinates = [live.getCoordinateSet().get(i) for i in range(len(start.q))]
    expected = [c.getAccelerationValue(at) for c in coordinates]
    found = hopper_model.rates(model, params, start, jnp.zeros(0)).u
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    moving = dataclasses.replace(start, u=jnp.array([0.4, -0.3, 0.2, 0.5, 0.1, 0.3]))
    last = hopper_model.step_of(model, jaxosim.Options())(params, moving, jnp.zeros(0))
    assert float(constraint_error(model, params, last)) < 1e-10
    assert np.abs(last.q - start.q).max() > 1e-3


def test_products_of_coordinates_are_refused_by_name_in_joints():
    inside = osim.element(
        "MultivariatePolynomialFunction",
        "function",
        coefficients="0 0 0 0 1 0",
        dimension=2,
        order=2,
    )
    joint = osim.custom(osim.axis("rotation1", "p q", "1 0 0", inside), osim.coordinates("p", "q"))
    with pytest.raises(OsimFormatError, match="joint 'j': .* of 2 coordinates .* multiplies"):
        jaxosim.load_model(hopper_model.path_of(osim.model(joints=joint)))
