"""LinearFunction: a sum of arguments times slopes, and an intercept.

Source: OpenSim `LinearFunction`; see docs/theory/joints.md, "Functions".
"""

from dataclasses import dataclass

from jaxosim.functions import polynomial_function
from jaxosim.functions.function import Reader, ReadInner, read_coefficients
from jaxosim.models.osim.xml import Element

TAG = "LinearFunction"


@dataclass(frozen=True)
class Spec:
    """f = c1 x1 + … + ck xk + c(k+1)."""

    coefficients: tuple[float, ...]


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    return Spec(read_coefficients(reader, element, (1.0, 0.0)))


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return len(spec.coefficients) - 1


def reduced(spec: Spec) -> tuple[polynomial_function.Spec, float]:
    """The same function of one argument as another class and a factor."""
    count = len(spec.coefficients)
    return polynomial_function.Spec((*spec.coefficients[:1], spec.coefficients[-1])[-count:]), 1.0
