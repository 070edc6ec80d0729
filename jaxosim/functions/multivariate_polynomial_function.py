"""MultivariatePolynomialFunction: all monomials of its arguments up to an order.

Of several arguments it is read, and refused where functions of one argument are needed.

# OpenSim differs: asked for the second derivative it gives the first one again.

Source: OpenSim `MultivariatePolynomialFunction`; see docs/theory/joints.md, "Functions".
"""

import math
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
