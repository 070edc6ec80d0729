"""Rules of the primitives that only move elements: NumPy's functions of the same meaning."""

from typing import Any

import numpy as np

from jaxosim.fused.interpreter import Interpreter, Nodes, rule


@rule("broadcast_in_dim")
def _broadcast(run: Interpreter, equation: Any, x: Nodes, *_: Nodes) -> list[Nodes]:
    params = equation.params
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], x.shape, strict=True):
        shape[axis] = size
    return [np.broadcast_to(x.reshape(shape), params["shape"])]


@rule("reshape", "squeeze", "expand_dims")
def _reshape(run: Interpreter, equation: Any, x: Nodes, *_: Nodes) -> list[Nodes]:
    return [np.reshape(x, equation.outvars[0].aval.shape)]


@rule("transpose")
def _transpose(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    return [np.transpose(x, equation.params["permutation"])]


@rule("rev")
def _reverse(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    return [np.flip(x, equation.params["dimensions"])]


@rule("concatenate")
def _concatenate(run: Interpreter, equation: Any, *parts: Nodes) -> list[Nodes]:
    return [np.concatenate(parts, equation.params["dimension"])]


@rule("stack")
def _stack(run: Interpreter, equation: Any, *parts: Nodes) -> list[Nodes]:
    return [np.stack(parts, equation.params["axis"])]


@rule("unstack")
def _unstack(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    return list(np.moveaxis(x, equation.params["axis"], 0))


@rule("tile")
def _tile(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    return [np.tile(x, equation.params["reps"])]


@rule("split")
def _split(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return np.split(x, ends, equation.params["axis"])


@rule("iota")
def _iota(run: Interpreter, equation: Any) -> list[Nodes]:
    params = equation.params
    shape = [1] * len(params["shape"])
    shape[params["dimension"]] = -1
    row = np.arange(params["shape"][params["dimension"]]).astype(params["dtype"])
    return [run.constants(np.broadcast_to(row.reshape(shape), params["shape"]))]


@rule("slice")
def _slice(run: Interpreter, equation: Any, x: Nodes) -> list[Nodes]:
    params = equation.params
    strides = params["strides"] or (1,) * x.ndim
    ends = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return [x[tuple(slice(*end) for end in ends)]]


@rule("pad")
def _pad(run: Interpreter, equation: Any, x: Nodes, filler: Nodes) -> list[Nodes]:
    shape = equation.outvars[0].aval.shape
    result = np.full(shape, int(filler))
    targets, sources = [], []
    for axis, (low, _, inner) in enumerate(equation.params["padding_config"]):
        places = low + np.arange(x.shape[axis]) * (inner + 1)
        inside = (places >= 0) & (places < shape[axis])
        targets.append(places[inside])
        sources.append(np.flatnonzero(inside))
    result[np.ix_(*targets)] = x[np.ix_(*sources)]
    return [result]
