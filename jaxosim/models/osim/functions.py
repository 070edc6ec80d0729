"""OpenSim functions of a file → function specs."""

from jaxosim.functions import FUNCTIONS, MULTIVARIATE, FunctionSpec, argument_count, is_constant
from jaxosim.functions.constant import Spec as ConstantSpec
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element

__all__ = ["FUNCTION_CLASSES", "argument_count", "is_constant", "read_function"]

_READ = {module.TAG: module.read for module in FUNCTIONS}
_READ_SEVERAL = _READ | {module.TAG: module.read for module in MULTIVARIATE}
_MAY_BE_EMPTY = ("function", "prescribed_function")  # of a TransformAxis and of a Coordinate
# Classes that may stand, nameless, where a function is expected.
FUNCTION_CLASSES = frozenset({*_READ_SEVERAL, "SignalGenerator"})


def read_function(
    context: Context,
    owner: Element,
    name: str,
    *,
    optional: bool = False,
    several: bool = False,
) -> FunctionSpec:
    """The function in a property of its owner; Constant 0 if there is none.

    A function of a class that we do not simulate is refused and stands as Constant 0.

    Args:
      context: of the file.
      owner: the element that has the property.
      name: of the property.
      optional: the property may be absent in OpenSim, which then reads its long form only.
      several: functions of several arguments are simulated there.
    """
    if optional:
        element = context.optional_object_property(owner, name)
    else:
        element = context.object_property(owner, name, FUNCTION_CLASSES)
    if element is None:
        holder = context.property(owner, name)
        if holder is not None and name not in _MAY_BE_EMPTY:
            raise holder.error("expected a function")  # OpenSim fails when it asks for its value
        return ConstantSpec(0.0)
    return read_function_element(context, element, several=several)


def read_function_element(
    context: Context, element: Element, *, several: bool = False
) -> FunctionSpec:
    """The function that an element is; refused, and Constant 0, if its class is not simulated."""
    known = _READ_SEVERAL if several else _READ
    if element.tag in known:
        return known[element.tag](
            context, element, lambda inner: read_function_element(context, inner, several=several)
        )
    where = " here" if element.tag in _READ_SEVERAL else ""
    reason = f"functions of this class are not simulated{where}"
    context.refuse(element.tag, element.path(), reason)
    return ConstantSpec(0.0)
