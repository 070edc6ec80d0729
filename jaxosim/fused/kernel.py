"""From the jaxpr of one world to a kernel that XLA can call."""

import ctypes
import dataclasses
import functools
import json
import os
import pathlib
import re
from collections.abc import Sequence

import jax
import numpy as np
from jax.extend import core

from jaxosim.fused import (
    llvm,
    rules_arrays,  # noqa: F401  (rules enter themselves when imported)
    rules_control,  # noqa: F401
    rules_elementwise,  # noqa: F401
    rules_indexing,  # noqa: F401
    rules_positive,  # noqa: F401
    rules_sums,  # noqa: F401
)
from jaxosim.fused.emit import (
    FIRST_ARGUMENT,
    TABLE_CELL,
    Argument,
    Layout,
    cell_of,
)
from jaxosim.fused.fingerprint import fingerprint
from jaxosim.fused.functions import FunctionEmitter
from jaxosim.fused.graph import SHARED, WORLD, Graph, flat
from jaxosim.fused.handler import handler
from jaxosim.fused.interpreter import graph_of
from jaxosim.fused.movement import Movement, argument_runs, result_runs
from jaxosim.fused.needed import needed
from jaxosim.fused.refill import Refill, RefillEmitter
from jaxosim.fused.schedule import Schedule

_CHUNK = 500  # nodes of a function; compile time grows faster than its length, speed hardly
_DERIVATIVE_CHUNK = 250  # the same in programs of derivatives, see `schedule`
_FEWEST_BLOCKS = 2  # with fewer, no other thread is asked


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A compiled program.

    Attributes:
      target: name under which XLA calls it.
      used: numbers of the arguments that it takes, in order.
      operations: nodes that are worked out for a world, those of loops once.
      slots: vectors that are kept in between.
      scratch: bytes of memory that a thread takes.
    """

    target: str
    used: tuple[int, ...]
    operations: int
    slots: int
    scratch: int


@dataclasses.dataclass(frozen=True)
class Scalars:
    """A program as a graph.

    Attributes:
      graph: its nodes.
      results: nodes of the results, one after the other.
      arguments: those that are used, by number.
      outputs: what it gives back, by number.
    """

    graph: Graph
    results: list[int]
    arguments: dict[int, Argument]
    outputs: dict[int, Argument]


def scalars_of(jaxpr: core.ClosedJaxpr, mapped: Sequence[bool]) -> Scalars:
    """A closed jaxpr of one world as a graph; `mapped` as for `graph_of`.

    Raises:
      Unsupported: it has a primitive without a rule.
    """
    graph, results = graph_of(jaxpr, mapped)
    nodes = flat(results)
    live, _ = needed(graph, nodes, SHARED)
    used = sorted({graph.data[n][0] for n in live if graph.op[n] in ("argument", "lookup")})
    avals = [v.aval for v in jaxpr.jaxpr.invars]
    arguments = {
        number: Argument(avals[number].size, avals[number].dtype.name, place, mapped[number])
        for place, number in enumerate(used)
    }
    outputs = {
        number: Argument(aval.size, np.dtype(aval.dtype).name, number)
        for number, aval in enumerate(jaxpr.out_avals)
    }
    return Scalars(graph, nodes, arguments, outputs)


def ir_of(
    scalars: Scalars, vector_bytes: int, *, is_derivative: bool = False
) -> tuple[str, Schedule, int]:
    """LLVM IR of a kernel, its schedule, and the bytes of scratch memory that a thread needs."""
    graph, chunk = scalars.graph, _DERIVATIVE_CHUNK if is_derivative else _CHUNK
    schedule = Schedule(graph, scalars.results, WORLD, chunk, is_derivative=is_derivative)
    cell = cell_of(graph, [*schedule.live, *schedule.outer])
    width = vector_bytes // cell
    used: dict[int, list[int]] = {}
    for node in schedule.arguments:
        number, offset = graph.data[node]
        used.setdefault(number, []).append(offset)
    runs_in, places = argument_runs(scalars.arguments, used, width, FIRST_ARGUMENT)
    taken = sum(run.count for run in runs_in)
    argument = {node: places[graph.data[node]] for node in schedule.arguments}
    layout = Layout.of(schedule, argument, taken)
    emitter = FunctionEmitter(
        schedule, layout, scalars.arguments, width=width, cell=cell, prefix="world_"
    )
    emitter.permutes = width == 16 and llvm.host().has_permutations
    loop = Refill.of(schedule)
    if loop is None:
        refill, scratch = None, layout.end * width * cell
        emitter.functions()
    else:
        refill = RefillEmitter(emitter, loop)
        scratch = refill.scratch
        emitter.stages(loop.index)
    movement = Movement(emitter, scalars.outputs, refill)
    block = movement.functions(runs_in, result_runs(scalars.outputs, width, layout.results))
    shared, shared_scratch, shared_declared = _shared(scalars, schedule)
    text = [
        *emitter.globals,
        *emitter.lines,
        block,
        shared,
        handler(
            arguments=len(scalars.arguments),
            results=len(scalars.outputs),
            scratch=scratch,
            table=TABLE_CELL * len(schedule.outer),
            shared_scratch=shared_scratch,
            width=width,
            refills=refill is not None,
            api_minor=_api_minor(),
            fewest_blocks=_FEWEST_BLOCKS,
        ),
        *sorted({*emitter.declared.values(), *shared_declared.values()}),
        _attributes(width * cell),
    ]
    return _declared_once("\n".join(text)), schedule, scratch


def _shared(scalars: Scalars, world: Schedule) -> tuple[str, int, dict[str, str]]:
    """IR of `@shared`, which fills the table; bytes of its scratch memory; what it calls."""
    if not world.outer:
        return "", 0, {}
    graph = scalars.graph
    schedule = Schedule(graph, world.outer, SHARED, _CHUNK)
    cell = 8
    layout = Layout.of(schedule, {}, 0)
    emitter = FunctionEmitter(
        schedule, layout, scalars.arguments, width=1, cell=cell, prefix="shared_"
    )
    emitter.functions()
    signature = "ptr noalias %s, ptr noalias %t, ptr noalias %in"
    emitter.add(f"define internal void @shared({signature}) noinline #0 {{")
    emitter.add("call void @shared_world(ptr %s, ptr %t, ptr %in)")
    for number, node in enumerate(schedule.results):
        dtype = graph.dtype[schedule.home(node)]
        value = emitter.load_place(emitter.place(layout.results + number), dtype)
        target = emitter.new(f"getelementptr i8, ptr %t, i64 {TABLE_CELL * number}")
        emitter.store_place(target, value, dtype)
    emitter.add("ret void\n}")
    return "\n".join([*emitter.globals, *emitter.lines]), layout.end * cell, emitter.declared


def _declared_once(ir: str) -> str:
    """The same IR without the second declaration of anything."""
    lines = ir.split("\n")
    declarations = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*(x for x in lines if not x.startswith("declare ")), *declarations])


def _attributes(vector_bytes: int) -> str:
    bits = 8 * vector_bytes
    return (
        f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" '
        f'"min-legal-vector-width"="{bits}" }}'
    )


@functools.cache
def _api_minor() -> int:
    """Minor version of XLA's interface, from the header that jaxlib ships."""
    header = pathlib.Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    found = re.search(r"#define XLA_FFI_API_MINOR (\d+)", header.read_text(encoding="utf-8"))
    return int(found.group(1)) if found else 1


