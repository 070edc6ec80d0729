"""LLVM IR of the functions that a thread of a GPU calls: those of `functions`, with one lane.

`%in` is a record of the thread: addresses of arguments, then of results, number of worlds, and the
thread's own world. In arrays that worlds have of their own the world is the fastest axis, so that
the threads of a warp read and write side by side.
"""

import dataclasses

from jaxosim.fused.emit import TABLE_CELL, Argument, Layout, kind_of, size_of
from jaxosim.fused.functions import FunctionEmitter
from jaxosim.fused.graph import SHARED
from jaxosim.fused.kernel import Scalars
from jaxosim.fused.schedule import Schedule

BLOCK = 128  # threads
_LOCAL, _GLOBAL = 5, 1  # address spaces


@dataclasses.dataclass(frozen=True)
class Memory:
    """The scratch memory of a thread.

    Attributes:
      places: numbers that it holds.
      cell: bytes of a number.
      is_local: whether it is the thread's local memory; else it lies in a buffer.
    """

    places: int
    cell: int
    is_local: bool

    @property
    def space(self) -> int:
        """Address space."""
        return _LOCAL if self.is_local else _GLOBAL

    @property
    def pitch(self) -> int:
        """Bytes from one place to the next."""
        return self.cell if self.is_local else BLOCK * self.cell

    @property
    def block_bytes(self) -> int:
        """Bytes of a block in the buffer."""
        return 0 if self.is_local else self.places * self.pitch


class ThreadEmitter(FunctionEmitter):
    """Writes the functions of a schedule for one thread.

    To the class below no argument is mapped: it gives an element's index in its own world.
    """

    def __init__(
        self, scalars: Scalars, schedule: Schedule, layout: Layout, memory: Memory
    ) -> None:
        """Prepare to write, with scratch memory that the layout fits in."""
        plain = {k: dataclasses.replace(a, mapped=False) for k, a in scalars.arguments.items()}
        super().__init__(schedule, layout, plain, width=1, cell=memory.cell, prefix="world_")
        self._own = {k: a.mapped for k, a in scalars.arguments.items()}
        self._record = len(scalars.arguments) + len(scalars.outputs)
        self._memory = memory

    def in_space(self, pointer: str, space: int) -> str:
        """The pointer known to lie in an address space."""
        return self.new(f"addrspacecast ptr {pointer} to ptr addrspace({space})")

    def place(self, index: int | str) -> str:
        """Pointer to a place of the scratch memory, of an address space that LLVM can see."""
        space = self._memory.space
        base = self.in_space("%s", space)
        pitch = f"[{self._memory.pitch} x i8]"
        at = self.new(f"getelementptr {pitch}, ptr addrspace({space}) {base}, i64 {index}")
        return self.new(f"addrspacecast ptr addrspace({space}) {at} to ptr")

    def field(self, number: int, kind: str) -> str:
        """A field of the thread's record."""
        base = self.in_space("%in", _LOCAL)
        at = self.new(f"getelementptr i64, ptr addrspace({_LOCAL}) {base}, i64 {number}")
        return self.new(f"load {kind}, ptr addrspace({_LOCAL}) {at}, align 8")

    def element(self, position: int, kind: str, index: str, *, mapped: bool) -> str:
        """Pointer to an element of the array at a position, of the thread's world."""
        base = self.in_space(self.field(position, "ptr"), _GLOBAL)
        if mapped:
            row = self.new(f"mul i64 {index}, {self.field(self._record, 'i64')}")
            index = self.new(f"add i64 {row}, {self.field(self._record + 1, 'i64')}")
        return self.new(f"getelementptr {kind}, ptr addrspace({_GLOBAL}) {base}, i64 {index}")

    def _load_from_array(self, number: int, index: str, dtype: str, into: str | None) -> str:
        kind = "i8" if dtype == "bool" else kind_of(dtype)
        position = self.arguments[number].position
        pointer = self.element(position, kind, index, mapped=self._own[number])
        return self._read(pointer, dtype, size_of(dtype), into)

    def _load_shared(self, node: int, into: str | None) -> str:
        base = self.in_space("%t", _GLOBAL)
        offset = TABLE_CELL * self.table[node]
        at = self.new(f"getelementptr i8, ptr addrspace({_GLOBAL}) {base}, i64 {offset}")
        return self._read(at, self.graph.dtype[node], TABLE_CELL, into)

    def _read(self, pointer: str, dtype: str, align: int, into: str | None) -> str:
        """A number that no thread writes."""
        kind = "i8" if dtype == "bool" else kind_of(dtype)
        value = (
            f"load {kind}, ptr addrspace({_GLOBAL}) {pointer}, align {align}, !invariant.load !0"
        )
        return self._named(f"icmp ne i8 {self.new(value)}, 0" if dtype == "bool" else value, into)

    def thread(self, outputs: dict[int, Argument]) -> None:
        """The function of one world: works it out and writes its results."""
        self.functions()
        signature = "ptr noalias %s, ptr noalias %t, ptr noalias %in"
        self.add(f"define internal void @thread({signature}) noinline #0 {{")
        self.add("call void @world_world(ptr %s, ptr %t, ptr %in)")
        place, first = self.layout.results, self._record - len(outputs)
        for array in outputs.values():
            kind = "i8" if array.dtype == "bool" else kind_of(array.dtype)
            for index in range(array.size):
                value = self.load_place(self.place(place), array.dtype)
                if array.dtype == "bool":
                    value = self.new(f"zext i1 {value} to i8")
                pointer = self.element(first + array.position, kind, str(index), mapped=True)
                self.add(
                    f"store {kind} {value}, ptr addrspace({_GLOBAL}) {pointer}, "
                    f"align {size_of(array.dtype)}"
                )
                place += 1
        self.add("ret void\n}")


def shared_functions(scalars: Scalars, world: Schedule, chunk: int) -> tuple[FunctionEmitter, int]:
    """Writes `@shared`, which fills the table; and bytes of its scratch memory."""
    schedule = Schedule(scalars.graph, world.outer, SHARED, chunk)
    layout = Layout.of(schedule, {}, 0)
    emitter = FunctionEmitter(
        schedule, layout, scalars.arguments, width=1, cell=TABLE_CELL, prefix="shared_"
    )
    if not world.outer:
        return emitter, 0
    emitter.functions()
    emitter.add("define internal void @shared(ptr %s, ptr %t, ptr %in) noinline #0 {")
    emitter.add("call void @shared_world(ptr %s, ptr %t, ptr %in)")
    for number, node in enumerate(schedule.results):
        dtype = scalars.graph.dtype[schedule.home(node)]
        value = emitter.load_place(emitter.place(layout.results + number), dtype)
        target = emitter.new(f"getelementptr i8, ptr %t, i64 {TABLE_CELL * number}")
        emitter.store_place(target, value, dtype)
    emitter.add("ret void\n}")
    return emitter, layout.end * TABLE_CELL
