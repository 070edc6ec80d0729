"""The folder in which compiled code is kept between processes.

It is `JAXOSIM_CACHE_DIR`, or `jaxosim` in the user's cache directory; an empty `JAXOSIM_CACHE_DIR`
keeps nothing. `kernels` has the machine code of `jaxosim.fused`, `programs` that of XLA. Everything
in them may be deleted at any time.
"""

import os
import pathlib
import re
import shutil

VARIABLE = "JAXOSIM_CACHE_DIR"
# What is ours in the folder, which may be one that holds other things too.
_KERNEL = re.compile(r"(program-)?[0-9a-f]{32}|tmp\w+")
_PROGRAMS = re.compile(r"[0-9a-f]{32}")


def cache_directory() -> pathlib.Path | None:
    """Where compiled code is kept; None for nowhere."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return pathlib.Path(chosen) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "jaxosim"


def kernel_directory() -> pathlib.Path | None:
    """Where the machine code of `jaxosim.fused` is kept; None for nowhere."""
    directory = cache_directory()
    return None if directory is None else directory / "kernels"


def program_directory() -> pathlib.Path | None:
    """Where the machine code of XLA is kept, a folder for each kind of machine; or None."""
    directory = cache_directory()
    return None if directory is None else directory / "programs"


def kept_files() -> dict[str, list[pathlib.Path]]:
    """The files of compiled code, under "kernels" and "programs"."""
    kernels = _children(kernel_directory(), _KERNEL)
    folders = _children(program_directory(), _PROGRAMS)
    return {
        "kernels": [path for path in kernels if path.is_file()],
        "programs": [path for each in folders for path in each.rglob("*") if path.is_file()],
    }


def clear() -> None:
    """Delete all compiled code that is kept, and nothing else.

    Raises:
      OSError: a file cannot be deleted.
    """
    for path in kept_files()["kernels"]:
        path.unlink(missing_ok=True)
    for path in _children(program_directory(), _PROGRAMS):
        shutil.rmtree(path)


def _children(directory: pathlib.Path | None, name: re.Pattern[str]) -> list[pathlib.Path]:
    """The files and folders of a folder that have such a name; none where there is no folder."""
    if directory is None or not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if name.fullmatch(path.name))