_registered: dict[str, llvm.Code] = {}
_scratch: dict[str, int] = {}


def scratch_bytes(target: str) -> int:
    """Memory (B) that a call of a kernel takes beside its arguments and results, on all threads."""
    return _scratch[target] * (os.cpu_count() or 1)


def compile_kernel(
    jaxpr: core.ClosedJaxpr, mapped: Sequence[bool], *, is_derivative: bool = False
) -> Kernel:
    """Compile the program of one world for this processor and make it known to XLA.

    Args:
      jaxpr: of one world.
      mapped: for each argument whether each world has its own; else all share it.
      is_derivative: whether it is one of tangents or cotangents, which is ordered otherwise.

    Raises:
      Unsupported: it has a primitive without a rule.
    """
    known = fingerprint(jaxpr, mapped)
    setting = f"{known} {_api_minor()} {llvm.host().vector_bytes} {is_derivative}"
    name = None if known is None else f"program-{llvm.digest_of(setting)}"
    kernel = None if name is None else _kept(name)
    if kernel is not None:
        return kernel
    scalars = scalars_of(jaxpr, mapped)
    ir, schedule, scratch = ir_of(scalars, llvm.host().vector_bytes, is_derivative=is_derivative)
    digest = llvm.digest_of(ir)
    kernel = Kernel(
        f"jaxosim_{digest}",
        tuple(scalars.arguments),
        sum(len(chunk.nodes) for chunk in schedule.chunks),
        schedule.slot_count,
        scratch,
    )
    if kernel.target not in _registered:
        code = llvm.kept(digest)
        if code is None:
            code = llvm.object_code(ir.replace("@handler", f"@{kernel.target}"))
            llvm.keep(digest, code)
        _register(kernel, code)
    if name is not None:
        llvm.keep(name, json.dumps([digest, *dataclasses.astuple(kernel)]).encode())
    return kernel


def _kept(name: str) -> Kernel | None:
    """The kernel of a program that was compiled before, here or by another process."""
    data = llvm.kept(name)
    if data is None:
        return None
    digest, target, used, *numbers = json.loads(data)
    kernel = Kernel(target, tuple(used), *numbers)
    if target not in _registered:
        code = llvm.kept(digest)
        if code is None:
            return None
        _register(kernel, code)
    return kernel


def _register(kernel: Kernel, code: bytes) -> None:
    """Link machine code and make it known to XLA."""
    _scratch[kernel.target] = kernel.scratch
    _registered[kernel.target] = linked = llvm.Code(code, kernel.target)
    capsule = jax.ffi.pycapsule(ctypes.c_void_p(linked.address))
    jax.ffi.register_ffi_target(kernel.target, capsule, platform="cpu")
