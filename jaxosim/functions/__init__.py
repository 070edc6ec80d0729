"""OpenSim's scalar functions, one module for each class, all with the same names.

- `TAG`, `Spec` and `read`: what the file says;
- `argument_count`: how many arguments a function takes.

A class with a law of its own further has

- `FIELD` of `FunctionParams`;
- `Structure`, `Params`, `length` and `build`: its arrays;
- `evaluate`: values and two derivatives, and `evaluate_on_host`: the same with NumPy.

Another is a special case of one that has: `reduced` says of which. Classes of several arguments
have `build` and `evaluate` for these, with derivatives by each argument. `bank` puts functions of
all classes together, `multivariate` those of several arguments; what they share is in
`function.py`.
"""

from jaxosim.functions.bank import (
    FUNCTIONS,
    MULTIVARIATE,
    FunctionBank,
    FunctionParams,
    FunctionValues,
    argument_count,
    evaluate,
    evaluate_on_host,
    is_constant,
    unscaled,
)
from jaxosim.functions.function import FunctionSpec

__all__ = [
    "FUNCTIONS",
    "MULTIVARIATE",
    "FunctionBank",
    "FunctionParams",
    "FunctionSpec",
    "FunctionValues",
    "argument_count",
    "evaluate",
    "evaluate_on_host",
    "is_constant",
    "unscaled",
]
