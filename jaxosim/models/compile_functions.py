"""ModelSpec functions → `FunctionBank` and `FunctionParams`."""

from jaxosim.functions.bank import LARGEST_TABLE, unscaled
from jaxosim.functions.bank import build as compile_functions

__all__ = ["LARGEST_TABLE", "compile_functions", "unscaled"]
