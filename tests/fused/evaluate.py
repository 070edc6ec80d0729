"""A graph's value by NumPy: what the compiled kernels are compared with."""

import numpy as np


def evaluate(graph, outputs, inputs):
    """The values of nodes, for all elements of the inputs at once.

    Args:
      graph: without loops.
      outputs: numbers of nodes.
      inputs: a 1-D array for each argument of the graph; its elements are so many worlds.
    """
    values = {}
    size = inputs[0].size
    with np.errstate(all="ignore"):
        for node in _needed(graph, outputs):
            op, args = graph.op[node], [values[a] for a in graph.args[node]]
            dtype = graph.dtype[node]
            if op == "const":
                values[node] = np.full(size, graph.value(node))
            elif op == "argument":
                values[node] = inputs[graph.data[node][0]]
            elif op == "convert":
                values[node] = args[0].astype(dtype)
            elif op == "bitcast":
                values[node] = args[0].view(dtype)
            else:
                values[node] = _OPERATIONS[op](*args)
            assert values[node].dtype == dtype, (op, dtype, values[node].dtype)
    return [values[node] for node in outputs]


def _needed(graph, outputs):
    needed, stack = set(), list(outputs)
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack.extend(graph.args[node])
    return sorted(needed)


def operation_count(graph, outputs):
    """Number of nodes that compute: neither constants and arguments nor changes of dtype alone."""
    free = ("const", "argument", "bitcast")
    return sum(graph.op[node] not in free for node in _needed(graph, outputs))


def _two_sum(a, b):
    """Sum and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _to_odd(value, error):
    """A rounded sum, rounded to odd instead; a second rounding then errs no more than one would."""
    integer = value.view(np.int64)
    even = (integer & 1) == 0
    away = (error > 0) == (value > 0)
    return np.where((error != 0) & even, integer + np.where(away, 1, -1), integer).view(np.float64)


def _halves(a):
    """A number of at most 53 bits as the sum of two of at most 26 (Dekker)."""
    big = a * 134217729.0
    high = big - (big - a)
    return high, a - high


def _fma_64(a, b, c):
    """Fused multiply-add of doubles (Boldo and Melquiond 2008), of scaled numbers."""
    plain = a * b + c
    a, power_a = np.frexp(a)
    b, power_b = np.frexp(b)
    power = power_a + power_b
    c_scaled = np.ldexp(c, -power)
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    product_low = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    total, total_low = _two_sum(product, c_scaled)
    result = np.ldexp(total + _to_odd(*_two_sum(product_low, total_low)), power)
    simple = ~np.isfinite(plain) | ~np.isfinite(c_scaled) | (product == 0)
    return np.where(simple & ~(np.isinf(plain) & np.isfinite(result)), plain, result)


def _fma(a, b, c):
    if a.dtype == np.float64:
        return _fma_64(a, b, c)
    product = a.astype(np.float64) * b.astype(np.float64)  # exact
    total, error = _two_sum(product, c.astype(np.float64))
    special = ~np.isfinite(total)
    return np.where(special, total, _to_odd(total, np.where(special, 0, error))).astype(np.float32)


def _shift_right_logical(a, b):
    unsigned = np.dtype(f"uint{8 * a.itemsize}")
    return (a.view(unsigned) >> b.view(unsigned)).view(a.dtype)


_OPERATIONS = {
    **{op: np.add for op in ("add", "xadd")},
    **{op: np.subtract for op in ("sub", "xsub")},
    **{op: np.multiply for op in ("mul", "xmul")},
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "max": lambda a, b: np.where(a > b, a, b),
    "min": lambda a, b: np.where(a < b, a, b),
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "shl": np.left_shift,
    "shr": _shift_right_logical,
    "ashr": np.right_shift,
    "select": np.where,
    "fma": _fma,
}
