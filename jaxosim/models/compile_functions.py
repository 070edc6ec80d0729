"""ModelSpec functions → `FunctionBank` and `FunctionParams`."""

from collections.abc import Sequence

from jaxosim.errors import OsimFormatError
from jaxosim.functions import multivariate_polynomial_function
from jaxosim.functions.bank import LARGEST_TABLE, module_of, unscaled
from jaxosim.functions.bank import build as compile_functions
from jaxosim.models.spec import (
    ConstantSpec,
    FunctionSpec,
    LinearFunctionSpec,
    MultiplierFunctionSpec,
)

__all__ = ["LARGEST_TABLE", "compile_functions", "split_function", "unscaled"]


def split_function(
    function: FunctionSpec, arguments: Sequence[str], owner: str
) -> tuple[float, list[tuple[str, FunctionSpec]]]:
    """A function of several arguments as a constant plus functions of one argument each.

    Args:
      function: of as many arguments as there are.
      arguments: their names.
      owner: whose function it is, for messages.

    Raises:
      OsimFormatError: a function of one argument has another number of them.
    """
    inner, scale = unscaled(function)
    if isinstance(inner, ConstantSpec):
        return scale * inner.value, []
    if isinstance(inner, LinearFunctionSpec):
        slopes = zip(arguments, inner.coefficients[:-1], strict=True)
        terms = [(name, LinearFunctionSpec((scale * slope, 0.0))) for name, slope in slopes]
        return scale * inner.coefficients[-1], list(terms)
    if len(arguments) != 1:
        kind = module_of(inner).TAG
        if isinstance(inner, multivariate_polynomial_function.Spec):
            return _split_polynomial(inner, arguments, scale, owner)
        raise OsimFormatError(f"{owner}: a {kind} needs one coordinate, got {len(arguments)}")
    return 0.0, [(arguments[0], MultiplierFunctionSpec(inner, scale))]


def _split_polynomial(
    polynomial: multivariate_polynomial_function.Spec,
    arguments: Sequence[str],
    scale: float,
    owner: str,
) -> tuple[float, list[tuple[str, FunctionSpec]]]:
    """As `split_function`, of a polynomial of several arguments."""
    parts = multivariate_polynomial_function.separated(polynomial)
    if parts is None:
        raise OsimFormatError(
            f"{owner}: a {multivariate_polynomial_function.TAG} of {len(arguments)} coordinates is "
            "simulated where it is a sum of functions of one each; this one multiplies some"
        )
    constant, terms = parts
    scaled = [MultiplierFunctionSpec(term, scale) for term in terms]
    return scale * constant, list(zip(arguments, scaled, strict=True))
