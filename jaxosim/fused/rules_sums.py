"""Rules of reductions, running sums and products of matrices."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxosim.fused.interpreter import RULES, Interpreter, Nodes, rule
from jaxosim.fused.rules_elementwise import extremum

_Combine = Callable[[Interpreter, Nodes, Nodes], Nodes]


def _by(op: str) -> _Combine:
    return lambda run, x, y: run.map(op, x, y)


_LARGEST: _Combine = lambda run, x, y: extremum(run, "max", x, y)  # noqa: E731
_SMALLEST: _Combine = lambda run, x, y: extremum(run, "min", x, y)  # noqa: E731
_COMBINE: dict[str, tuple[_Combine, Callable[[np.dtype], Any]]] = {
    "sum": (_by("add"), lambda dtype: 0),
    "prod": (_by("mul"), lambda dtype: 1),
    "max": (_LARGEST, lambda dtype: -np.inf if dtype.kind == "f" else np.iinfo(dtype).min),
    "min": (_SMALLEST, lambda dtype: np.inf if dtype.kind == "f" else np.iinfo(dtype).max),
    "or": (_by("or"), lambda dtype: False),
    "and": (_by("and"), lambda dtype: True),
    "xor": (_by("xor"), lambda dtype: False),
}


def _reduction(name: str) -> Any:
    combine, empty = _COMBINE[name]

    def apply(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
        axes, aval = equation.params["axes"], equation.outvars[0].aval
        rest = [axis for axis in range(x.ndim) if axis not in axes]
        kept = [x.shape[axis] for axis in rest]
        rows = np.transpose(x, (*axes, *rest)).reshape(-1, *kept) if x.size else x[:0]
        if not len(rows):
            dtype = np.dtype(aval.dtype)
            return [run.constants(np.full(aval.shape, empty(dtype), dtype))]
        return [functools.reduce(functools.partial(combine, run), list(rows))]

    return apply


def _running(name: str) -> Any:
    combine, _ = _COMBINE[name]

    def apply(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
        axis = equation.params["axis"]
        rows = list(np.moveaxis(x, axis, 0))
        if equation.params["reverse"]:
            rows.reverse()
        rows = list(itertools.accumulate(rows, functools.partial(combine, run)))
        if equation.params["reverse"]:
            rows.reverse()
        return [np.moveaxis(np.stack(rows), 0, axis) if rows else x]

    return apply


RULES.update({f"reduce_{name}": _reduction(name) for name in _COMBINE})
RULES.update({f"cum{name}": _running(name) for name in ("sum", "prod", "max", "min")})


def _place_ofextremum(op: str) -> Any:
    def apply(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
        (axis,), aval = equation.params["axes"], equation.outvars[0].aval
        best, *rows = np.moveaxis(x, axis, 0)
        place = run.constants(np.zeros(best.shape, aval.dtype))
        for number, row in enumerate(rows, 1):
            # The first NaN wins, as with XLA.
            better = run.map("or", run.map(op, row, best), run.map("ne", row, row))
            better = run.map("and", better, run.map("eq", best, best))
            best = run.map("select", better, row, best, dtype=run.dtype_of(row))
            here = run.constants(np.full(place.shape, number, aval.dtype))
            place = run.map("select", better, here, place, dtype=aval.dtype)
        return [place]

    return apply


RULES.update({"argmax": _place_ofextremum("gt"), "argmin": _place_ofextremum("lt")})


@rule("dot_general")
def _dot_general(run: Interpreter, equation: Any, a: Nodes, b: Nodes) -> list[Nodes]:
    (sum_a, sum_b), (stack_a, stack_b) = equation.params["dimension_numbers"]
    aval = equation.outvars[0].aval
    free_a = [axis for axis in range(a.ndim) if axis not in (*sum_a, *stack_a)]
    free_b = [axis for axis in range(b.ndim) if axis not in (*sum_b, *stack_b)]
    terms = [a.shape[axis] for axis in sum_a]
    count = int(np.prod(terms))
    if not count or not aval.size:
        return [run.constants(np.zeros(aval.shape, aval.dtype))]
    stack = [a.shape[axis] for axis in stack_a]
    left = np.transpose(a, (*sum_a, *stack_a, *free_a)).reshape(
        count, *stack, *(a.shape[axis] for axis in free_a), *([1] * len(free_b))
    )
    right = np.transpose(b, (*sum_b, *stack_b, *free_b)).reshape(
        count, *stack, *([1] * len(free_a)), *(b.shape[axis] for axis in free_b)
    )
    products = [run.map("mul", x, y) for x, y in zip(left, right, strict=True)]
    return [functools.reduce(lambda x, y: run.map("add", x, y), products)]
