"""Arithmetic on nodes: constants folded, and the same value with fewer operations.

A structural zero counts as zero whatever it is multiplied by, also infinity and NaN: that is what
makes the graph of a sparse model small. All else follows IEEE 754, up to a division by a constant,
which becomes a product, and products and sums, which may be contracted to multiply-adds.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np


class Nodes(Protocol):
    """What is asked of a graph, see `graph.Graph`."""

    op: list[str]
    args: list[tuple[int, ...]]
    dtype: list[str]

    def make(self, op: str, *args: int, dtype: str | None = None) -> int:
        """The node of an operation."""
        ...

    def const(self, value: Any, dtype: str) -> int:
        """A constant."""
        ...

    def value(self, number: int) -> Any:
        """The number that a constant stands for; None for other nodes."""
        ...

    def is_value(self, number: int, value: float) -> bool:
        """Whether a node is the constant of that value."""
        ...


Simplifier = Callable[[Nodes, tuple[int, ...], str], int | None]


def _shift_right_logical(a: Any, b: Any) -> Any:
    unsigned = np.dtype(f"uint{a.dtype.itemsize * 8}")
    return (a.view(unsigned) >> b.astype(unsigned)).view(a.dtype)


def _integer_quotient(a: Any, b: Any) -> Any:
    if np.dtype(a.dtype).kind == "f":
        return a / b
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)) if b != 0 else a.dtype.type(-1)


_NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "xadd": np.add,
    "xsub": np.subtract,
    "xmul": np.multiply,
    "div": _integer_quotient,
    "rem": np.fmod,
    "neg": np.negative,
    "abs": np.abs,
    "max": np.maximum,
    "min": np.minimum,
    "sqrt": np.sqrt,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "is_finite": np.isfinite,
    "shl": np.left_shift,
    "shr": _shift_right_logical,
    "ashr": np.right_shift,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "select": lambda c, t, f: t if c else f,
    "fma": lambda a, b, c: _fma(a, b, c),
}


def _fma(a: Any, b: Any, c: Any) -> Any:
    """Multiply-add with one rounding; of double precision in extended precision."""
    wide = np.float64 if a.dtype == np.float32 else np.longdouble
    return a.dtype.type(wide(a) * wide(b) + wide(c))


def fold(op: str, values: list[Any], dtype: str) -> Any:
    """The value of an operation on constants, by NumPy."""
    with np.errstate(all="ignore"):
        if op == "convert":
            return np.asarray(values[0]).astype(dtype)[()]
        if op == "bitcast":
            return np.asarray(values[0]).view(dtype)[()]
        return _NUMPY[op](*values)


# ------------------------------------------------------------------------- simplifications


def _add(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if g.is_value(a, 0):
        return b
    if g.is_value(b, 0):
        return a
    if dtype[0] == "f":
        if g.op[b] == "neg":
            return g.make("sub", a, g.args[b][0])
        if g.op[a] == "neg":
            return g.make("sub", b, g.args[a][0])
    return None


def _sub(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if g.is_value(b, 0):
        return a
    if dtype[0] == "f":
        if g.is_value(a, 0):
            return g.make("neg", b)
        if g.op[b] == "neg":
            return g.make("add", a, g.args[b][0])
    return None


def _mul(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    for x, y in ((a, b), (b, a)):
        value = g.value(x)
        if value is not None:
            if value == 0:
                return x if dtype[0] != "f" else g.const(0, dtype)
            if value == 1:
                return y
            if dtype[0] == "f":
                if value == -1:
                    return g.make("neg", y)
                if g.op[y] == "neg":
                    return g.make("mul", g.args[y][0], g.const(-value, dtype))
            return None
    if dtype[0] != "f":
        return None
    if g.op[a] == "neg" and g.op[b] == "neg":
        return g.make("mul", g.args[a][0], g.args[b][0])
    if g.op[a] == "neg":
        return g.make("neg", g.make("mul", g.args[a][0], b))
    if g.op[b] == "neg":
        return g.make("neg", g.make("mul", a, g.args[b][0]))
    return None


def _div(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if g.is_value(b, 1):
        return a
    if dtype[0] != "f":
        return None
    if g.is_value(a, 0):
        return a
    divisor = g.value(b)
    if divisor is not None and divisor != 0:
        return g.make("mul", a, g.const(1 / divisor, dtype))
    if g.op[a] == "neg":
        return g.make("neg", g.make("div", g.args[a][0], b))
    return None


def _neg(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    (a,) = args
    if g.op[a] == "neg":
        return g.args[a][0]
    if g.op[a] == "sub" and dtype[0] == "f":
        return g.make("sub", g.args[a][1], g.args[a][0])
    return None


def _abs(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    (a,) = args
    if g.op[a] == "neg":
        return g.make("abs", g.args[a][0])
    return a if g.op[a] == "abs" else None


def _extremum(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    return args[0] if args[0] == args[1] else None


def _select(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    condition, yes, no = args
    chosen = g.value(condition)
    if chosen is not None:
        return yes if chosen else no
    if yes == no:
        return yes
    if g.op[condition] == "not":
        return g.make("select", g.args[condition][0], no, yes, dtype=dtype)
    if dtype == "bool":
        if g.value(yes) is not None and g.value(no) is not None:
            return condition if g.value(yes) else g.make("not", condition)
        chosen_yes = g.make("and", condition, yes)
        return g.make("or", chosen_yes, g.make("and", g.make("not", condition), no))
    return None


def _convert(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    (a,) = args
    given = g.dtype[a]
    if given == dtype:
        return a
    if dtype == "bool":
        return g.make("ne", a, g.const(0, given))
    if given == "bool":
        return g.make("select", a, g.const(1, dtype), g.const(0, dtype), dtype=dtype)
    return None


def _bitcast(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    (a,) = args
    if g.dtype[a] == dtype:
        return a
    if g.op[a] == "bitcast":
        return g.make("bitcast", g.args[a][0], dtype=dtype)
    return None


def _and(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if a == b:
        return a
    if dtype == "bool":
        for x, y in ((a, b), (b, a)):
            if g.value(x) is not None:
                return y if g.value(x) else x
    return None


def _or(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if a == b:
        return a
    if dtype == "bool":
        for x, y in ((a, b), (b, a)):
            if g.value(x) is not None:
                return x if g.value(x) else y
        return None
    return b if g.is_value(a, 0) else a if g.is_value(b, 0) else None


def _xor(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    a, b = args
    if dtype == "bool":
        for x, y in ((a, b), (b, a)):
            if g.value(x) is not None:
                return g.make("not", y) if g.value(x) else y
        return None
    return b if g.is_value(a, 0) else a if g.is_value(b, 0) else None


def _not(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    (a,) = args
    return g.args[a][0] if g.op[a] == "not" else None


def _shift(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    return args[0] if g.is_value(args[1], 0) else None


def _compare(op: str) -> Simplifier:
    def simplify(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
        a, b = args
        if g.dtype[a] == "bool" and op in ("eq", "ne"):
            differ = g.make("xor", a, b, dtype="bool")
            return differ if op == "ne" else g.make("not", differ)
        if a == b and g.dtype[a][0] != "f":
            return g.const(op in ("eq", "le", "ge"), "bool")
        return None

    return simplify


def _fma_simpler(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    return args[2] if g.is_value(args[0], 0) or g.is_value(args[1], 0) else None


def _is_finite(g: Nodes, args: tuple[int, ...], dtype: str) -> int | None:
    if g.dtype[args[0]][0] != "f":
        return g.const(True, "bool")
    infinity = g.const(np.inf, g.dtype[args[0]])
    return g.make("lt", g.make("abs", args[0]), infinity)


SIMPLER: dict[str, Simplifier] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "abs": _abs,
    "max": _extremum,
    "min": _extremum,
    "select": _select,
    "convert": _convert,
    "bitcast": _bitcast,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "not": _not,
    "shl": _shift,
    "shr": _shift,
    "ashr": _shift,
    "fma": _fma_simpler,
    "is_finite": _is_finite,
    **{op: _compare(op) for op in ("lt", "le", "gt", "ge", "eq", "ne")},
}
