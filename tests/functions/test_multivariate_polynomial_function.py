"""MultivariatePolynomialFunction of several arguments: split into functions of one, in couplers."""

import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.functions import multivariate_polynomial_function as polynomial
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
    np.testing.assert_allclose(couplers.constant, 1.0)  # before the scale factor
    np.testing.assert_allclose(couplers.scale_factor, 0.5)


def test_products_of_coordinates_are_refused_by_name():
    spec = without_products(3, 2)
    powers = list(polynomial._powers(3, 2))
    product = next(i for i, p in enumerate(powers) if is_mixed(p))
    coefficients = list(spec.coefficients)
    coefficients[product] = 1.0
    with pytest.raises(OsimFormatError, match="constraint 'c': .* of 3 coordinates .* multiplies"):
        jaxosim.load_model(hopper_model.path_of(coupled(coefficients, 3, 2)))
