"""LLVM IR of the function that XLA calls on the host to start a kernel on a GPU.

As in `handler`, XLA's call frame is read at the offsets of `xla/ffi/api/c_api.h`. The stream is
asked of XLA, and its context is made current, as a process may have several GPUs. Addresses of the
driver's functions and the kernels' handles are constants, so this code is of one process.
"""

import dataclasses

from jaxosim.fused.handler import read_frame

# Of XLA_FFI_CallFrame, XLA_FFI_Buffer and XLA_FFI_Api: see `handler`.
_API, _CONTEXT = 16, 24
_BUFFER_DATA = 24
_ERROR_CREATE, _STREAM_GET = 48, 80
_INTERNAL = 13  # XLA_FFI_Error_Code

DRIVER_FUNCTIONS = (
    "cuStreamGetCtx",
    "cuCtxPushCurrent_v2",
    "cuCtxPopCurrent_v2",
    "cuLaunchKernel",
)


@dataclasses.dataclass(frozen=True)
class Launch:
    """What is started.

    Attributes:
      kernel: handle of the kernel that works on worlds.
      table_kernel: handle of the one that fills the table; 0 if there is none.
      arguments: number of arrays that are given.
      results: number of arrays that are given back, all leading with the world; behind them XLA
        gives the table, if there is one, and the scratch memory, if it lies in a buffer.
      has_buffer: whether it does.
      block: threads of a block, each for a world at a time.
      grid: blocks at most; 0 for as many as there are worlds for.
    """

    kernel: int
    table_kernel: int
    arguments: int
    results: int
    has_buffer: bool
    block: int
    grid: int


def launcher(name: str, launch: Launch, driver: dict[str, int], api_minor: int) -> str:
    """IR of the function `@name`.

    Args:
      name: of the function.
      launch: what to start.
      driver: addresses of `DRIVER_FUNCTIONS`.
      api_minor: minor version of XLA's interface.
    """
    limit = launch.grid or 2**31 - 1
    text = f"{name}: the GPU's driver refused to start the kernel"
    call = {key: f"call i32 inttoptr (i64 {address} to ptr)" for key, address in driver.items()}
    return f"""
@message = private constant [{len(text) + 1} x i8] c"{text}\\00"
define ptr @{name}(ptr %frame) {{
{_read_frame(api_minor)}
{_values(launch)}
{_ask_stream()}
%padded = add i64 %n, {launch.block - 1}
%blocks64 = udiv i64 %padded, {launch.block}
%most = call i64 @llvm.umin.i64(i64 %blocks64, i64 {limit})
%blocks = trunc i64 %most to i32
%own = alloca ptr, align 8
%e1 = {call["cuStreamGetCtx"]}(ptr %stream, ptr %own)
%known = icmp eq i32 %e1, 0
br i1 %known, label %push, label %failed
push:
%context = load ptr, ptr %own, align 8
%e2 = {call["cuCtxPushCurrent_v2"]}(ptr %context)
%pushed = icmp eq i32 %e2, 0
br i1 %pushed, label %start, label %failed
start:
{_starts(launch, call["cuLaunchKernel"])}
%e5 = {call["cuCtxPopCurrent_v2"]}(ptr %own)
%both = or i32 %e3, %e4
%started = icmp eq i32 %both, 0
br i1 %started, label %leave, label %failed
{_FAILED}
}}
declare i64 @llvm.umin.i64(i64, i64)
"""


def _read_frame(api_minor: int) -> str:
    """Answers a question for the version; else number of worlds, arrays, interface, context."""
    return f"""{read_frame(api_minor)}
prepare:
%n = add i64 %worlds, 0
%apip = getelementptr i8, ptr %frame, i64 {_API}
%api = load ptr, ptr %apip, align 8
%ctxp = getelementptr i8, ptr %frame, i64 {_CONTEXT}
%ctx = load ptr, ptr %ctxp, align 8"""


