"""MultiplierFunction: another function times a number.

Source: OpenSim `MultiplierFunction`; see docs/theory/joints.md, "Functions".
"""

from dataclasses import dataclass

from jaxosim.functions.function import FunctionSpec, Reader, ReadInner
from jaxosim.models.osim.xml import Element

TAG = "MultiplierFunction"


@dataclass(frozen=True)
class Spec:
    """f = scale · function."""

    function: FunctionSpec
    scale: float


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function.

    Unlike other objects, the inner one must stand in an element of the property's name.
    """
    holder = reader.property(element, "function")
    if holder is None or not holder.children:
        raise element.error("expected a <function> that holds the function to multiply")
    inner = read_inner(holder.children[0])
    scale = reader.property(element, "scale")
    if scale is not None and not scale.text.strip():  # of other classes OpenSim takes the default
        raise scale.error("expected a number, found nothing")
    return Spec(inner, reader.number(element, "scale", 1.0))


def reduced(spec: Spec) -> tuple[FunctionSpec, float]:
    """The same function as another class and a factor."""
    return spec.function, spec.scale
