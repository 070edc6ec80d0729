"""MultivariatePolynomialFunction: all monomials of its arguments up to an order.

Of several arguments it is read, and refused where functions of one argument are needed; a coupler
takes one that is a sum of such functions.

# OpenSim differs: asked for the second derivative it gives the first one again.

Source: OpenSim `MultivariatePolynomialFunction`; see docs/theory/joints.md, "Functions".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from jaxosim.functions import polynomial_function
from jaxosim.functions.function import Reader, ReadInner, read_coefficients
from jaxosim.models.osim.xml import Element

TAG = "MultivariatePolynomialFunction"
_LARGEST = 100  # dimension and order, against tables without end


@dataclass(frozen=True)
class Spec:
    """Coefficients of the monomials in ascending powers, the last argument's running first."""

    coefficients: tuple[float, ...]
    dimension: int
    order: int


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    whole = {}
    for tag in ("dimension", "order"):
        value = reader.number(element, tag, 0.0)
        if value != int(value) or not 0 <= value <= _LARGEST:
            raise element.error(f"expected a whole {tag} from 0 to {_LARGEST}, found {value:g}")
        whole[tag] = int(value)
    coefficients = read_coefficients(reader, element, ())
    count = math.comb(whole["dimension"] + whole["order"], whole["order"])
    if len(coefficients) != count:
        raise element.error(
            f"expected {count} coefficients of a polynomial of dimension {whole['dimension']} "
            f"and order {whole['order']}, found {len(coefficients)}"
        )
    return Spec(coefficients, **whole)


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return spec.dimension


def reduced(spec: Spec) -> tuple[polynomial_function.Spec, float]:
    """The same function of one argument as another class and a factor."""
    return polynomial_function.Spec(spec.coefficients[::-1]), 1.0


def separated(spec: Spec) -> tuple[float, list[polynomial_function.Spec]] | None:
    """The same as a constant and a polynomial of each argument; None if some are multiplied."""
    terms = [[0.0] * (spec.order + 1) for _ in range(spec.dimension)]
    constant = 0.0
    powers = _powers(spec.dimension, spec.order)
    for exponents, coefficient in zip(powers, spec.coefficients, strict=True):
        used = [argument for argument, power in enumerate(exponents) if power]
        if not used:
            constant = coefficient
        elif len(used) == 1:
            terms[used[0]][exponents[used[0]]] = coefficient
        elif coefficient:
            return None
    return constant, [polynomial_function.Spec(tuple(own[::-1])) for own in terms]


def _powers(dimension: int, order: int) -> Iterator[tuple[int, ...]]:
    """Exponents of the monomials, in the order of their coefficients."""
    if not dimension:
        yield ()
        return
    for first in range(order + 1):
        for rest in _powers(dimension - 1, order - first):
            yield first, *rest
