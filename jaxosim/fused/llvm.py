"""LLVM in this process, by llvmlite: IR to machine code, kept on disk, no compiler needed.

An object file is kept under a name that is a digest of the IR, the processor and LLVM's version, in
the folder of `jaxosim.host.cache`.
"""

import dataclasses
import functools
import hashlib
import os
import sys
import tempfile
from typing import Any

from jaxosim.host.cache import kernel_directory

_LEVELS = ("0", "1", "2", "3")
_LEAST_VERSION = (0, 45)  # of llvmlite: before, its LLVM does not read `splat`


@functools.cache
def _binding() -> Any:
    """Llvmlite's binding; None where it is missing or too old."""
    try:
        import llvmlite
        import llvmlite.binding as binding
    except ImportError:
        return None
    parts = tuple(int(part) for part in llvmlite.__version__.split(".")[:2])
    if parts < _LEAST_VERSION:
        return None
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def is_available() -> bool:
    """Whether kernels can be compiled here."""
    return _binding() is not None and sys.byteorder == "little" and os.name == "posix"


@dataclasses.dataclass(frozen=True)
class Processor:
    """What code is made for.

    Attributes:
      name: as LLVM calls it.
      features: as LLVM lists them.
      vector_bytes: of its widest vector registers.
      has_permutations: whether it can choose among 16 numbers of a register.
    """

    name: str
    features: str
    vector_bytes: int
    has_permutations: bool


@functools.cache
def host() -> Processor:
    """The processor of this machine.

    `JAXOSIM_VECTOR_BYTES` asks for narrower vectors than it has.
    """
    binding = _binding()
    features = binding.get_host_cpu_features()
    widest = 64 if features.get("avx512f") else 32 if features.get("avx2") else 16
    asked = int(os.environ.get("JAXOSIM_VECTOR_BYTES", widest))
    if asked not in (16, 32, 64):
        raise ValueError(f"JAXOSIM_VECTOR_BYTES: expected 16, 32 or 64, got {asked}")
    return Processor(
        binding.get_host_cpu_name(), features.flatten(), asked, bool(features.get("avx512f"))
    )


@functools.cache
def level() -> int:
    """Of LLVM's code generator: 2 takes twice the time of 1 for a twentieth of speed.

    A program that runs its kernels only a few times may ask for 0 by `JAXOSIM_LLVM_LEVEL`.

    Raises:
      ValueError: what is asked for is no level.
    """
    asked = os.environ.get("JAXOSIM_LLVM_LEVEL", "1")
    if asked not in _LEVELS:
        raise ValueError(f"JAXOSIM_LLVM_LEVEL: expected 0, 1, 2 or 3, got {asked!r}")
    return int(asked)


def digest_of(ir: str) -> str:
    """The name under which the code of this IR is kept."""
    binding = _binding()
    processor = host()
    version = ".".join(map(str, binding.llvm_version_info))
    parts = (ir, processor.name, processor.features, version, str(level()))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def object_code(ir: str) -> bytes:
    """Machine code of IR for this processor.

    Raises:
      RuntimeError: LLVM does not accept the IR.
    """
    binding = _binding()
    processor = host()
    module = binding.parse_assembly(ir)
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=processor.name,
        features=processor.features,
        opt=level(),
        reloc="pic",
        codemodel="default",
    )
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    return machine.emit_object(module)


class Code:
    """Machine code in memory; lives as long as the process, as XLA may call it at any time."""

    def __init__(self, code: bytes, symbol: str) -> None:
        """Link it; `symbol` is the function that is wanted."""
        binding = _binding()
        linker = _linker()
        builder = binding.JITLibraryBuilder()
        builder.add_object_img(code)
        builder.add_current_process()
        builder.export_symbol(symbol)
        library = hashlib.sha256(code).hexdigest()[:32]
        self._tracker = builder.link(linker, library)
        self.address = self._tracker[symbol]


@functools.cache
def _linker() -> Any:
    binding = _binding()
    processor = host()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=processor.name, features=processor.features, opt=level(), reloc="pic", jit=True
    )
    # JITLink puts code and constants side by side; the older linker aborts the process where large
    # memory has left no room for both within reach of each other.
    return binding.create_lljit_compiler(machine, use_jit_link=True)


# --------------------------------------------------------------------------------- on disk


def kept(name: str) -> bytes | None:
    """What is kept under a name; None if nothing is, or it is damaged."""
    directory = kernel_directory()
    if directory is None:
        return None
    try:
        content = (directory / name).read_bytes()
    except OSError:
        return None
    checksum, data = content[:32], content[32:]
    return data if hashlib.sha256(data).digest() == checksum else None


def keep(name: str, data: bytes) -> None:
    """Keep data under a name, all or nothing; a disk that cannot be written to is no error."""
    directory = kernel_directory()
    if directory is None:
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, delete=False) as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(file.name, directory / name)
    except OSError:
        return
