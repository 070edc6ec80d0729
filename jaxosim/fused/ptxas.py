"""NVIDIA's assembler, where one is installed: PTX to machine code, and what a kernel then takes.

CUDA's wheels for JAX bring it along. Without it the driver assembles the PTX itself and keeps what
it has made in a cache of its own; with it, machine code is kept beside the kernels for CPUs.
"""

import dataclasses
import functools
import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from jaxosim.fused import llvm

_PLACES = ("cuda_nvcc/bin/ptxas", "cu13/bin/ptxas", "cu12/bin/ptxas")  # in the package `nvidia`
_TIME_LIMIT = 900  # seconds
_FRAME = re.compile(r"\d+ bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_STACK = re.compile(r"(\d+) bytes cumulative stack size")


@dataclasses.dataclass(frozen=True)
class Report:
    """What the kernels of a program take, by the assembler.

    Attributes:
      registers: of a thread.
      stack: bytes of local memory of a thread, scratch memory in it included.
      spill_stores: bytes that instructions for spilling store, of all functions, each once.
      spill_loads: bytes that they load.
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int

    @classmethod
    def read(cls, text: str) -> "Report":
        """From what `ptxas -v` writes; the kernel that takes most stands for all."""
        frames = _FRAME.findall(text)
        return cls(
            registers=max(map(int, _REGISTERS.findall(text)), default=0),
            stack=max(map(int, _STACK.findall(text)), default=0),
            spill_stores=sum(int(stores) for stores, _ in frames),
            spill_loads=sum(int(loads) for _, loads in frames),
        )


@functools.cache
def find() -> str | None:
    """The assembler's path; None where there is none."""
    toolkit = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    for folder in (None, str(pathlib.Path(toolkit) / "bin")):
        found = shutil.which("ptxas", path=folder)
        if found is not None:
            return found
    package = importlib.util.find_spec("nvidia")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for place in _PLACES:
            path = pathlib.Path(folder) / place
            if os.access(path, os.X_OK):
                return str(path)
    return None


@functools.cache
def version() -> str:
    """What the assembler says of itself; nothing where there is none."""
    path = find()
    if path is None:
        return ""
    return subprocess.run([path, "--version"], capture_output=True, text=True).stdout


def assemble(ptx: str, architecture: str) -> tuple[bytes, Report]:
    """Machine code of PTX, e.g. for "sm_90".

    Raises:
      RuntimeError: there is no assembler, or it refuses.
    """
    path = find()
    if path is None:
        raise RuntimeError("ptxas: not found; expected it on PATH or with the nvidia wheels")
    with tempfile.TemporaryDirectory() as directory:
        source, target = pathlib.Path(directory, "k.ptx"), pathlib.Path(directory, "k.cubin")
        source.write_text(ptx, encoding="ascii")
        command = [path, "-v", f"-arch={architecture}", str(source), "-o", str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(f"ptxas: {error}") from error
        if done.returncode:
            raise RuntimeError(f"ptxas: {done.stderr.strip()}")
        return target.read_bytes(), Report.read(done.stdout + done.stderr)


def machine_code(key: str, ptx: str, architecture: str) -> bytes | None:
    """Machine code, kept on disk under a key that tells the PTX; None where it cannot be made."""
    if find() is None:
        return None
    parts = "\0".join((key, architecture, version()))
    name = "cuda_" + hashlib.sha256(parts.encode()).hexdigest()[:32]
    code = llvm.kept(name)
    if code is None:
        try:
            code = assemble(ptx, architecture)[0]
        except RuntimeError:  # an assembler older than the GPU: the driver will know better
            return None
        llvm.keep(name, code)
    return code
