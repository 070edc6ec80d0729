"""Constant: one number, whatever the arguments.

Source: OpenSim `Constant`; see docs/theory/joints.md, "Functions".
"""

from dataclasses import dataclass

from jaxosim.functions import polynomial_function
from jaxosim.functions.function import Reader, ReadInner
from jaxosim.models.osim.xml import Element

TAG = "Constant"


@dataclass(frozen=True)
class Spec:
    """f = value."""

    value: float


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    found = reader.property(element, "value")
    if found is not None and not found.text.strip():
        raise found.error("expected a number")  # of other classes OpenSim takes the default
    return Spec(reader.number(element, "value", 0.0))


def argument_count(spec: Spec) -> None:
    """It takes any number of arguments."""
    return


def reduced(spec: Spec) -> tuple[polynomial_function.Spec, float]:
    """The same function of one argument as another class and a factor."""
    return polynomial_function.Spec((spec.value,)), 1.0
