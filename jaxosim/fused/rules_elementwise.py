"""Rules of the primitives that work element by element."""

from typing import Any

import numpy as np

from jaxosim.fused.elementary import EXPANSIONS
from jaxosim.fused.interpreter import RULES, Interpreter, Nodes, Unsupported, rule

_SAME = (
    *("add", "sub", "mul", "div", "rem", "neg", "abs", "sqrt", "floor", "ceil"),
    *("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "not", "is_finite"),
)
_RENAMED = {
    "add_any": "add",
    "shift_left": "shl",
    "shift_right_logical": "shr",
    "shift_right_arithmetic": "ashr",
    "bitcast_convert_type": "bitcast",
}
_UNCHANGED = (
    *("optimization_barrier", "batch_minor", "stop_gradient", "copy", "copy_p"),
    *("layout_constraint", "sharding_constraint", "reshard", "pvary", "name", "reduce_precision"),
    "device_put",  # of constants, before JAX 0.8
)


def _elementwise(op: str) -> Any:
    def apply(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
        return [run.map(op, *inputs, dtype=equation.outvars[0].aval.dtype)]

    return apply


RULES.update({name: _elementwise(name) for name in (*_SAME, *EXPANSIONS)})
RULES.update({name: _elementwise(op) for name, op in _RENAMED.items()})


@rule(*_UNCHANGED)
def _unchanged(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
    if equation.primitive.name == "reduce_precision":
        finfo = np.finfo(equation.outvars[0].aval.dtype)
        kept = equation.params["exponent_bits"], equation.params["mantissa_bits"]
        if kept != (finfo.nexp, finfo.nmant):
            raise Unsupported("reduce_precision", "to fewer bits")
    return list(inputs)


def extremum(run: Interpreter, op: str, x: Nodes, y: Nodes) -> Nodes:
    """The larger ("max") or smaller ("min") of two; NaN if either is, as XLA has it.

    The graph's operation gives the second argument where one is NaN, as the machine's does.
    """
    if not x.size or run.dtype_of(x)[0] != "f":
        return run.map(op, x, y)
    graph = run.graph

    def one(a: int, b: int) -> int:
        if graph.value(b) is not None:
            a, b = b, a
        larger = graph.make(op, a, b)
        known = graph.value(a)
        if known is not None and known == known:
            return larger
        return graph.make("select", graph.make("ne", a, a), a, larger)

    x, y = np.broadcast_arrays(x, y)
    nodes = [one(a, b) for a, b in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)]
    return np.array(nodes, int).reshape(x.shape)


@rule("max")
def _max(run: Interpreter, equation: Any, x: Nodes, y: Nodes) -> list[Nodes]:
    return [extremum(run, "max", x, y)]


@rule("min")
def _min(run: Interpreter, equation: Any, x: Nodes, y: Nodes) -> list[Nodes]:
    return [extremum(run, "min", x, y)]


@rule("clamp")
def _clamp(run: Interpreter, equation: Any, low: Nodes, x: Nodes, high: Nodes) -> list[Nodes]:
    return [extremum(run, "min", extremum(run, "max", x, low), high)]


@rule("convert_element_type")
def _convert(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    dtype = np.dtype(equation.params["new_dtype"])
    truncates = x.size and run.dtype_of(x)[0] == "f" and dtype.kind in "iu"
    return [run.map("convert_saturating" if truncates else "convert", x, dtype=dtype)]


@rule("square")
def _square(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    return [run.map("mul", x, x)]


@rule("sign")
def _sign(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    dtype = equation.outvars[0].aval.dtype
    zero, one, less = (run.constants(np.array(v, dtype)) for v in (0, 1, -1))
    below = run.map("select", run.map("lt", x, zero), less, x, dtype=dtype)
    return [run.map("select", run.map("gt", x, zero), one, below, dtype=dtype)]


@rule("round")
def _round(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    if int(equation.params["rounding_method"]) == 1:
        return [run.map("rint", x)]
    # Half away from zero: the fraction that truncation leaves decides.
    zero, half, one = (run.constants(np.array(v, run.dtype_of(x))) for v in (0, 0.5, 1))
    size = run.map("abs", x)
    whole = run.map("floor", size)
    up = run.map("ge", run.map("sub", size, whole), half)
    rounded = run.map("select", up, run.map("add", whole, one), whole, dtype=run.dtype_of(x))
    below = run.map("lt", x, zero)
    return [run.map("select", below, run.map("neg", rounded), rounded, dtype=run.dtype_of(x))]


@rule("integer_pow")
def _integer_pow(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    exponent = abs(equation.params["y"])
    one = run.constants(np.ones((), equation.outvars[0].aval.dtype))
    result, power = None, x
    while exponent:
        if exponent & 1:
            result = power if result is None else run.map("mul", result, power)
        exponent >>= 1
        if exponent:
            power = run.map("mul", power, power)
    if result is None:
        return [np.broadcast_to(one, x.shape)]
    return [run.map("div", one, result) if equation.params["y"] < 0 else result]


@rule("select_n")
def _select_n(run: Interpreter, equation: Any, which: Nodes, *cases: Nodes) -> list[Nodes]:
    dtype = equation.outvars[0].aval.dtype
    if not which.size:
        return [cases[0]]
    if run.dtype_of(which) == "bool":
        return [run.map("select", which, cases[-1], cases[0], dtype=dtype)]
    result = cases[-1]
    for number in range(len(cases) - 2, -1, -1):
        here = run.map("le", which, run.constants(np.array(number, run.dtype_of(which))))
        result = run.map("select", here, cases[number], result, dtype=dtype)
    return [result]
