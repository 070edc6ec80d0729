"""`load_model`: a bundled name or a path → (Model, Params), once for each content of its files."""

import dataclasses
import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxosim.host.forks import check_process
from jaxosim.models.catalog import resolve
from jaxosim.models.compile import compile_model
from jaxosim.models.external_loads import ExternalLoads, read_external_loads
from jaxosim.models.osim.reader import parse_model
from jaxosim.models.osim.xml import read_bytes
from jaxosim.models.precision import in_working_precision
from jaxosim.types import Model, Params

_KEPT = 64  # models
_Digests = dict[Path, bytes]
_compiled: OrderedDict[tuple[str, bytes, bytes], tuple[Model, Params, _Digests]] = OrderedDict()


def _compile_once(
    path: str, content: bytes, external_loads: ExternalLoads | None
) -> tuple[Model, Params]:
    """One Model for one content of its files, so that what is traced with it is compiled once."""
    home = os.path.abspath(path)
    loads = external_loads.digest if external_loads is not None else b""
    key = home, hashlib.sha256(content).digest(), loads
    found = _compiled.get(key)
    if found is not None and found[2] != _digests(found[2]):
        _compiled.pop(key, None)
        found = None
    if found is None:
        spec = parse_model(content, path, external_loads, Path(home).parent)
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            model, numbers = compile_model(spec)
        # What a relative path means may change before somebody looks for the file's meshes.
        found = dataclasses.replace(model, source=home), numbers, _digests(spec.files)
    # Last in the queue again; the same Model to threads that load it at once.
    found = _compiled[key] = _compiled.pop(key, found)
    if len(_compiled) > _KEPT:
        _compiled.popitem(last=False)
    return found[:2]


def _digests(files: Iterable[Path]) -> _Digests:
    """Digests of the contents of files; of one that cannot be read, an empty one."""
    found = {}
    for path in files:
        try:
            found[path] = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            found[path] = b""
    return found


def load_model(
    name_or_path: str | os.PathLike[str],
    external_loads: str | os.PathLike[str] | None = None,
) -> tuple[Model, Params]:
    """Read a bundled model or any `.osim` file.

    Cached by path and content: a second call returns the same Model, so nothing compiles twice.

    Args:
      name_or_path: a bundled name (`bundled_models()` lists them) or a path.
      external_loads: the path of an ExternalLoads file (`.xml`), whose forces act on the model as
        the table that it names gives them over time; none by default.

    Returns:
      Structure and numbers; numbers are float64 if JAX's x64 mode is on, else float32.

    Raises:
      OsimFormatError: the file cannot be read as an OpenSim model, or not in float32.
      UnsupportedComponentError: it holds components that we would simulate wrongly.
      TableFormatError: the table of the external loads cannot be read.
      OSError: there is no such table.
      RuntimeError: this process was forked from one that had used JAX.
    """
    check_process()
    path = resolve(name_or_path)
    loads = None if external_loads is None else read_external_loads(external_loads)
    model, numbers = _compile_once(os.fspath(path), read_bytes(path), loads)
    return model, in_working_precision(model, numbers)
