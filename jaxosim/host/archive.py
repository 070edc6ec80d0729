"""Named arrays in one file: NumPy's `.npz`, without pickle, and with bounds on what is read.

`numpy.savez` takes some names for its own arguments and pickles what is no array; `numpy.load`
takes `a.npy` for `a`, unpacks whatever the file claims, and advises to unpickle what it cannot
read. So both directions are done here; NumPy reads what is written.
"""

import contextlib
import errno
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from jaxosim.errors import TableFormatError
from jaxosim.host.files import replacing

_SUFFIX = ".npy"
_SMALL = 64 * 1024 * 1024  # bytes that any archive may unpack to
_MAX_RATIO = 100  # of larger ones to their file
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_KINDS = "biufcSUV"


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under their names; a file that is there is replaced when all is written.

    Args:
      path: of the file, written as it is named.
      arrays: of numbers or strings.

    Raises:
      ValueError: an array holds objects.
      OSError: the file cannot be written.
    """
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for name, values in arrays.items():
            with archive.open(name + _SUFFIX, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)


class Archive:
    """An `.npz` file that is open for reading; what it holds is asked before it is unpacked."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file and read its directory.

        Raises:
          TableFormatError: it is no archive of arrays, or unpacks to too much.
          OSError: it cannot be read.
        """
        self.source = os.fspath(path)
        status = os.stat(self.source)
        if not stat.S_ISREG(status.st_mode):  # a pipe or device would block or never end
            raise TableFormatError(f"{self.source}: expected a file, this is a directory or device")
        with _foreign(self.source):
            self._archive = zipfile.ZipFile(self.source)
        entries = self._archive.infolist()
        self._entries = {entry.filename.removesuffix(_SUFFIX): entry for entry in entries}
        bound = max(_SMALL, _MAX_RATIO * status.st_size)
        try:
            if sum(entry.file_size for entry in entries) > bound:
                raise TableFormatError(
                    f"{self.source}: expected at most {bound} bytes of arrays in a file so small"
                )
            named = all(entry.filename.endswith(_SUFFIX) for entry in entries)
            if not named or len(self._entries) < len(entries):
                raise TableFormatError(
                    f"{self.source}: expected an archive of arrays, each name once"
                )
        except TableFormatError:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        """The archive itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._archive.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arrays, in the order of the file."""
        return tuple(self._entries)

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and dtype of an array, without reading it.

        Raises:
          TableFormatError: what bears this name is no array.
        """
        with _foreign(self.source), self._archive.open(self._entries[name]) as member:
            shape, _, dtype = self._read_header(name, member)
        return shape, dtype

    def read(self, name: str) -> np.ndarray:
        """An array.

        Raises:
          TableFormatError: what bears this name is no array, or broken.
        """
        with _foreign(self.source), self._archive.open(self._entries[name]) as member:
            shape, order, dtype = self._read_header(name, member)
            data = bytearray(self._entries[name].file_size - member.tell())
            view = memoryview(data)
            while view:
                count = member.readinto(view)  # pyright: ignore[reportAttributeAccessIssue]
                if not count:
                    raise EOFError(f"{name} ends early")
                view = view[count:]
            return np.ndarray(shape, dtype, data, order=order)

    def _read_header(self, name: str, member: Any) -> tuple[tuple[int, ...], Any, np.dtype]:
        """Shape, order and dtype; refused if they do not fit the bytes that follow."""
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{name} has version {version} of NumPy's format")
        shape, fortran, dtype = _HEADERS[version](member)
        size = dtype.itemsize
        for length in shape:
            size *= length
        if dtype.kind not in _KINDS or dtype.hasobject:
            raise ValueError(f"{name} holds objects")
        if min(shape, default=0) < 0 or size != self._entries[name].file_size - member.tell():
            raise ValueError(f"{name} has another size than its header says")
        return shape, "F" if fortran else "C", dtype


@contextlib.contextmanager
def _foreign(source: str) -> Iterator[None]:
    """Turn what the bytes of strangers make zipfile and NumPy raise into our error."""
    try:
        yield
    except Exception as error:  # of a dozen kinds, OSError for impossible places among them
        is_ours = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if is_ours or isinstance(error, MemoryError):
            raise
        said = " ".join(str(error).split())
        raise TableFormatError(f"{source}: expected an archive of arrays: {said}") from error
