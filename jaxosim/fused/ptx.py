"""LLVM IR of a kernel for NVIDIA's GPUs: one thread a world, and its PTX by LLVM's NVPTX target.

The functions are those of `threads`; here are kernels that call them, and the same for a CPU.

The scratch memory is the thread's local memory while it is small. The driver sets local memory
aside for every thread that the GPU could ever hold, hence beyond `MOST_LOCAL` bytes a thread it is
a buffer of XLA's: a place has then the cells of a block's threads side by side, no more than `GRID`
blocks are started, and each takes world after world.

The same text with a loop in the place of the threads is what tests compile for the host.
"""

import dataclasses
import functools
from typing import Any

from jaxosim.fused.emit import TABLE_CELL, Layout, cell_of
from jaxosim.fused.graph import WORLD
from jaxosim.fused.kernel import Scalars
from jaxosim.fused.schedule import Schedule
from jaxosim.fused.threads import BLOCK, Memory, ThreadEmitter, shared_functions

MOST_LOCAL = 16_384  # bytes a thread; times 2048 threads of 132 processors 4.4 GB on an H100
GRID = 320  # blocks at most with scratch memory in a buffer: two for each of 160 processors
_CHUNK = 4000  # nodes of a function; of 1000 a step loads and stores half as much again
_BLOCKS_A_PROCESSOR = 2  # at least, for which the assembler leaves registers: 255 a thread

_KERNEL, _TABLE_KERNEL, _HOST = "kernel", "table_kernel", "host"


@dataclasses.dataclass(frozen=True)
class DeviceProgram:
    """A program for one thread a world.

    Attributes:
      functions: LLVM IR without an entry.
      used: numbers of the arguments, in order.
      results: number of results.
      table_bytes: of the table of what worlds share; 0 for none.
      table_buffer: bytes of the table and, behind it, of scratch memory for working it out: as the
        local memory of a single thread it would be set aside for all threads.
      memory: scratch memory of a thread.
      operations: nodes that are worked out for a world, those of loops once.
    """

    functions: str
    used: tuple[int, ...]
    results: int
    table_bytes: int
    table_buffer: int
    memory: Memory
    operations: int

    def device_ir(self, name: str) -> str:
        """With the kernels `{name}_kernel` and, if there is a table, `{name}_table_kernel`."""
        return "\n".join(
            (self.functions, _device_entries(self, name), _INDEX_DECLARATIONS, _ATTRIBUTES)
        )

    def host_ir(self, grid: int = GRID) -> str:
        """With `@host(arrays, n, table, scratch)`, which does world after world on a CPU."""
        return "\n".join((self.functions, _host_entry(self, grid), _ATTRIBUTES))


def device_program(
    scalars: Scalars, chunk: int = _CHUNK, most_local: int = MOST_LOCAL
) -> DeviceProgram:
    """The program of a graph for one thread a world."""
    graph = scalars.graph
    schedule = Schedule(graph, scalars.results, WORLD, chunk)
    layout = Layout.of(schedule, {}, 0)
    cell = cell_of(graph, [*schedule.live, *schedule.outer])
    memory = Memory(layout.end, cell, layout.end * cell <= most_local)
    emitter = ThreadEmitter(scalars, schedule, layout, memory)
    emitter.thread(scalars.outputs)
    shared, shared_scratch = shared_functions(scalars, schedule, chunk)
    table_bytes = TABLE_CELL * len(schedule.outer)
    declared = {**emitter.declared, **shared.declared}.values()
    tables = (*emitter.globals, *shared.globals)
    lines = [*tables, *emitter.lines, *shared.lines, *sorted(declared)]
    return DeviceProgram(
        functions="\n".join(lines),
        used=tuple(scalars.arguments),
        results=len(scalars.outputs),
        table_bytes=table_bytes,
        table_buffer=table_bytes + shared_scratch,
        memory=memory,
        operations=sum(len(c.nodes) for c in schedule.chunks),
    )


# --------------------------------------------------------------------------------- entries

_ATTRIBUTES = f"""
attributes #0 = {{ nounwind }}
attributes #1 = {{ nounwind "nvvm.maxntid"="{BLOCK}" "nvvm.minctasm"="{_BLOCKS_A_PROCESSOR}" }}
attributes #2 = {{ nounwind "nvvm.maxntid"="1" }}
!0 = !{{}}
"""

_INDEX = "@llvm.nvvm.read.ptx.sreg"
_INDEX_DECLARATIONS = "\n".join(
    f"declare i32 {_INDEX}.{name}.x()" for name in ("tid", "ctaid", "nctaid")
)


