"""Files that are written whole or not at all, and files beside a model.

A file is written beside its place under a name that nobody has, synced, and renamed. So whatever
ends the writing, a full disk, an error, a signal, the power, leaves what was there before.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from jaxosim.host import interrupts

_TOKEN_BYTES = 8
_STEM_LENGTH = 40  # of the name that goes on: file systems allow 255 bytes
_underway: set[Path] = set()  # files of blocks that have not ended


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new, empty file beside `path` that takes its place when the block ends well.

    It has the suffix of `path`, and is made before the block begins, so that a folder in which
    nothing can be written is found out at once. On any exception it is removed. A process that is
    killed leaves it behind, named `.run.0123456789abcdef.npz` for `run.npz`; it can be deleted.

    Args:
      path: the file to write. A link is followed. What is no regular file (a device, a pipe) is
        written in place, and so is the new file of another block.

    Raises:
      OSError: the file cannot be written; the message names it.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(path, target)
    if target in _underway or (mode is not None and not stat.S_ISREG(mode)):
        yield target
        return
    token = secrets.token_hex(_TOKEN_BYTES)  # no number of a process, which comes again
    unfinished = target.with_name(f".{target.stem[:_STEM_LENGTH]}.{token}{target.suffix}")
    interrupts.unfinished.add(unfinished)  # before it is made: an interrupt then removes it
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        interrupts.unfinished.discard(unfinished)
        raise _cannot_write(path, error) from error
    _underway.add(unfinished)
    try:
        if mode is not None:
            unfinished.chmod(stat.S_IMODE(mode))
        yield unfinished
        _sync(unfinished)
        unfinished.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        # A full disk names no file, and other errors a name that the user never gave.
        if error.strerror and error.filename in (None, str(unfinished)):
            raise _cannot_write(path, error) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)
        _underway.discard(unfinished)
        interrupts.unfinished.discard(unfinished)


def _mode(path: str | os.PathLike[str], target: Path) -> int | None:
    """Kind and permissions of the file that will be replaced, None if there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot_write(path, error) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"cannot write {os.fspath(path)}: it is a directory")
    if not os.access(target, os.W_OK):  # a rename would pass over the write protection
        raise PermissionError(f"cannot write {os.fspath(path)}: it is write-protected")
    return mode


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> OSError:
    """The same kind of error, with the name that the user gave."""
    named = type(error)(f"cannot write {os.fspath(path)}: {error.strerror}")
    named.errno = error.errno
    return named


def _sync(path: Path) -> None:
    """Wait until the file's bytes lie on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until the new name lies on the disk, where the system knows how."""
    with contextlib.suppress(OSError):  # Windows opens no folders; some file systems sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def find_within(folder: Path | None, name: str) -> Path | None:
    """The file of a name in a folder or below; None if there is none, or wherever links lead out.

    Args:
      folder: where to look; nowhere if None.
      name: relative to the folder.
    """
    if folder is None or "\0" in name:
        return None
    root = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(root / name))
    return path if path.is_relative_to(root) and path.is_file() else None
