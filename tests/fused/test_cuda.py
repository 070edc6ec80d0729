"""How kernels for GPUs are made known to XLA and started: with a driver that is none."""

import ctypes
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.interpreters import mlir

from jaxosim.fused import cuda, fused, launcher, ptx, ptxas
from jaxosim.fused.operation import Program, operation_p
from tests.fused.cases import CASES, WORLDS, linked

KERNEL, TABLE_KERNEL, STREAM, CONTEXT = 1001, 1002, 77, 88
DRIVERS = []  # all stay, so that no two have functions at the same address
INT, WORD = ctypes.c_int, ctypes.c_void_p
SIGNATURES = {
    "cuStreamGetCtx": (WORD, ctypes.POINTER(ctypes.c_size_t)),
    "cuCtxPushCurrent_v2": (WORD,),
    "cuCtxPopCurrent_v2": (WORD,),
    "cuLaunchKernel": (WORD, *[INT] * 7, ctypes.c_size_t, ctypes.POINTER(WORD), WORD),
}


class FakeDriver:
    """Notes what it is asked to do, and does a kernel's work on the CPU."""

    def __init__(self):
        self.calls, self.images, self.refusing = [], [], set()
        self.work = lambda parameters: None
        for name, types in SIGNATURES.items():
            function = ctypes.CFUNCTYPE(INT, *types)(getattr(self, f"_{name}"))
            setattr(self, name, function)

    def cuInit(self, _):
        return 0

    def cuDeviceGetCount(self, count):
        count._obj.value = 2
        return 0

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 9, 76: 0}[attribute]
        return 0

    def cuLibraryLoadData(self, handle, image, *_):
        self.images.append(image)
        return 0 if image.startswith(b"//") else 209  # it takes PTX, and no machine code

    def cuLibraryGetKernel(self, kernel, library, name):
        kernel._obj.value = {b"fused_kernel": KERNEL, b"fused_table_kernel": TABLE_KERNEL}[name]
        return 0

    def cuDevicePrimaryCtxRetain(self, context, device):
        context._obj.value = CONTEXT
        return 0

    def cuKernelGetAttribute(self, value, attribute, kernel, device):
        value._obj.value = {4: 255, 3: 4096}[attribute]
        return 0

    def cuKernelSetAttribute(self, *_):
        return 0

    def _cuStreamGetCtx(self, stream, context):
        assert stream == STREAM
        context[0] = CONTEXT
        return 400 if "stream" in self.refusing else 0

    def _cuCtxPushCurrent_v2(self, context):
        self.calls.append(("push", context))
        return 0

    def _cuCtxPopCurrent_v2(self, _):
        self.calls.append(("pop",))
        return 0

    def _cuLaunchKernel(self, kernel, *rest):
        self.calls.append((kernel, *rest[:6], rest[7]))
        if kernel == KERNEL and "launch" not in self.refusing:
            self.work(rest[8])
        return 1 if "launch" in self.refusing else 0


def buffers(arrays):
    """XLA's descriptions of arrays, the world first in the shape; and what keeps them alive."""
    kept, pointers = [], (WORD * len(arrays))()
    for k, array in enumerate(arrays):
        shape = (array.shape[-1], *array.shape[:-1])
        dims = (ctypes.c_int64 * max(1, array.ndim))(*shape)
        record = (ctypes.c_size_t * 6)(48, 0, 11, array.ctypes.data, array.ndim)
        record[5] = ctypes.addressof(dims)
        pointers[k] = ctypes.addressof(record)
        kept += [dims, record]
    return pointers, kept


