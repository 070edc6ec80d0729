"""Kernels on NVIDIA's GPUs: loaded by the driver, started by XLA.

The driver's library is the one that JAX has loaded; its kernels belong to no context, so one
handle serves all GPUs. Arrays that worlds have of their own are asked of XLA with the world as the
fastest axis. Without a driver, or where a program asks for more than a GPU has, XLA runs it.
"""

import ctypes
import dataclasses
import functools
import hashlib
import threading
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import mlir

from jaxosim.fused import llvm, ptxas
from jaxosim.fused.interpreter import Unsupported
from jaxosim.fused.kernel import _api_minor as api_minor
from jaxosim.fused.kernel import scalars_of
from jaxosim.fused.launcher import DRIVER_FUNCTIONS, Launch, launcher
from jaxosim.fused.operation import Program
from jaxosim.fused.operation import _lower_by_jax as lower_by_jax
from jaxosim.fused.operation import _world_count as world_count
from jaxosim.fused.ptx import BLOCK, GRID, DeviceProgram, device_program, ptx_of

MOST_BUFFER = 4 << 30  # bytes of scratch memory of all blocks; a program that needs more is XLA's
_MOST_ARRAYS = 500  # of 512 words that a kernel's parameters may take on any GPU
_REGISTERS, _LOCAL_BYTES, _CARVE_OUT = 4, 3, 9  # CUfunction_attribute
# Statuses that speak of the code or its size; others, of a lookup at the wrong moment.
_BAD_CODE = frozenset((2, 200, 209, 218, 221, 222, 223, 300))
_MAJOR, _MINOR = 75, 76  # CUdevice_attribute: compute capability


class Refused(Exception):
    """A program that a GPU's kernel cannot be made of; the message says why."""


@dataclasses.dataclass(frozen=True)
class CudaKernel:
    """A kernel that XLA can call.

    Attributes:
      target: name under which XLA calls it.
      program: of one thread.
      registers: of a thread; None where no driver told.
      local_bytes: local memory of a thread; None likewise.
    """

    target: str
    program: DeviceProgram
    registers: int | None = None
    local_bytes: int | None = None


# ------------------------------------------------------------------------------- the driver


@functools.cache
def driver() -> Any:
    """The driver's library; None where there is no GPU, or its driver is older than CUDA 12."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
        if library.cuInit(0) or not _device_count(library):
            return None
        for name in (*DRIVER_FUNCTIONS, "cuLibraryLoadData", "cuLibraryGetKernel"):
            getattr(library, name)
    except (OSError, AttributeError):
        return None
    return library


def is_available() -> bool:
    """Whether kernels can be made and run on a GPU of this machine."""
    return llvm.is_available() and driver() is not None


def _device_count(library: Any) -> int:
    count = ctypes.c_int()
    return 0 if library.cuDeviceGetCount(ctypes.byref(count)) else count.value


def _check(library: Any, status: int, what: str) -> None:
    if status:
        text = ctypes.c_char_p()
        library.cuGetErrorString(status, ctypes.byref(text))
        reason = (text.value or b"unknown error").decode()
        raise Refused(f"{what} failed with CUDA error {status} ({reason})")


@functools.cache
def _architecture() -> str | None:
    """Of this machine's GPUs, such as sm_90; None where they differ."""
    library = driver()
    found = set()
    for device in range(_device_count(library)):
        numbers = []
        for attribute in (_MAJOR, _MINOR):
            value = ctypes.c_int()
            library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
            numbers.append(value.value)
        found.add("sm_{}{}".format(*numbers))
    return found.pop() if len(found) == 1 else None


def _load(images: Sequence[bytes], names: Sequence[str]) -> list[int]:
    """Handles of kernels, from the first image that the driver takes."""
    status, handles = 0, []
    for image in images:
        status, handles = _load_image(image, names)
        if not status:
            break
    _check(driver(), status, "loading its kernel")
    return handles


def _load_image(image: bytes, names: Sequence[str]) -> tuple[int, list[int]]:
    """The status, and handles of the kernels of one image."""
    library, handle, handles = driver(), ctypes.c_void_p(), []
    status = library.cuLibraryLoadData(ctypes.byref(handle), image, None, None, 0, None, None, 0)
    for name in names:
        kernel = ctypes.c_void_p()
        if not status:
            status = library.cuLibraryGetKernel(ctypes.byref(kernel), handle, name.encode())
            handles.append(kernel.value)
    if not status:  # the driver may look at the code only now
        status = _attribute(handles[0], _REGISTERS)[0]
    return (status if status in _BAD_CODE or len(handles) < len(names) else 0), handles


def _attribute(kernel: int, attribute: int) -> tuple[int, int | None]:
    """The status, and an attribute of a kernel on the first GPU; None where it is not told."""
    library, value, context = driver(), ctypes.c_int(), ctypes.c_void_p()
    status = library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)  # JAX's own
    if status:
        return status, None
    library.cuCtxPushCurrent_v2(context)
    status = library.cuKernelGetAttribute(
        ctypes.byref(value), attribute, ctypes.c_void_p(kernel), 0
    )
    library.cuCtxPopCurrent_v2(ctypes.byref(context))
    return status, None if status else value.value


def _prefer_cache(kernel: int) -> None:
    """No shared memory is used: all of it may be cache for the threads' local memory."""
    library = driver()
    for device in range(_device_count(library)):
        library.cuKernelSetAttribute(_CARVE_OUT, 0, ctypes.c_void_p(kernel), device)


# ------------------------------------------------------------------------------ compilation

_registered: dict[str, tuple[Any, CudaKernel]] = {}  # code of the launcher, kept alive


def registered() -> list[tuple[Any, CudaKernel]]:
    """All kernels of this process."""
    return list(_registered.values())


