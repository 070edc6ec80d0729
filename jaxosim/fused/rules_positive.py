"""Rules of symmetric positive definite systems: factors, where XLA takes an inverse.

XLA wants few operations on large arrays, a kernel few operations. Unknowns are eliminated from the
last to the first, outboard before inboard, so that what is zero in a tree's mass matrix is zero in
its factor (Featherstone 2008, section 6.5), and costs nothing.
"""

from typing import Any

import numpy as np

from jaxosim.fused.interpreter import Interpreter, Nodes, rule


@rule("inverse_positive")
def _factors(run: Interpreter, equation: Any, matrix: Nodes) -> list[Nodes]:
    """Of a matrix M = Lᵀ D L with ones on L's diagonal: L below it, and 1/D on it.

    A pivot is at least `slack` units of rounding of its diagonal entry.
    """
    graph, dtype = run.graph, run.dtype_of(matrix)
    rest, count = matrix.copy(), len(matrix)
    slack = graph.const(equation.params["slack"] * np.finfo(dtype).eps, dtype)
    one, zero = graph.const(1, dtype), graph.const(0, dtype)
    result = np.full(matrix.shape, zero)

    def make(op: str, *nodes: int) -> int:
        return graph.make(op, *(int(n) for n in nodes))

    for k in range(count - 1, -1, -1):
        pivot = make("max", make("mul", slack, matrix[k, k]), rest[k, k])
        result[k, k] = inverse = make("div", one, pivot)
        for i in range(k):
            result[k, i] = make("mul", rest[k, i], inverse)
        for i in range(k):
            for j in range(i + 1):
                rest[i, j] = make("sub", rest[i, j], make("mul", result[k, i], rest[k, j]))
    return [result]


@rule("solve_by_inverse")
def _solved(run: Interpreter, equation: Any, factors: Nodes, rhs: Nodes) -> list[Nodes]:
    """The solutions of M x = rhs for all right-hand sides `[..., n]`."""
    rows = [_solution(run, factors, row) for row in rhs.reshape(-1, len(factors))]
    return [np.array(rows, int).reshape(rhs.shape)]


def _solution(run: Interpreter, factors: Nodes, rhs: Nodes) -> list[int]:
    """The solution of M x = rhs for one right-hand side."""
    x, count = rhs.tolist(), len(rhs)
    make = run.graph.make
    for k in range(count - 1, -1, -1):
        for i in range(k):
            x[i] = make("sub", x[i], make("mul", int(factors[k, i]), x[k]))
    x = [make("mul", value, int(factors[k, k])) for k, value in enumerate(x)]
    for k in range(count):
        for i in range(k):
            x[k] = make("sub", x[k], make("mul", int(factors[k, i]), x[i]))
    return x