def _starts(launch: Launch, call: str) -> str:
    """Calls of the driver that start the kernels, with their status in %e3 and %e4."""
    given = "i32 0, ptr %stream, ptr %pointers, ptr null"
    table = "%e3 = add i32 0, 0"
    if launch.table_kernel:
        ones = ", ".join(["i32 1"] * 6)
        table = f"%e3 = {call}(ptr inttoptr (i64 {launch.table_kernel} to ptr), {ones}, {given})"
    size = f"i32 %blocks, i32 1, i32 1, i32 {launch.block}, i32 1, i32 1"
    return f"{table}\n%e4 = {call}(ptr inttoptr (i64 {launch.kernel} to ptr), {size}, {given})"


_FAILED = f"""failed:
%error = alloca [4 x i64], align 8
store i64 32, ptr %error, align 8
%x1 = getelementptr i64, ptr %error, i64 1
store i64 0, ptr %x1, align 8
%x2 = getelementptr i64, ptr %error, i64 2
store ptr @message, ptr %x2, align 8
%x3 = getelementptr i64, ptr %error, i64 3
store i64 {_INTERNAL}, ptr %x3, align 8
%xp = getelementptr i8, ptr %api, i64 {_ERROR_CREATE}
%x = load ptr, ptr %xp, align 8
%result = call ptr %x(ptr %error)
ret ptr %result"""


def _ask_stream() -> str:
    """XLA's stream, or XLA's own error."""
    return f"""%q = alloca [4 x i64], align 8
store i64 32, ptr %q, align 8
%q1 = getelementptr i64, ptr %q, i64 1
store i64 0, ptr %q1, align 8
%q2 = getelementptr i64, ptr %q, i64 2
store ptr %ctx, ptr %q2, align 8
%q3 = getelementptr i64, ptr %q, i64 3
store ptr null, ptr %q3, align 8
%qp = getelementptr i8, ptr %api, i64 {_STREAM_GET}
%qf = load ptr, ptr %qp, align 8
%refusal = call ptr %qf(ptr %q)
%given = icmp eq ptr %refusal, null
br i1 %given, label %launch, label %refused
refused:
ret ptr %refusal
launch:
%stream = load ptr, ptr %q3, align 8"""


def _values(launch: Launch) -> str:
    """The kernels' parameters: table, scratch memory, number of worlds, addresses of arrays."""
    sources: list[str | None] = [
        f"rets {launch.results}" if launch.table_kernel else None,
        f"rets {launch.results + bool(launch.table_kernel)}" if launch.has_buffer else None,
        "n",
        *(f"args {k}" for k in range(launch.arguments)),
        *(f"rets {k}" for k in range(launch.results)),
    ]
    count = len(sources)
    lines = [
        f"%values = alloca [{count} x i64], align 8\n%pointers = alloca [{count} x ptr], align 8"
    ]
    for k, source in enumerate(sources):
        lines.append(f"%v{k} = getelementptr i64, ptr %values, i64 {k}")
        if source is None:
            lines.append(f"store i64 0, ptr %v{k}, align 8")
        elif source == "n":
            lines.append(f"store i64 %n, ptr %v{k}, align 8")
        else:
            side, number = source.split()
            lines.append(
                f"%b{k}p = getelementptr ptr, ptr %{side}, i64 {number}\n"
                f"%b{k} = load ptr, ptr %b{k}p, align 8\n"
                f"%d{k}p = getelementptr i8, ptr %b{k}, i64 {_BUFFER_DATA}\n"
                f"%d{k} = load ptr, ptr %d{k}p, align 8\n"
                f"store ptr %d{k}, ptr %v{k}, align 8"
            )
        lines.append(f"%p{k} = getelementptr ptr, ptr %pointers, i64 {k}")
        lines.append(f"store ptr %v{k}, ptr %p{k}, align 8")
    return "\n".join(lines)
