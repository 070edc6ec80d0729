"""Counting the arithmetic of a function from its jaxpr, loops as often as they run.

XLA's cost analysis counts the body of a loop once; this counter knows the trip counts, and stands
beside XLA's as a check. It counts as XLA does: one operation per element that is computed (select,
compare and convert too), two per multiply-add of a product, transcendental functions apart; moving
data counts nothing. What XLA later simplifies or works out twice, it does not know.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax

_TRANSCENDENTAL = frozenset(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh erf exp exp2 expm1 log log1p logistic "
    "pow rsqrt sin sinh sqrt tan tanh".split()
)
_ELEMENTWISE = frozenset(
    "abs add add_any and ceil clamp convert_element_type div eq floor ge gt is_finite le lt max "
    "min mul ne neg not or rem round select_n shift_left shift_right_arithmetic "
    "shift_right_logical sign square sub xor".split()
)
_REDUCTION = frozenset(
    "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum "
    "scatter-add scatter_add sum_leading segment_sum".split()  # the last two are jaxosim's
)
_MOVES = frozenset(
    "bitcast_convert_type broadcast_in_dim concatenate copy copy_p dynamic_slice "
    "dynamic_update_slice empty expand_dims gather iota layout_constraint optimization_barrier pad "
    "random_bits random_fold_in random_seed random_split random_unwrap random_wrap reshape rev "
    "scatter slice split squeeze stack stop_gradient tile transpose batch_minor take".split()
)


class Operations(NamedTuple):
    """Arithmetic operations and transcendental functions, in elements."""

    flops: float = 0.0
    transcendentals: float = 0.0

    def plus(self, other: "Operations", times: float = 1.0) -> "Operations":
        """The sum with so many of the other."""
        return Operations(*(a + times * b for a, b in zip(self, other, strict=True)))


def count_operations(function: Callable[..., Any], *arguments: Any) -> Operations:
    """Operations of one call, on all devices.

    Args:
      function: to be traced.
      arguments: arrays or shapes.

    Raises:
      ValueError: the function has an operation that is not known here, or a loop whose trip count
        depends on numbers.
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: Any) -> Operations:
    total = Operations()
    for equation in jaxpr.eqns:
        total = total.plus(_of_equation(equation))
    return total


def _of_equation(equation: Any) -> Operations:
    name, parameters = equation.primitive.name, equation.params
    given = [math.prod(value.aval.shape) for value in equation.invars]
    made = sum(math.prod(value.aval.shape) for value in equation.outvars)
    if name == "cond":
        return max(map(_of_jaxpr, _inner(parameters)))
    if name == "while":
        raise ValueError("a while loop: its trip count depends on numbers")
    inner = [_of_jaxpr(jaxpr) for jaxpr in _inner(parameters)]
    if inner and name not in _REDUCTION:
        times = parameters["length"] if name == "scan" else 1
        times = math.prod(parameters["mesh"].shape.values()) if name == "shard_map" else times
        return Operations().plus(inner[0], times)
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return Operations(flops=2.0 * made * math.prod(shape[axis] for axis in contracted))
    if name in ("matmul_nt", "constant_matmul", "cross"):  # jaxosim's, where all worlds share them
        return Operations(flops=float(_small_product(equation, made)))
    if name == "integer_pow":
        exponent = abs(parameters["y"])
        return Operations(flops=float(made * max(exponent.bit_length() - 1, 0)))
    if name in _TRANSCENDENTAL:
        return Operations(transcendentals=float(made))
    if name in _ELEMENTWISE:
        return Operations(flops=float(made))
    if name in _REDUCTION:
        return Operations(flops=float(given[-1] if name.startswith("scatter") else given[0]))
    if name in _MOVES:
        return Operations()
    raise ValueError(f"operation {name!r}: expected one that this counter knows")


def _small_product(equation: Any, made: int) -> int:
    """Multiplications and additions of `jaxosim.arrays.linalg`."""
    name, shape = equation.primitive.name, equation.invars[0].aval.shape
    if name == "cross":
        return 3 * made
    if name == "matmul_nt":
        return 2 * made * shape[-1]
    entries = sum(entry != 0 for row in equation.params["matrix"] for entry in row)
    return 2 * entries * math.prod(shape[1:])


def _inner(parameters: dict[str, Any]) -> Iterator[Any]:
    """The jaxprs within an operation."""
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if hasattr(one, "eqns"):
                yield one
            elif hasattr(one, "jaxpr") and hasattr(one.jaxpr, "eqns"):
                yield one.jaxpr
