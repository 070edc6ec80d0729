"""A program of one world as a graph of scalars, simplified and shared while it is made.

Every element of every array is a node of its own, so that indexing, transposing and concatenating
cost nothing. Equal nodes are one node; constants are folded; structural zeros and ones vanish.

Each node belongs to a region, the innermost one of its arguments: `SHARED` what follows from
numbers that all worlds share, `WORLD` the world, later ones the bodies of loops. What does not
change in a loop therefore stands outside it.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxosim.fused import algebra

SHARED, WORLD = 0, 1
COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
COMMUTATIVE = frozenset(("add", "mul", "and", "or", "xor", "eq", "ne"))


@dataclasses.dataclass
class Loop:
    """A loop over carried numbers; its body is a region of the graph.

    Attributes:
      region: of the body.
      parent: region in which the loop stands.
      length: number of iterations; None for a loop that runs while `condition` holds.
      reverse: whether the iterations run from the last slice of `slices` to the first.
      start: nodes of the carried numbers before the first iteration.
      carry: nodes by which the body names them.
      result: nodes of the body that take their place.
      slices: for each iteration the nodes that it is given, `[iteration][number]`.
      slice_nodes: nodes by which the body names those of its own iteration.
      stacked: nodes of the body that are kept of every iteration.
      condition: node of the body, of loops without a length.
    """

    region: int
    parent: int
    length: int | None
    reverse: bool = False
    start: list[int] = dataclasses.field(default_factory=list)
    carry: list[int] = dataclasses.field(default_factory=list)
    result: list[int] = dataclasses.field(default_factory=list)
    slices: list[list[int]] = dataclasses.field(default_factory=list)
    slice_nodes: list[int] = dataclasses.field(default_factory=list)
    stacked: list[int] = dataclasses.field(default_factory=list)
    condition: int | None = None


@functools.cache
def name_of(dtype: Any) -> str:
    """The name of a dtype, which NumPy puts together anew each time."""
    return np.dtype(dtype).name


class Graph:
    """Nodes by number: operation, arguments, dtype, data and region of each.

    Operations are those of LLVM under short names (`add`, `mul`, `select`, `fma`, ...). `xadd`,
    `xsub` and `xmul` are `add`, `sub` and `mul` that are never contracted to a multiply-add; `max`
    and `min` give the second argument where one is NaN; `convert_saturating` is a `convert` to
    integers that knows no overflow, NaN being zero.
    Others: `const` (data: the bytes), `argument` (data: number of the argument, element),
    `carry` and `slice` (data: region, place), `loop` (data: region), `loop_result` (data: place),
    `loop_stacked` (data: iteration, place), `lookup` (data: number of an argument and its offset;
    argument: an index from there on), `table` (data: the bytes and number of its entries;
    argument: the place of one).
    """

    def __init__(self) -> None:
        """Begin without nodes."""
        self.op: list[str] = []
        self.args: list[tuple[int, ...]] = []
        self.dtype: list[str] = []
        self.data: list[Any] = []
        self.region: list[int] = []
        self.parents = [-1, SHARED]
        self.loops: dict[int, Loop] = {}
        self._known: dict[tuple, int] = {}
        self._values: dict[int, Any] = {}

    # -------------------------------------------------------------------------- nodes

    def node(
        self,
        op: str,
        args: tuple[int, ...] = (),
        dtype: str = "float32",
        data: Any = None,
        region: int | None = None,
    ) -> int:
        """The node with this operation and these arguments, made if there is none yet."""
        key = (op, args, dtype, data)
        found = self._known.get(key)
        if found is not None:
            return found
        if region is None:
            region = SHARED
            for a in args:
                if self.region[a] > region:
                    region = self.region[a]
        number = len(self.op)
        self.op.append(op)
        self.args.append(args)
        self.dtype.append(dtype)
        self.data.append(data)
        self.region.append(region)
        self._known[key] = number
        return number

    def const(self, value: Any, dtype: str) -> int:
        """A constant."""
        scalar = np.dtype(dtype).type(value)
        number = self.node("const", (), dtype, scalar.tobytes())
        self._values[number] = scalar
        return number

    def constants(self, array: Any) -> np.ndarray:
        """Nodes of the elements of an array of numbers, in its shape."""
        array = np.asarray(array)
        dtype, size, flat = name_of(array.dtype), array.itemsize, array.ravel()
        data, known, nodes = flat.tobytes(), self._known, []
        for i in range(flat.size):
            found = known.get(("const", (), dtype, data[i * size : i * size + size]))
            nodes.append(self.const(flat[i], dtype) if found is None else found)
        return np.array(nodes, int).reshape(array.shape)

    def value(self, number: int) -> Any:
        """The number that a constant stands for, a NumPy scalar; None for other nodes."""
        return self._values.get(number)

    def is_value(self, number: int, value: float) -> bool:
        """Whether a node is the constant of that value."""
        found = self._values.get(number)
        return found is not None and found == value

    def make(self, op: str, *args: int, dtype: str | None = None) -> int:
        """The node of an operation, or a simpler one with the same value.

        Args:
          op: the operation.
          args: nodes.
          dtype: of the result; if None bool for comparisons, else that of the last argument.
        """
        if dtype is None:
            dtype = "bool" if op in COMPARISONS or op == "is_finite" else self.dtype[args[-1]]
        if op in COMMUTATIVE and args[0] > args[1]:
            args = (args[1], args[0])
        values = self._values
        for a in args:
            if a not in values:
                break
        else:
            return self.const(algebra.fold(op, [values[a] for a in args], dtype), dtype)
        simplify = algebra.SIMPLER.get(op)
        if simplify is not None:
            simple = simplify(self, args, dtype)
            if simple is not None:
                return simple
        return self.node(op, args, dtype)

    # -------------------------------------------------------------------------- loops

    def begin_loop(self, parent: int, length: int | None, reverse: bool = False) -> Loop:
        """A new loop whose body is a new region."""
        region = len(self.parents)
        self.parents.append(parent)
        loop = self.loops[region] = Loop(region, parent, length, reverse)
        return loop

    def loop_of(self, node: int) -> Loop:
        """The loop of which a node is a result or a stacked number."""
        return self.loops[self.data[self.args[node][0]]]

    def contains(self, outer: int, inner: int) -> bool:
        """Whether a region is another one or lies within it."""
        while inner > outer:
            inner = self.parents[inner]
        return inner == outer


def flat(arrays: Sequence[np.ndarray]) -> list[int]:
    """The node numbers of arrays, one after the other."""
    return [int(n) for array in arrays for n in np.ravel(array)]
