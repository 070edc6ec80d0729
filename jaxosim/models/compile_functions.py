"""ModelSpec functions → `FunctionBank` and `FunctionParams`."""

from collections.abc import Sequence

from jaxosim.errors import OsimFormatError
from jaxosim.functions.bank import LARGEST_TABLE, module_of, unscaled
from jaxosim.functions.bank import build as compile_functions
from jaxosim.functions.multivariate import split
from jaxosim.models.spec import FunctionSpec

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
      OsimFormatError: a function of one argument has another number of them, or some are
        multiplied.
    """
    constant, terms, mixed = split(function, len(arguments), owner)
    if mixed is not None:
        raise OsimFormatError(
            f"{owner}: a {module_of(mixed[0]).TAG} of {len(arguments)} coordinates is simulated "
            "where it is a sum of functions of one each; this one multiplies some"
        )
    return constant, [(arguments[place], term) for place, term in terms]
