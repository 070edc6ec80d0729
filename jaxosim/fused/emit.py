"""LLVM IR of values: what they are called, and how they are loaded and stored.

A value is a vector over worlds, of `width` lanes. Every function is given three pointers: `%s` the
scratch memory of a group of worlds, `%t` the table of what all worlds share, `%in` the addresses of
the arguments. The scratch memory begins with the numbers of the lanes' rows, then come arguments,
slots, the loops' areas and results; each place holds one vector.

With one lane (for what all worlds share, and for GPUs) arguments are read where they are.
"""

import dataclasses
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from jaxosim.fused.graph import Graph
from jaxosim.fused.schedule import Schedule

TABLE_CELL = 8  # bytes of a number in the table
FIRST_ARGUMENT = 2  # place; before it the lanes' rows, which may be twice as wide as others

_KINDS = {
    "bool": "i1",
    "float32": "float",
    "float64": "double",
    **{f"{sign}int{bits}": f"i{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def kind_of(dtype: str) -> str:
    """LLVM's type of a number."""
    return _KINDS[dtype]


def size_of(dtype: str) -> int:
    """Bytes of a number in arrays."""
    return np.dtype(dtype).itemsize


def cell_of(graph: Graph, nodes: Sequence[int]) -> int:
    """Bytes that a lane needs for any of the nodes: 8 if one is of double size, else 4."""
    return 8 if any(graph.dtype[n].endswith("64") for n in nodes) else 4


@dataclasses.dataclass(frozen=True)
class Argument:
    """An array that a kernel is given, or one of its results.

    Attributes:
      size: number of elements, of one world.
      dtype: of them.
      position: among the arrays that the kernel takes or gives back.
      mapped: whether each world has its own, in rows; else all share it.
    """

    size: int
    dtype: str
    position: int
    mapped: bool = True


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where things lie in the scratch memory, in vectors.

    Attributes:
      argument: place of each argument node.
      slots: of the first slot.
      area: of the first of the loops' areas.
      results: of the first result.
      end: behind the last result.
    """

    argument: dict[int, int]
    slots: int
    area: int
    results: int
    end: int

    @classmethod
    def of(cls, schedule: Schedule, argument: dict[int, int], arguments: int) -> "Layout":
        """The layout of a schedule whose arguments take so many places, behind the rows."""
        slots = FIRST_ARGUMENT + arguments
        area = slots + schedule.slot_count
        results = area + schedule.area
        return cls(argument, slots, area, results, results + len(schedule.results))


class Emitter:
    """Writes lines about the values of one schedule.

    Attributes:
      lines: of IR.
      declared: intrinsics that the lines call, with their declarations.
      globals: constants that the lines read.
      permutes: whether AVX-512's permutations of 16 numbers may be used.
    """

    permutes = False

    def __init__(
        self,
        schedule: Schedule,
        layout: Layout,
        arguments: Mapping[int, Argument],
        *,
        width: int,
        cell: int,
        prefix: str,
    ) -> None:
        """Prepare to write.

        Args:
          schedule: what to work out.
          layout: of the scratch memory.
          arguments: those that the kernel takes, by their numbers in the graph.
          width: lanes of a vector.
          cell: bytes of a lane in the scratch memory.
          prefix: of the functions' names.
        """
        self.schedule, self.graph, self.layout = schedule, schedule.graph, layout
        self.arguments, self.width, self.cell, self.prefix = arguments, width, cell, prefix
        self.lines: list[str] = []
        self.declared: dict[str, str] = {}
        self.globals: list[str] = []
        self.table = {node: place for place, node in enumerate(schedule.outer)}
        self._count = 0

    # ------------------------------------------------------------------------- pieces

    def vector(self, kind: str) -> str:
        """The type of a vector over worlds."""
        return f"<{self.width} x {kind}>" if self.width > 1 else kind

    def type_of(self, dtype: str) -> str:
        """The type of a vector of numbers."""
        return self.vector(kind_of(dtype))

    def add(self, line: str) -> None:
        """One more line."""
        self.lines.append(line)

    def new(self, expression: str) -> str:
        """A new name for an expression."""
        self._count += 1
        name = f"%u{self._count}"
        self.lines.append(f"{name} = {expression}")
        return name

    def splat(self, scalar: str) -> str:
        """A constant vector, all lanes alike."""
        return f"splat ({scalar})" if self.width > 1 else scalar.split(" ", 1)[1]

    def constant(self, node: int) -> str:
        """A constant node."""
        value, dtype = self.graph.value(node), self.graph.dtype[node]
        return self.splat(f"{kind_of(dtype)} {literal(value, dtype)}")

    def name(self, node: int) -> str:
        """The name of a node's value in the function that is written."""
        node = self.schedule.home(node)
        return self.constant(node) if self.graph.op[node] == "const" else f"%t{node}"

    def place(self, index: int | str) -> str:
        """Pointer to a place of the scratch memory."""
        return self.new(f"getelementptr [{self.width * self.cell} x i8], ptr %s, i64 {index}")

    def call(self, name: str, result: str, *arguments: tuple[str, str]) -> str:
        """The call of an intrinsic, declared on the way."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declared[name] = f"declare {result} @{name}({types})"
        given = ", ".join(f"{kind} {value}" for kind, value in arguments)
        return f"call {result} @{name}({given})"

    def suffix(self, kind: str) -> str:
        """The ending of an intrinsic's name for vectors of a kind."""
        short = {"float": "f32", "double": "f64"}.get(kind, kind)
        return f"v{self.width}{short}" if self.width > 1 else short

    # ------------------------------------------------------------------ loads and stores

    def load_place(self, pointer: str, dtype: str, into: str | None = None) -> str:
        """A value from the scratch memory."""
        align = self.width * self.cell
        if dtype != "bool":
            return self._named(f"load {self.type_of(dtype)}, ptr {pointer}, align {align}", into)
        if self.width == 1:
            byte = self.new(f"load i8, ptr {pointer}, align {align}")
            return self._named(f"trunc i8 {byte} to i1", into)
        bits = self.new(f"load i{self.width}, ptr {pointer}, align {align}")
        return self._named(f"bitcast i{self.width} {bits} to <{self.width} x i1>", into)

    def store_place(self, pointer: str, value: str, dtype: str) -> None:
        """A value into the scratch memory."""
        kind = self.type_of(dtype)
        if dtype == "bool":
            bits = f"i{self.width}" if self.width > 1 else "i8"
            how = "bitcast" if self.width > 1 else "zext"
            value, kind = self.new(f"{how} {kind} {value} to {bits}"), bits
        self.add(f"store {kind} {value}, ptr {pointer}, align {self.width * self.cell}")

    def load(self, node: int, into: str | None = None) -> str:
        """A node's value from wherever it is kept."""
        graph, schedule = self.graph, self.schedule
        node = schedule.home(node)
        op, dtype = graph.op[node], graph.dtype[node]
        if op == "const":
            return self.constant(node)
        if schedule.is_outer(node):
            return self._load_shared(node, into)
        if op == "argument" and self.width == 1:
            return self._load_element(node, into)
        return self.load_place(self.place(self.index_of(node)), dtype, into)

    def index_of(self, node: int) -> int:
        """Number of the place in which a node of the world is kept, the node being at home."""
        graph, schedule = self.graph, self.schedule
        if graph.op[node] == "argument":
            return self.layout.argument[node]
        if graph.op[node] == "loop_stacked":
            repeat = schedule.repeats[graph.data[graph.args[node][0]]]
            iteration, place = graph.data[node]
            at = iteration * len(repeat.stacked) + repeat.stacked.index(place)
            return self.layout.area + repeat.stacked_base + at
        return self.layout.slots + schedule.slot[node]

    def slot(self, node: int) -> str:
        """Pointer to the slot of a node."""
        return self.place(self.layout.slots + self.schedule.slot[node])

    def _named(self, expression: str, into: str | None) -> str:
        if into is None:
            return self.new(expression)
        self.add(f"{into} = {expression}")
        return into

    def _load_shared(self, node: int, into: str | None) -> str:
        """From the table, in all lanes."""
        dtype = self.graph.dtype[node]
        pointer = self.new(f"getelementptr i8, ptr %t, i64 {TABLE_CELL * self.table[node]}")
        kind = "i8" if dtype == "bool" else kind_of(dtype)
        scalar = f"load {kind}, ptr {pointer}, align {TABLE_CELL}"
        if dtype == "bool":
            scalar, kind = f"trunc i8 {self.new(scalar)} to i1", "i1"
        if self.width == 1:
            return self._named(scalar, into)
        vector = self.vector(kind)
        lane = self.new(f"insertelement {vector} poison, {kind} {self.new(scalar)}, i64 0")
        lanes = f"<{self.width} x i32> zeroinitializer"
        return self._named(f"shufflevector {vector} {lane}, {vector} poison, {lanes}", into)

    def _load_element(self, node: int, into: str | None) -> str:
        """An argument's element from its array, of the row of the only lane."""
        number, offset = self.graph.data[node]
        index = str(offset)
        if self.arguments[number].mapped:
            index = self.new(f"add i64 {self._row(number)}, {offset}")
        return self._load_from_array(number, index, self.graph.dtype[node], into)

    def _row(self, number: int) -> str:
        """Index of the first element of the lanes' rows of an argument."""
        pointer = self.place(0)
        rows = self.new(f"load {self.vector('i64')}, ptr {pointer}, align 8")
        size = self.splat(f"i64 {self.arguments[number].size}")
        return self.new(f"mul {self.vector('i64')} {rows}, {size}")

    def _load_from_array(self, number: int, index: str, dtype: str, into: str | None) -> str:
        """An element of an argument, or one for each lane."""
        position = self.arguments[number].position
        address = self.new(f"getelementptr ptr, ptr %in, i64 {position}")
        base = self.new(f"load ptr, ptr {address}, align 8")
        kind = "i8" if dtype == "bool" else kind_of(dtype)
        pointers = self.new(f"getelementptr {kind}, ptr {base}, {self.vector('i64')} {index}")
        if self.width == 1:
            value = f"load {kind}, ptr {pointers}, align {size_of(dtype)}"
        else:
            value = self.gather(pointers, kind, size_of(dtype))
        if dtype != "bool":
            return self._named(value, into)
        byte = self.new(value)
        return self._named(f"icmp ne {self.vector('i8')} {byte}, {self.splat('i8 0')}", into)

    def gather(self, pointers: str, kind: str, align: int) -> str:
        """The expression of numbers at a vector of pointers."""
        vector, mask = self.vector(kind), self.vector("i1")
        name = f"llvm.masked.gather.{self.suffix(kind)}.v{self.width}p0"
        self.declared[name] = (
            f"declare {vector} @{name}({self.vector('ptr')}, i32 immarg, {mask}, {vector})"
        )
        return (
            f"call {vector} @{name}({self.vector('ptr')} {pointers}, i32 {align}, "
            f"{mask} splat (i1 true), {vector} poison)"
        )


def literal(value: np.generic, dtype: str) -> str:
    """A number as LLVM writes it."""
    if dtype[0] == "f":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    return str(int(value))
