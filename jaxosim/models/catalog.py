"""The models that come with the package, by name."""

import difflib
import importlib.resources
import os
from pathlib import Path

from jaxosim.errors import quote

_SUFFIX = ".osim"


def bundled_models() -> tuple[str, ...]:
    """The names of the bundled models, in alphabetical order."""
    return tuple(sorted(path.stem for path in _assets().iterdir() if path.suffix == _SUFFIX))


def resolve(name_or_path: str | os.PathLike) -> Path:
    """The file of a bundled model, or the file at a path.

    Args:
      name_or_path: A name from `bundled_models()`, else a path to any `.osim` file.

    Raises:
      FileNotFoundError: it is neither.
    """
    names = bundled_models()
    if name_or_path in names:
        return _assets() / f"{name_or_path}{_SUFFIX}"
    text = os.fspath(name_or_path)
    path = Path(text)
    try:
        if text and path.exists():
            return path
    except (OSError, ValueError):
        pass  # too long, or no path at all: then it is not there
    stem = path.name.removesuffix(_SUFFIX)
    close = difflib.get_close_matches(stem[:80], names, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"bundled are {', '.join(names)}."
    raise FileNotFoundError(f"no bundled model and no file {quote(text)}: {hint}")


def _assets() -> Path:
    # The wheel installs the package as plain files, so a resource of it is a path.
    return Path(str(importlib.resources.files("jaxosim.models") / "assets"))
