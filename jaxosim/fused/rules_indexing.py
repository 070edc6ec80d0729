"""Rules of gathers, scatters and slices, at indices that are known or depend on numbers.

An element at an index that is not known is chosen by comparisons; from a longer array that the
kernel is given, it is looked up in memory.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from jaxosim.fused.interpreter import Interpreter, Nodes, Unsupported, rule

_SHORTEST_TABLE = 3  # known numbers; among fewer, comparisons are faster
_LONGEST_CHOICE = 24  # elements; among more of an argument, memory is faster than comparisons


def _choose(run: Interpreter, cases: list[Nodes], which: Nodes, dtype: Any) -> Nodes:
    """Of arrays of equal shape the one with a number `which`, which is within their range."""
    if len(cases) > _SHORTEST_TABLE and all(map(run.is_constant, cases)):
        return _from_table(run, cases, which)
    if len(cases) > _LONGEST_CHOICE:
        found = _look_up(run, cases, which)
        if found is not None:
            return found
    result = cases[0]
    for number in range(1, len(cases)):
        here = run.map("ge", which, run.constants(np.array(number, run.dtype_of(which))))
        result = run.map("select", here, cases[number], result, dtype=dtype)
    return result


def _from_table(run: Interpreter, cases: list[Nodes], which: Nodes) -> Nodes:
    """The same from a table of known numbers."""
    graph, columns = run.graph, np.stack(cases).reshape(len(cases), -1).T
    places = np.broadcast_to(which, cases[0].shape).ravel().tolist()
    nodes = []
    for place, column in zip(places, columns.tolist(), strict=True):
        if len(set(column)) == 1:
            nodes.append(column[0])
            continue
        values = np.array([graph.value(n) for n in column])
        data = (values.tobytes(), len(values))
        nodes.append(graph.node("table", (place,), values.dtype.name, data))
    return np.array(nodes, int).reshape(cases[0].shape)


def _look_up(run: Interpreter, cases: list[Nodes], which: Nodes) -> Nodes | None:
    """The same from memory, where the cases lie evenly in arguments; else None."""
    graph = run.graph
    table = np.stack(cases)
    if any(graph.op[n] != "argument" for n in table.flat):
        return None
    number = np.array([graph.data[n][0] for n in table.flat]).reshape(table.shape)
    offset = np.array([graph.data[n][1] for n in table.flat]).reshape(table.shape)
    strides = np.diff(offset, axis=0)
    if np.ptp(number) or np.ptp(strides):
        return None
    stride = run.constants(np.array(strides.flat[0], run.dtype_of(which)))
    ahead = np.broadcast_to(run.map("mul", which, stride), table.shape[1:])
    nodes = []
    for at, first in zip(ahead.ravel().tolist(), table[0].ravel().tolist(), strict=True):
        region = max(graph.region[at], graph.region[first])
        nodes.append(graph.node("lookup", (at,), graph.dtype[first], graph.data[first], region))
    return np.array(nodes, int).reshape(table.shape[1:])


def _within(run: Interpreter, index: Nodes, least: int, most: int) -> Nodes:
    """An index, moved into a range."""
    low, high = (run.constants(np.array(v, run.dtype_of(index))) for v in (least, most))
    return run.map("min", run.map("max", index, low), high)


# ------------------------------------------------------------------------- dynamic slices


@rule("dynamic_slice")
def _dynamic_slice(run: Interpreter, equation: Any, x: Nodes, *starts: Nodes) -> list[Nodes]:
    sizes = equation.params["slice_sizes"]
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        x = _rows(run, x, axis, start, size, equation.outvars[0].aval.dtype)
    return [x]


def _rows(run: Interpreter, x: Nodes, axis: int, start: Nodes, size: int, dtype: Any) -> Nodes:
    """So many rows of x along an axis, from one on, which is moved into the range."""
    last = x.shape[axis] - size
    rows = np.moveaxis(x, axis, 0)
    if run.is_constant(start):
        first = min(max(int(run.values(start)), 0), last)
        chosen = rows[first : first + size]
    else:
        cases = [rows[i : i + size] for i in range(last + 1)]
        chosen = _choose(run, cases, _within(run, start, 0, last), dtype)
    return np.moveaxis(chosen, 0, axis)


@rule("dynamic_update_slice")
def _dynamic_update_slice(
    run: Interpreter, equation: Any, x: Nodes, update: Nodes, *starts: Nodes
) -> list[Nodes]:
    lasts = [n - k for n, k in zip(x.shape, update.shape, strict=True)]
    starts = tuple(_within(run, s, 0, last) for s, last in zip(starts, lasts, strict=True))
    known = [
        [int(run.values(s))] if run.is_constant(s) else range(last + 1)
        for s, last in zip(starts, lasts, strict=True)
    ]
    result = x.copy()
    for place in itertools.product(*known):
        where = tuple(slice(s, s + k) for s, k in zip(place, update.shape, strict=True))
        here = _all_equal(run, starts, place)
        result[where] = _where(run, here, update, result[where], equation.outvars[0].aval.dtype)
    return [result]


def _all_equal(run: Interpreter, indices: Sequence[Nodes], place: Sequence[int]) -> Nodes:
    """Whether indices are those of a place: one bool node."""
    here = run.constants(np.array(True))
    for index, at in zip(indices, place, strict=True):
        same = run.map("eq", index, run.constants(np.array(at, run.dtype_of(index))))
        here = run.map("and", here, same)
    return here


def _where(run: Interpreter, here: Nodes, new: Nodes, old: Nodes, dtype: Any) -> Nodes:
    return run.map("select", here, new, old, dtype=dtype)


# --------------------------------------------------------------------------------- gather


def _fills(mode: Any) -> bool:
    return GatherScatterMode.from_any(mode) == GatherScatterMode.FILL_OR_DROP


@rule("gather")
def _gather(run: Interpreter, equation: Any, x: Nodes, index: Nodes) -> list[Nodes]:
    params, aval = equation.params, equation.outvars[0].aval
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    window = [size for axis, size in enumerate(sizes) if axis not in gone]
    shape = index.shape[:-1]
    pairs = zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    kind = run.dtype_of(index) if index.size else "int32"
    starts = np.full((*shape, x.ndim), run.constants(np.zeros((), kind)))
    starts[..., list(numbers.start_index_map)] = index
    for axis, at in pairs:
        places = run.constants(np.arange(shape[at], dtype=kind))
        starts[..., axis] = np.expand_dims(places, tuple(range(1, len(shape) - at)))
    if run.is_constant(starts):
        pieces = _known_pieces(run, x, run.values(starts).astype(int), sizes, params, aval.dtype)
    else:
        found = [_piece(run, x, starts[at], sizes, params, aval.dtype) for at in np.ndindex(shape)]
        pieces = np.array(found, int)
    stack = [axis for axis in range(len(aval.shape)) if axis not in numbers.offset_dims]
    return [np.moveaxis(pieces.reshape((*shape, *window)), range(len(shape)), stack)]


def _known_pieces(
    run: Interpreter, x: Nodes, starts: np.ndarray, sizes: Sequence[int], params: Any, dtype: Any
) -> Nodes:
    """The slices of x that begin at known places `[..., axis]`: `[..., *sizes]`."""
    lasts = np.array(x.shape, int) - np.array(sizes, int)
    first = np.expand_dims(np.clip(starts, 0, lasts), tuple(range(-1 - x.ndim, -1)))
    places = [
        first[..., axis] + np.expand_dims(np.arange(size), tuple(range(1, x.ndim - axis)))
        for axis, size in enumerate(sizes)
    ]
    pieces = np.broadcast_to(x[tuple(places)], (*starts.shape[:-1], *sizes))
    if not _fills(params["mode"]):
        return pieces
    inside = np.all((starts >= 0) & (starts <= lasts), axis=-1)
    inside = np.expand_dims(inside, tuple(range(-x.ndim, 0)))
    return np.where(inside, pieces, _filler(run, params["fill_value"], dtype))


def _piece(
    run: Interpreter, x: Nodes, starts: Nodes, sizes: Sequence[int], params: Any, dtype: Any
) -> Nodes:
    """The slice of x that begins at given places."""
    inside = run.constants(np.array(True))
    piece = x
    for axis, size in enumerate(sizes):
        start = np.asarray(starts[axis])
        if _fills(params["mode"]):
            for op, bound in (("ge", 0), ("le", x.shape[axis] - size)):
                edge = run.constants(np.array(bound, run.dtype_of(start)))
                inside = run.map("and", inside, run.map(op, start, edge))
        piece = _rows(run, piece, axis, start, size, dtype)
    if not _fills(params["mode"]):
        return piece
    return _where(run, inside, piece, _filler(run, params["fill_value"], dtype), dtype)


def _filler(run: Interpreter, value: Any, dtype: Any) -> Nodes:
    """What stands for an element that lies outside: a node."""
    if value is None:
        kind = np.dtype(dtype).kind
        least = np.iinfo(dtype).min if kind == "i" else np.iinfo(dtype).max if kind == "u" else True
        value = np.nan if kind == "f" else least
    return run.constants(np.array(value, dtype))


# -------------------------------------------------------------------------------- scatter


def _scatter(combine: Callable[[Interpreter, Nodes, Nodes], Nodes]) -> Any:
    def apply(
        run: Interpreter, equation: Any, x: Nodes, index: Nodes, update: Nodes
    ) -> list[Nodes]:
        params, dtype = equation.params, equation.outvars[0].aval.dtype
        numbers = params["dimension_numbers"]
        stack = [axis for axis in range(update.ndim) if axis not in numbers.update_window_dims]
        gone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
        kept = [axis for axis in range(x.ndim) if axis not in gone]
        pairs = list(
            zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True)
        )
        result = x.copy()
        for place in np.ndindex(*(update.shape[axis] for axis in stack)):
            source: list[Any] = [slice(None)] * update.ndim
            for axis, at in zip(stack, place, strict=True):
                source[axis] = at
            piece = update[tuple(source)]
            sizes = np.ones(x.ndim, int)
            sizes[kept] = piece.shape
            starts = run.constants(np.zeros(x.ndim, run.dtype_of(index) if index.size else int))
            starts[list(numbers.scatter_dims_to_operand_dims)] = index[place]
            for axis, at in pairs:
                starts[axis] = int(run.constants(np.array(place[at], run.dtype_of(index))))
            _put(run, result, starts, piece.reshape(sizes), params["mode"], combine, dtype)
        return [result]

    return apply


def _put(
    run: Interpreter,
    result: Nodes,
    starts: Nodes,
    piece: Nodes,
    mode: Any,
    combine: Callable[[Interpreter, Nodes, Nodes], Nodes],
    dtype: Any,
) -> None:
    """Combine a piece with the part of the result that begins at given places, in place."""
    lasts = [n - k for n, k in zip(result.shape, piece.shape, strict=True)]
    places = []
    is_known = run.is_constant(starts)
    clips = GatherScatterMode.from_any(mode) == GatherScatterMode.CLIP
    for axis, last in enumerate(lasts):
        start = np.asarray(starts[axis])
        if clips:
            starts[axis] = start = _within(run, start, 0, last)
        known = [int(run.values(start))] if run.is_constant(start) else range(last + 1)
        places.append([at for at in known if 0 <= at <= last])
    for place in itertools.product(*places):
        where = tuple(slice(s, s + k) for s, k in zip(place, piece.shape, strict=True))
        combined = combine(run, result[where], piece)
        if not is_known:
            here = _all_equal(run, [np.asarray(s) for s in starts], place)
            combined = _where(run, here, combined, result[where], dtype)
        result[where] = combined


for _name, _op in {"add": "add", "mul": "mul", "min": "min", "max": "max", "sub": "sub"}.items():
    rule(f"scatter_{_name}", f"scatter-{_name}")(
        _scatter(lambda run, old, new, op=_op: run.map(op, old, new))
    )
rule("scatter")(_scatter(lambda run, old, new: new))


@rule("sort")
def _sort(run: Interpreter, equation: Any, *operands: Nodes) -> list[Nodes]:
    """An odd-even network of comparisons along an axis."""
    axis, keys = equation.params["dimension"], equation.params["num_keys"]
    if keys != 1:
        raise Unsupported("sort", "by several keys")
    columns = [list(np.moveaxis(x, axis, 0)) for x in operands]
    count = len(columns[0])
    for round_ in range(count):
        for i in range(round_ % 2, count - 1, 2):
            swapped = run.map("gt", columns[0][i], columns[0][i + 1])
            for column in columns:
                dtype = run.dtype_of(column[i])
                low = _where(run, swapped, column[i + 1], column[i], dtype)
                column[i + 1] = _where(run, swapped, column[i], column[i + 1], dtype)
                column[i] = low
    return [np.moveaxis(np.stack(column), 0, axis) for column in columns]