class Frame:
    """A call as XLA makes it; `errors` are those that the function makes."""

    def __init__(self, given, results):
        self.errors = []

        @ctypes.CFUNCTYPE(WORD, ctypes.POINTER(ctypes.c_size_t))
        def stream_get(arguments):
            assert arguments[0] == 32
            arguments[3] = STREAM
            return None

        @ctypes.CFUNCTYPE(WORD, ctypes.POINTER(ctypes.c_size_t))
        def error_create(arguments):
            assert arguments[0] == 32
            self.errors.append((ctypes.string_at(arguments[2]).decode(), arguments[3] & 0xFFFFFFFF))
            return 4242

        api = (ctypes.c_size_t * 30)()
        api[48 // 8] = ctypes.cast(error_create, WORD).value
        api[80 // 8] = ctypes.cast(stream_get, WORD).value
        (arguments, kept), (returned, more) = buffers(given), buffers(results)
        self._kept = (stream_get, error_create, api, arguments, returned, kept, more)
        self.words = (ctypes.c_size_t * 24)()
        self.words[2] = ctypes.addressof(api)
        self.words[72 // 8] = ctypes.addressof(arguments)
        self.words[112 // 8] = ctypes.addressof(returned)


def program_of(function, arguments, mapped):
    one = [x[0] if own else x for x, own in zip(arguments, mapped, strict=True)]
    structs = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in one]
    return Program(jax.make_jaxpr(function)(*structs), function.__name__)


@pytest.fixture
def driver(monkeypatch, tmp_path):
    fake = FakeDriver()
    DRIVERS.append(fake)
    monkeypatch.setenv("JAXOSIM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cuda, "driver", lambda: fake)
    monkeypatch.setattr(cuda, "_registered", {})
    cuda._architecture.cache_clear()
    yield fake
    cuda._architecture.cache_clear()


def started(case, driver):
    """The function that XLA would call, its kernel, and arrays as XLA would give them."""
    function, arguments, mapped = CASES[case]
    kernel = cuda.compile_for_cuda(program_of(function, arguments, mapped), mapped)
    device = kernel.program
    given = [
        np.ascontiguousarray(np.moveaxis(np.asarray(arguments[i]), 0, -1))
        if mapped[i]
        else np.asarray(arguments[i])
        for i in device.used
    ]
    axes = [0 if own else None for own in mapped]
    expected = jax.vmap(function, axes)(*map(jnp.asarray, arguments))
    results = [np.zeros((*x.shape[1:], WORLDS), x.dtype) for x in expected]
    extra = (device.table_buffer, cuda.buffer_bytes(device, WORLDS))
    outputs = [*results, *(np.zeros(size, np.uint8) for size in extra if size)]
    host = ctypes.CFUNCTYPE(None, *[WORD] * 4)(linked(device.host_ir()).address)

    def work(parameters):
        words = [ctypes.c_size_t.from_address(parameters[k]).value for k in range(3)]
        arrays = (WORD * (len(given) + len(results)))(
            *(WORD.from_address(parameters[3 + k]).value for k in range(len(given) + len(results)))
        )
        assert words[2] == WORLDS
        host(ctypes.addressof(arrays), WORLDS, words[0], words[1])

    driver.work = work
    driver.calls.clear()
    address = cuda._registered[kernel.target][0].address
    entry = ctypes.CFUNCTYPE(WORD, WORD)(address)
    return entry, kernel, given, outputs, expected


@pytest.mark.parametrize("most_local", [ptx.MOST_LOCAL, 0])
@pytest.mark.parametrize("case", ["scans", "of_shared"])
def test_the_function_that_xla_calls_starts_the_kernels(case, most_local, driver, monkeypatch):
    monkeypatch.setattr(ptx.device_program, "__defaults__", (4000, most_local))
    entry, kernel, given, outputs, expected = started(case, driver)
    frame = Frame(given, outputs)
    assert entry(ctypes.addressof(frame.words)) is None and not frame.errors
    first = [(TABLE_KERNEL, 1, 1, 1, 1, 1, 1, STREAM)] if kernel.program.table_bytes else []
    assert driver.calls == [
        ("push", CONTEXT), *first, (KERNEL, 3, 1, 1, 128, 1, 1, STREAM), ("pop",)
    ]  # fmt: skip
    assert bool(first) == (case == "of_shared")
    for found, right in zip(outputs, expected, strict=False):
        np.testing.assert_allclose(np.moveaxis(found, -1, 0), right, rtol=2e-6, atol=2e-6)
    assert (kernel.registers, kernel.local_bytes) == (255, 4096)


@pytest.mark.parametrize("refusing", ["stream", "launch"])
def test_what_the_driver_refuses_is_an_error(refusing, driver):
    entry, kernel, given, outputs, _ = started("scans", driver)
    driver.refusing.add(refusing)
    frame = Frame(given, outputs)
    assert entry(ctypes.addressof(frame.words)) == 4242
    ((message, code),) = frame.errors
    assert kernel.target in message and code == 13
    assert driver.calls.count(("push", CONTEXT)) == driver.calls.count(("pop",))


def test_no_worlds_start_nothing(driver):
    entry, _, given, outputs, _ = started("scans", driver)
    empty = [np.zeros((*x.shape[:-1], 0), x.dtype) for x in outputs]
    assert entry(ctypes.addressof(Frame(given, empty).words)) is None
    assert driver.calls == []


def test_the_function_tells_the_version_of_the_interface(driver):
    entry, *_ = started("scans", driver)
    metadata, extension, frame = ((ctypes.c_size_t * n)() for n in (6, 4, 24))
    extension[3], frame[1] = ctypes.addressof(metadata), ctypes.addressof(extension)
    assert entry(ctypes.addressof(frame)) is None
    assert metadata[3] >> 32 == cuda.api_minor() and metadata[3] & 0xFFFFFFFF == 0


def test_machine_code_comes_first_and_is_kept(driver, monkeypatch):
    if ptxas.find() is None:
        pytest.skip("no ptxas here")
    kernel = started("arithmetic", driver)[1]
    code, text = driver.images
    assert code.startswith(b"\x7fELF") and text.startswith(b"//")
    monkeypatch.setattr(ptxas, "assemble", None)  # it would fail
    digest = kernel.target.removeprefix("jaxosim_cuda_")
    assert ptxas.machine_code(digest, text.decode(), "sm_90") == code


@pytest.mark.parametrize("alone", [False, True])
def test_a_call_lowers_for_cuda_with_the_world_as_the_fastest_axis(alone, driver):
    mlir.register_lowering(operation_p, cuda.lower_for_cuda, platform="cuda")
    function, arguments, mapped = CASES["of_shared"]
    arguments = [jnp.asarray(x) for x in arguments]
    run = fused(function)
    batch = jax.jit(run if alone else jax.vmap(run, (None, 0)))
    given = (arguments[0], arguments[1][0]) if alone else arguments
    checks = [export.DisabledSafetyCheck.custom_call(t) for t in _targets(given, batch)]
    text = export.export(batch, platforms=["cuda"], disabled_checks=checks)(*given).mlir_module()
    count = 1 if alone else WORLDS
    assert "custom_call @jaxosim_cuda_" in text
    assert f"tensor<{count}x5xf32>" in text
    assert "dense<[0, 1]> : tensor<2xindex>" in text  # minor to major: the world first


def test_the_layout_of_the_interface_is_the_one_that_jaxlib_ships():
    header = pathlib.Path(jax.ffi.include_dir(), "xla/ffi/api/c_api.h").read_text("utf-8")
    api = header[header.index("struct XLA_FFI_Api {") :]
    fields = re.findall(r"_XLA_FFI_API_STRUCT_FIELD\((\w+)\)", api)
    first = 16 + 24 + 8  # behind size, extension, version, and internal interface
    assert first + 8 * fields.index("XLA_FFI_Error_Create") == launcher._ERROR_CREATE
    assert first + 8 * fields.index("XLA_FFI_Stream_Get") == launcher._STREAM_GET


def test_code_that_is_refused_only_when_it_is_looked_at_gives_way_to_ptx(driver, monkeypatch):
    if ptxas.find() is None:
        pytest.skip("no ptxas here")
    monkeypatch.setattr(driver, "cuLibraryLoadData", lambda h, image, *_: load(image))
    monkeypatch.setattr(
        driver, "cuKernelGetAttribute", lambda *_: 209 if len(driver.images) == 1 else 201
    )

    def load(image):
        driver.images.append(image)
        return 0

    kernel = started("scans", driver)[1]
    assert len(driver.images) == 2 and kernel.registers is None  # 201 is no fault of the code


def _targets(given, batch):
    """Names of the calls that `export` is to let pass."""
    text = batch.trace(*given).lower(lowering_platforms=("cuda",)).as_text()
    return set(re.findall(r"custom_call @([\w.$]+)", text))


def test_without_a_driver_xla_runs_it(monkeypatch):
    mlir.register_lowering(operation_p, cuda.lower_for_cuda, platform="cuda")
    monkeypatch.setattr(cuda, "driver", lambda: None)
    run = jax.jit(jax.vmap(fused(lambda x: jnp.sin(x))))
    text = run.trace(jnp.ones((4, 3))).lower(lowering_platforms=("cuda",)).as_text()
    assert "custom_call" not in text


def test_too_large_a_program_is_left_to_xla_with_a_warning(driver, monkeypatch):
    monkeypatch.setattr(cuda, "MOST_BUFFER", -1)
    function, arguments, mapped = CASES["scans"]
    program = program_of(function, arguments, mapped)
    with pytest.warns(UserWarning, match="scans: its .* live numbers a world are too many"):
        assert cuda.kernel_of(program, tuple(mapped)) is None


def test_what_the_assembler_says_is_read():
    if ptxas.find() is None:
        pytest.skip("no ptxas here")
    function, arguments, mapped = CASES["of_shared"]
    program = program_of(function, arguments, mapped)
    device = ptx.device_program(cuda.scalars_of(program.jaxpr, mapped))
    for architecture in ("sm_80", "sm_90", "sm_100"):
        _, report = ptxas.assemble(ptx.ptx_of(device.device_ir("t")), architecture)
        assert 8 <= report.registers <= 255
        assert device.memory.places * device.memory.cell <= report.stack < 4096
