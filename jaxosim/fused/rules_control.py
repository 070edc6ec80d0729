"""Rules of loops, branches and calls."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxosim.fused.graph import Loop
from jaxosim.fused.interpreter import Interpreter, Nodes, rule


def _named(run: Interpreter, op: str, loop: Loop, arrays: Sequence[Nodes]) -> list[Nodes]:
    """Nodes by which the body of a loop names what it is given, like given arrays."""
    graph, numbers = run.graph, itertools.count()
    made = []
    for array in arrays:
        nodes = [
            graph.node(op, (), graph.dtype[n], (loop.region, next(numbers)), loop.region)
            for n in array.ravel().tolist()
        ]
        made.append(np.array(nodes, int).reshape(array.shape))
    return made


def _numbers(arrays: Sequence[Nodes]) -> list[int]:
    return [n for array in arrays for n in array.ravel().tolist()]


def _loop_results(run: Interpreter, loop: Loop, arrays: Sequence[Nodes]) -> list[Nodes]:
    """The carried arrays after a loop."""
    graph, numbers = run.graph, itertools.count()
    node = graph.node("loop", (), "none", loop.region, loop.parent)
    results = []
    for array in arrays:
        nodes = [
            graph.node("loop_result", (node,), graph.dtype[n], next(numbers))
            for n in array.ravel().tolist()
        ]
        results.append(np.array(nodes, int).reshape(array.shape))
    return results


def _in_body(run: Interpreter, loop: Loop, jaxpr: Any, inputs: Sequence[Nodes]) -> list[Nodes]:
    """Results of a jaxpr in the region of a loop's body."""
    outside, run.region = run.region, loop.region
    results = run.closed(jaxpr, inputs)
    run.region = outside
    return results


@rule("scan")
def _scan(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
    params = equation.params
    length, (first, carried) = params["length"], _scan_counts(equation)
    consts, start = list(inputs[:first]), list(inputs[first : first + carried])
    slices = inputs[first + carried :]
    if length <= 1:
        return _unrolled_scan(run, equation, consts, start, slices)
    loop = run.graph.begin_loop(run.region, length, params["reverse"])
    carry = _named(run, "carry", loop, start)
    own = _named(run, "slice", loop, [x[0] for x in slices])
    loop.start, loop.carry, loop.slice_nodes = _numbers(start), _numbers(carry), _numbers(own)
    loop.slices = [_numbers([x[i] for x in slices]) for i in range(length)]
    results = _in_body(run, loop, params["jaxpr"], [*consts, *carry, *own])
    loop.result, loop.stacked = _numbers(results[:carried]), _numbers(results[carried:])
    after = _loop_results(run, loop, results[:carried])
    return [*after, *_stacked(run, loop, results[carried:])]


def _scan_counts(equation: Any) -> tuple[int, int]:
    """Numbers of constants and of carried arrays of a scan.

    What is sliced and what is stacked has one axis more outside of the body than within. The
    parameters that say it have other names and other types from one version of JAX to the next.
    """
    body = equation.params["jaxpr"]
    given = zip(equation.invars, body.in_avals, strict=True)
    found = zip(equation.outvars, body.out_avals, strict=True)
    whole = sum(outer.aval.ndim == inner.ndim for outer, inner in given)
    carried = sum(outer.aval.ndim == inner.ndim for outer, inner in found)
    return whole - carried, carried


def _stacked(run: Interpreter, loop: Loop, arrays: Sequence[Nodes]) -> list[Nodes]:
    """What was kept of every iteration."""
    graph, first, kept = run.graph, 0, []
    node = graph.node("loop", (), "none", loop.region, loop.parent)
    assert loop.length is not None
    for array in arrays:
        nodes = [
            [
                graph.node("loop_stacked", (node,), graph.dtype[n], (i, first + k))
                for k, n in enumerate(array.ravel().tolist())
            ]
            for i in range(loop.length)
        ]
        first += array.size
        kept.append(np.array(nodes, int).reshape((loop.length, *array.shape)))
    return kept


def _unrolled_scan(
    run: Interpreter,
    equation: Any,
    consts: list[Nodes],
    carry: list[Nodes],
    slices: Sequence[Nodes],
) -> list[Nodes]:
    """A scan of no or one iteration."""
    params = equation.params
    _, carried = _scan_counts(equation)
    if not params["length"]:
        empty = [np.zeros(v.aval.shape, int) for v in equation.outvars[carried:]]
        return [*carry, *empty]
    results = run.closed(params["jaxpr"], [*consts, *carry, *(x[0] for x in slices)])
    return [*results[:carried], *(x[None] for x in results[carried:])]


@rule("while")
def _while(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
    params = equation.params
    first = params["cond_nconsts"]
    second = first + params["body_nconsts"]
    start = list(inputs[second:])
    loop = run.graph.begin_loop(run.region, None)
    carry = _named(run, "carry", loop, start)
    loop.start, loop.carry = _numbers(start), _numbers(carry)
    (condition,) = _in_body(run, loop, params["cond_jaxpr"], [*inputs[:first], *carry])
    if not condition.size:  # of a vmap over nothing
        return start
    loop.condition = functools.reduce(
        lambda a, b: run.graph.make("or", a, b), condition.ravel().tolist()
    )
    results = _in_body(run, loop, params["body_jaxpr"], [*inputs[first:second], *carry])
    if condition.ndim:  # under vmap: each element goes on by its own condition
        results = [
            run.map(
                "select",
                condition.reshape(condition.shape + (1,) * (new.ndim - condition.ndim)),
                new,
                old,
                dtype=run.dtype_of(old),
            )
            for new, old in zip(results, carry, strict=True)
        ]
    loop.result = _numbers(results)
    return _loop_results(run, loop, results)


@rule("cond")
def _cond(run: Interpreter, equation: Any, index: Nodes, *inputs: Nodes) -> list[Nodes]:
    branches = equation.params["branches"]
    if run.is_constant(index):
        chosen = int(np.clip(run.values(index), 0, len(branches) - 1))
        return run.closed(branches[chosen], inputs)
    results = [run.closed(branch, inputs) for branch in branches]
    chosen_results = []
    for variable, cases in zip(equation.outvars, zip(*results, strict=True), strict=True):
        value = cases[-1]
        for number in range(len(cases) - 2, -1, -1):
            here = run.map("le", index, run.constants(np.array(number, run.dtype_of(index))))
            value = run.map("select", here, cases[number], value, dtype=variable.aval.dtype)
        chosen_results.append(value)
    return chosen_results


@rule("custom_jvp_call")
def _custom_jvp(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
    return run.closed(equation.params["call_jaxpr"], inputs)


@rule("custom_vjp_call", "custom_vjp_call_jaxpr")
def _custom_vjp(run: Interpreter, equation: Any, *inputs: Nodes) -> list[Nodes]:
    params = equation.params
    return run.closed(params.get("call_jaxpr") or params["fun_jaxpr"], inputs)