def _device_entries(program: DeviceProgram, name: str) -> str:
    """Kernels; both take table, scratch memory, number of worlds, and the addresses of arrays."""
    arrays = len(program.used) + program.results
    parameters = ", ".join(f"ptr %a{k}" for k in range(arrays))
    signature = f"ptr %t, ptr %buffer, i64 %n, {parameters}"
    memory = program.memory
    if memory.is_local:
        scratch = f"%s = alloca [{memory.places * memory.cell} x i8], align 16"
    else:
        scratch = f"""%sb = mul i64 %block, {memory.block_bytes}
%st = mul i64 %lane, {memory.cell}
%so = add i64 %sb, %st
%s = getelementptr i8, ptr %buffer, i64 %so"""
    kernel = f"""
define ptx_kernel void @{name}_{_KERNEL}({signature}) #1 {{
entry:
%lane32 = call i32 {_INDEX}.tid.x()
%block32 = call i32 {_INDEX}.ctaid.x()
%blocks32 = call i32 {_INDEX}.nctaid.x()
%lane = zext i32 %lane32 to i64
%block = zext i32 %block32 to i64
%blocks = zext i32 %blocks32 to i64
%first0 = mul i64 %block, {BLOCK}
%first = add i64 %first0, %lane
%stride = mul i64 %blocks, {BLOCK}
{scratch}
%in = alloca [{arrays + 2} x i64], align 8
{_fill_record([f"%a{k}" for k in range(arrays)])}
{_set_field(arrays, "i64", "%n")}
%own = getelementptr i64, ptr %in, i64 {arrays + 1}
%any = icmp slt i64 %first, %n
br i1 %any, label %head, label %end
head:
%w = phi i64 [ %first, %entry ], [ %next, %head ]
store i64 %w, ptr %own, align 8
call void @thread(ptr %s, ptr %t, ptr %in)
%next = add i64 %w, %stride
%more = icmp slt i64 %next, %n
br i1 %more, label %head, label %end
end:
ret void
}}"""
    if not program.table_bytes:
        return kernel
    return f"""{kernel}
define ptx_kernel void @{name}_{_TABLE_KERNEL}({signature}) #2 {{
%s = getelementptr i8, ptr %t, i64 {program.table_bytes}
%in = alloca [{arrays} x i64], align 8
{_fill_record([f"%a{k}" for k in range(arrays)])}
call void @shared(ptr %s, ptr %t, ptr %in)
ret void
}}"""


def _host_entry(program: DeviceProgram, grid: int) -> str:
    """The threads of `grid` blocks one after the other, on a CPU."""
    arrays = len(program.used) + program.results
    memory = program.memory
    shared = ""
    if program.table_bytes:
        shared = f"""%ss = getelementptr i8, ptr %t, i64 {program.table_bytes}
call void @shared(ptr %ss, ptr %t, ptr %arrays)"""
    loads = [
        f"%g{k} = getelementptr ptr, ptr %arrays, i64 {k}\n%a{k} = load ptr, ptr %g{k}, align 8"
        for k in range(arrays)
    ]
    return f"""
define void @{_HOST}(ptr %arrays, i64 %n, ptr %t, ptr %buffer) #0 {{
entry:
%local = alloca [{memory.places * memory.cell if memory.is_local else 1} x i8], align 16
{chr(10).join(loads)}
%in = alloca [{arrays + 2} x i64], align 8
{_fill_record([f"%a{k}" for k in range(arrays)])}
{_set_field(arrays, "i64", "%n")}
%own = getelementptr i64, ptr %in, i64 {arrays + 1}
{shared}
%any = icmp slt i64 0, %n
br i1 %any, label %head, label %end
head:
%w = phi i64 [ 0, %entry ], [ %next, %head ]
%lane = urem i64 %w, {BLOCK}
%of = udiv i64 %w, {BLOCK}
%block = urem i64 %of, {grid}
%sb = mul i64 %block, {memory.block_bytes}
%st = mul i64 %lane, {memory.cell}
%so = add i64 %sb, %st
%global = getelementptr i8, ptr %buffer, i64 %so
%s = select i1 {"true" if memory.is_local else "false"}, ptr %local, ptr %global
store i64 %w, ptr %own, align 8
call void @thread(ptr %s, ptr %t, ptr %in)
%next = add i64 %w, 1
%more = icmp slt i64 %next, %n
br i1 %more, label %head, label %end
end:
ret void
}}"""


def _set_field(number: int, kind: str, value: str) -> str:
    return f"%f{number} = getelementptr i64, ptr %in, i64 {number}\n" + (
        f"store {kind} {value}, ptr %f{number}, align 8"
    )


def _fill_record(addresses: list[str]) -> str:
    return "\n".join(_set_field(k, "ptr", address) for k, address in enumerate(addresses))


# ------------------------------------------------------------------------------------- PTX

ARCHITECTURE = "sm_80"  # the oldest that is served; its PTX runs on all later ones
_PTX_VERSION = "ptx70"


@functools.cache
def _target() -> Any:
    import llvmlite.binding as binding

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return binding.Target.from_triple("nvptx64-nvidia-cuda")


def ptx_of(ir: str) -> str:
    """PTX of LLVM IR.

    Raises:
      RuntimeError: LLVM does not accept the IR.
    """
    import llvmlite.binding as binding

    module = binding.parse_assembly(ir)
    machine = _target().create_target_machine(cpu=ARCHITECTURE, features=f"+{_PTX_VERSION}", opt=2)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    return machine.emit_assembly(module)
