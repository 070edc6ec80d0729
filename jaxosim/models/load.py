"""`load_model`: a bundled name or a path → (Model, Params), once for each content of a file."""

import dataclasses
import hashlib
import os
from collections import OrderedDict

import numpy as np

from jaxosim.forks import check_process
from jaxosim.models.catalog import resolve
from jaxosim.models.compile import compile_model
from jaxosim.models.osim_xml import read_bytes
from jaxosim.models.precision import in_working_precision
from jaxosim.models.reader import parse_model
from jaxosim.types import Model, Params

_KEPT = 64  # models
_compiled: OrderedDict[tuple[str, bytes], tuple[Model, Params]] = OrderedDict()


def _compile_once(path: str, content: bytes) -> tuple[Model, Params]:
    """One Model for one content of one file, so that what is traced with it is compiled once."""
    home = os.path.abspath(path)
    key = home, hashlib.sha256(content).digest()
    found = _compiled.get(key)
    if found is None:
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            model, numbers = compile_model(parse_model(content, path))
        # What a relative path means may change before somebody looks for the file's meshes.
        found = dataclasses.replace(model, source=home), numbers
    # Last in the queue again; the same Model to threads that load it at once.
    found = _compiled[key] = _compiled.pop(key, found)
    if len(_compiled) > _KEPT:
        _compiled.popitem(last=False)
    return found


def load_model(name_or_path: str | os.PathLike[str]) -> tuple[Model, Params]:
    """Read a bundled model or any `.osim` file.

    Cached by path and content: a second call returns the same Model, so nothing compiles twice.

    Args:
      name_or_path: a bundled name (`bundled_models()` lists them) or a path.

    Returns:
      Structure and numbers; numbers are float64 if JAX's x64 mode is on, else float32.

    Raises:
      OsimFormatError: the file cannot be read as an OpenSim model, or not in float32.
      UnsupportedComponentError: it holds components that we would simulate wrongly.
      RuntimeError: this process was forked from one that had used JAX.
    """
    check_process()
    path = resolve(name_or_path)
    model, numbers = _compile_once(os.fspath(path), read_bytes(path))
    return model, in_working_precision(model, numbers)