def compile_for_cuda(program: Program, mapped: Sequence[bool]) -> CudaKernel:
    """Compile the program of one world for this machine's GPUs and make it known to XLA.

    Args:
      program: of one world.
      mapped: for each argument whether each world has its own; else all share it.

    Raises:
      Unsupported: it has a primitive without a rule.
      Refused: it needs more than a GPU has.
    """
    device = device_program(scalars_of(program.jaxpr, mapped))
    arrays = len(device.used) + device.results
    if arrays > _MOST_ARRAYS:
        raise Refused(f"{arrays} arrays are more than the {_MOST_ARRAYS} that a kernel takes")
    if buffer_bytes(device, GRID * BLOCK) > MOST_BUFFER:
        raise Refused(f"its {device.memory.places} live numbers a world are too many")
    ir = device.device_ir("fused")
    digest = hashlib.sha256("\0".join((ir, llvm.digest_of(""))).encode()).hexdigest()[:32]
    target = f"jaxosim_cuda_{digest}"
    if target not in _registered:
        _registered[target] = _register(target, device, ir, digest)
    return _registered[target][1]


def _register(target: str, device: DeviceProgram, ir: str, digest: str) -> tuple[Any, CudaKernel]:
    """Assemble, load, and register the function that XLA calls."""
    ptx, architecture = ptx_of(ir), _architecture()
    code = ptxas.machine_code(digest, ptx, architecture) if architecture else None
    images = [image for image in (code, ptx.encode()) if image is not None]
    names = ["fused_kernel", *(["fused_table_kernel"] if device.table_bytes else [])]
    kernel, *rest = _load(images, names)
    registers, local = (_attribute(kernel, which)[1] for which in (_REGISTERS, _LOCAL_BYTES))
    _prefer_cache(kernel)
    launch = launch_of(device, kernel, rest[0] if rest else 0)
    library = driver()
    addresses = {
        name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        for name in DRIVER_FUNCTIONS
    }
    host = llvm.Code(llvm.object_code(launcher(target, launch, addresses, api_minor())), target)
    capsule = jax.ffi.pycapsule(ctypes.c_void_p(host.address))
    jax.ffi.register_ffi_target(target, capsule, platform="CUDA")
    return host, CudaKernel(target, device, registers, local)


def launch_of(device: DeviceProgram, kernel: int, table_kernel: int) -> Launch:
    """How a program's kernels are started."""
    return Launch(
        kernel=kernel,
        table_kernel=table_kernel,
        arguments=len(device.used),
        results=device.results,
        has_buffer=not device.memory.is_local,
        block=BLOCK,
        grid=0 if device.memory.is_local else GRID,
    )


def buffer_bytes(device: DeviceProgram, worlds: int) -> int:
    """Bytes of scratch memory in a buffer of XLA's; 0 where threads have it to themselves."""
    return min(-(-worlds // BLOCK), GRID) * device.memory.block_bytes


# --------------------------------------------------------------------------------- lowering

_kernels: weakref.WeakKeyDictionary[Program, dict[tuple[bool, ...], CudaKernel | None]]
_kernels = weakref.WeakKeyDictionary()
_locks: weakref.WeakKeyDictionary[Program, threading.Lock] = weakref.WeakKeyDictionary()


def kernel_of(program: Program, mapped: tuple[bool, ...]) -> CudaKernel | None:
    """The compiled kernel; None, after one warning, where there cannot be one."""
    with _locks.setdefault(program, threading.Lock()):  # assembling takes minutes: once
        known = _kernels.setdefault(program, {})
        if mapped not in known:
            known[mapped] = _compiled_or_none(program, mapped)
        return known[mapped]


def _compiled_or_none(program: Program, mapped: tuple[bool, ...]) -> CudaKernel | None:
    try:
        return compile_for_cuda(program, mapped)
    except Unsupported as error:
        reason = f"the primitive {error} has no rule in jaxosim.fused"
    except Refused as error:
        reason = str(error)
    warnings.warn(f"{program.name}: {reason}, so XLA runs the whole of it", stacklevel=2)
    return None


def lower_for_cuda(context: Any, *operands: Any, program: Program, mapped: tuple[bool, ...]) -> Any:
    """The operation as a call of a kernel; by XLA where none can be made here."""
    alone = not any(mapped)
    own = (True,) * len(mapped) if alone else mapped
    kernel = None
    if is_available() and program.out_avals:
        kernel = kernel_of(program, own)
    if kernel is None:
        return lower_by_jax(context, *operands, program=program, mapped=mapped)
    device = kernel.program

    def call(*arguments: Any) -> list[Any]:
        count = 1 if alone else world_count(arguments, mapped)
        assert count is not None
        outputs = [jax.ShapeDtypeStruct((count, *a.shape), a.dtype) for a in program.out_avals]
        layouts: list[Any] = [_world_fastest(x.ndim) for x in outputs]
        for size in (device.table_buffer, buffer_bytes(device, count)):
            if size:
                outputs.append(jax.ShapeDtypeStruct((size,), jnp.uint8))
                layouts.append(None)
        given = [arguments[i][None] if alone else arguments[i] for i in device.used]
        results = jax.ffi.ffi_call(
            kernel.target,
            outputs,
            input_layouts=[
                _world_fastest(x.ndim) if own[i] else None
                for i, x in zip(device.used, given, strict=True)
            ],
            output_layouts=layouts,
        )(*given)[: device.results]
        return [r[0] for r in results] if alone else list(results)

    return mlir.lower_fun(call, multiple_results=True)(context, *operands)


def _world_fastest(ndim: int) -> tuple[int, ...]:
    """Axes from the slowest to the fastest: the first one last."""
    return (*range(1, ndim), 0)
