"""JAX's persistent compilation cache, in the folder where jaxosim keeps compiled code.

JAX keeps no programs unless it is told where. What a user starts as a program (the command line,
osim-rl's classes, the adapters, the examples) tells it; the functions of the library leave JAX's
configuration alone.
"""

import hashlib
import platform

import jax
import jaxlib.version

from jaxosim.fused import llvm
from jaxosim.host import cache


def use_compilation_cache() -> None:
    """Let XLA's programs be kept on disk, so that a later process need not compile them again.

    Nothing happens if a `jax_compilation_cache_dir` is set already, or if `JAXOSIM_CACHE_DIR` is
    empty or cannot be written to. Programs for another processor or of another JAX lie apart, as a
    home directory may be shared by machines that differ.
    """
    directory = cache.program_directory()
    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if directory is None or chosen is not None:
        return
    directory = directory / _machine()
    try:  # JAX would raise when it compiles
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(directory))
    # By default what compiles in less than a second is not kept; a first step has many of these.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _machine() -> str:
    """Digest of what machine code depends on beside its program."""
    if llvm.is_available():
        host = llvm.host()
        processor = (host.name, host.features)
    else:  # unknown: each machine for itself
        processor = (platform.machine(), platform.node())
    parts = (*processor, jax.__version__, jaxlib.version.__version__)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
