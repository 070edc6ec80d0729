"""OpenSim functions of a file → function specs."""

from jaxosim.models.osim_values import numbers
from jaxosim.models.osim_xml import Element
from jaxosim.models.reader_context import Context
from jaxosim.models.spec import (
    ConstantSpec,
    FunctionSpec,
    LinearFunctionSpec,
    MultiplierFunctionSpec,
    PiecewiseLinearFunctionSpec,
    PolynomialFunctionSpec,
    SimmSplineSpec,
)

# Classes that may stand, nameless, where a function is expected.
FUNCTION_CLASSES = frozenset(
    {
        "Constant",
        "LinearFunction",
        "SimmSpline",
        "PiecewiseLinearFunction",
        "PiecewiseConstantFunction",
        "PolynomialFunction",
        "MultivariatePolynomialFunction",
        "MultiplierFunction",
        "ExpressionBasedFunction",
        "StepFunction",
        "Sine",
        "SignalGenerator",
        "GCVSpline",
    }
)


def read_function(context: Context, owner: Element, name: str) -> FunctionSpec:
    """The function in a property of its owner; Constant 0 if there is none.

    A function of a class that we do not simulate is refused and stands as Constant 0.
    """
    element = context.object_property(owner, name, FUNCTION_CLASSES)
    return ConstantSpec(0.0) if element is None else _read(context, element)


def argument_count(function: FunctionSpec) -> int | None:
    """How many arguments a function takes; None if it takes any number."""
    match function:
        case ConstantSpec():
            return None
        case LinearFunctionSpec():
            return len(function.coefficients) - 1
        case MultiplierFunctionSpec():
            return argument_count(function.function)
        case _:
            return 1


def is_constant(function: FunctionSpec) -> bool:
    """Whether the function is one number, whatever its arguments."""
    if isinstance(function, MultiplierFunctionSpec):
        return is_constant(function.function)
    return isinstance(function, ConstantSpec)


def _read(context: Context, element: Element) -> FunctionSpec:
    match element.tag:
        case "Constant":
            return ConstantSpec(context.number(element, "value", 0.0))
        case "LinearFunction":
            return LinearFunctionSpec(_coefficients(context, element, (1.0, 0.0)))
        case "PolynomialFunction":
            return PolynomialFunctionSpec(_coefficients(context, element, (1.0,)))
        case "SimmSpline":
            return SimmSplineSpec(*_knots(context, element))
        case "PiecewiseLinearFunction":
            return PiecewiseLinearFunctionSpec(*_knots(context, element))
        case "MultiplierFunction":
            # Unlike other objects, this one must stand in an element of the property's name.
            holder = context.property(element, "function")
            if holder is None or not holder.children:
                raise element.error("expected a <function> that holds the function to multiply")
            inner = _read(context, holder.children[0])
            return MultiplierFunctionSpec(inner, context.number(element, "scale", 1.0))
    context.refuse(element.tag, element.path(), "functions of this class are not simulated")
    return ConstantSpec(0.0)


def _coefficients(
    context: Context, element: Element, default: tuple[float, ...]
) -> tuple[float, ...]:
    found = context.property(element, "coefficients")
    if found is None:
        return default
    values = numbers(found)
    if not values:
        raise found.error("expected at least one coefficient")
    return values


def _knots(context: Context, element: Element) -> tuple[tuple[float, ...], tuple[float, ...]]:
    knots: list[tuple[float, ...]] = []
    for axis in ("x", "y"):
        found = context.property(element, axis)
        if found is None:
            raise element.error(f"expected the {axis} of its knots")
        knots.append(numbers(found))
    x, y = knots
    if len(x) < 2 or len(x) != len(y):
        raise element.error(
            f"expected two or more knots, as many x as y, found {len(x)} x and {len(y)} y"
        )
    if any(later < earlier for earlier, later in zip(x, x[1:], strict=False)):
        raise element.error("expected knots in ascending order of x")
    if any(x[a] == x[b] and y[a] != y[b] for a, b in ((0, 1), (-2, -1))):
        # OpenSim differs: it goes on beyond the end with a slope of ten million.
        raise element.error("expected no two y for one x at its ends")
    return x, y
