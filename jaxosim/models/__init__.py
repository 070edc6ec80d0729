"""Reading models: `.osim` file → ModelSpec → (Model, Params). Host and NumPy only, never traced."""

import os
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxosim.forks import check_process
from jaxosim.models.catalog import bundled_models, resolve
from jaxosim.models.compile import compile_model
from jaxosim.models.reader import parse_model, read_model
from jaxosim.types import Model, Params

__all__ = ["bundled_models", "compile_model", "load_model", "parse_model", "read_model"]


@lru_cache(maxsize=64)
def _load(path: Path, changed: int) -> tuple[Model, Params]:
    """One file, read once as long as it does not change: one Model compiles once."""
    return compile_model(read_model(path))


def load_model(name_or_path: str | os.PathLike[str]) -> tuple[Model, Params]:
    """Read a bundled model or any `.osim` file.

    Cached by file: a second call returns the same Model, so nothing compiles twice.

    Args:
      name_or_path: a bundled name (`bundled_models()` lists them) or a path.

    Returns:
      Structure and numbers; numbers are float64 if JAX's x64 mode is on, else float32.

    Raises:
      OsimFormatError: the file cannot be read as an OpenSim model.
      UnsupportedComponentError: it holds components that we would simulate wrongly.
      RuntimeError: this process was forked from one that had used JAX.
    """
    check_process()
    path = resolve(name_or_path)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    model, numbers = _load(path, changed)
    return model, jax.tree.map(jnp.asarray, numbers)
