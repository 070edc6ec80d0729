"""The lines of a table before `endheader`, read as OpenSim's `Storage` reads them.

Three headers occur: OpenSim's own (`nRows=`, `nColumns=`, `inDegrees=`, `version=`), SIMM's
(`datarows 11`, `datacolumns 3`, `otherdata 1`), and none of these keys at all. A key ends at the
first blank or `=`.

The unit of angles is decided by `inDegrees`. Without it, by a line `Angles are in degrees.` or
`Angles are in radians.` that no version precedes; in a `.mot` that names no version angles are in
degrees whatever such a line says.

Source: OpenSim `Storage::parseHeaders` and `Storage::Storage`, `DelimFileAdapter::extendRead`.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from jaxosim.errors import TableFormatError, quote

_MAX_LINES = 1000
_MAX_NOTES = 3  # that are told in words
_COUNTS = {
    "nRows": "rows",
    "nr": "rows",
    "datarows": "rows",
    "nColumns": "columns",
    "nc": "columns",
    "datacolumns": "columns",
}
_YES_NO = {"yes": True, "y": True, "no": False, "n": False}
_ANGLES = {"Angles are in degrees.": True, "Angles are in radians.": False}
_NO_NAMES = {"#", "range", "Range", "wrap", "Wrap", "WRAP", "event", "units"} | {
    "enforce_loops",
    "enforce_constraints",
    "calc_derivatives",
}
_KEY = re.compile(r"([^ \t=]*)([ \t=]*)(.*)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}(?![0-9])")  # longer ones count nothing


class Notes:
    """What has to be told of a file: the first few, and how many there are."""

    def __init__(self) -> None:
        """None yet."""
        self._first: list[str] = []
        self._count = 0

    def add(self, note: str) -> None:
        """One more."""
        if len(self._first) < _MAX_NOTES:
            self._first.append(note)
        self._count += 1

    def __str__(self) -> str:
        """All in one line, empty if there are none."""
        more = self._count - len(self._first)
        return "; ".join(self._first) + (f"; and {more} more" if more else "")


@dataclass
class Header:
    """What the lines before `endheader` say.

    Attributes:
      name: of the table.
      rows: how many rows it promises, and on which line.
      columns: how many columns, time included, and on which line.
      version: of the format; 0 if none is named.
      flag: what `inDegrees` says.
      comment: what the last line on angles says that no version precedes.
      storage: the unit that `Storage` has understood so far.
      line_count: lines up to `endheader`.
      notes: what has to be told of the file.
    """

    name: str = ""
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    version: int = 0
    flag: bool | None = None
    comment: bool | None = None
    storage: bool = False
    line_count: int = 0
    notes: Notes = field(default_factory=Notes)


def read_header(source: str, lines: Iterator[str]) -> Header:
    """Read the lines up to `endheader`, and none after it.

    Raises:
      TableFormatError: there is no such line, or a line contradicts another.
    """
    header = Header()
    is_first = True
    for number, raw in enumerate(itertools.islice(lines, _MAX_LINES), start=1):
        line = raw.strip(" \t\r")
        if line.lower() == "endheader":
            header.line_count = number
            return header
        if line:
            is_known = _read_line(header, source, number, line)
            if is_first and not is_known:
                header.name = line
            is_first = False
    raise TableFormatError(f"{source}: expected a line 'endheader' in the first lines")


def name_line(name: str) -> str:
    """A first line that is read as this name, whatever keys it may look like."""
    line = " ".join(name.split()) or "table"
    try:
        is_key = line.lower() == "endheader" or _read_line(Header(), "", 1, line)
    except TableFormatError:
        is_key = True
    return f"name {line}" if is_key else line


def in_degrees(source: str, header: Header) -> bool:
    """Whether angles are in degrees; a doubt is noted in the header."""
    # OpenSim differs: it takes the file for a .mot if any folder of its path is named so.
    storage = header.storage or (header.version < 1 and source.lower().endswith(".mot"))
    if header.flag is None:
        if header.comment is False and storage:
            header.notes.add(
                "the header says radians, but without a version=1 OpenSim takes angles of a .mot "
                "for degrees, and so are they read"
            )
        return storage
    if header.flag != storage:
        # OpenSim differs: its TimeSeriesTable has the flag, its Storage the opposite.
        unit = "yes" if header.flag else "no"
        header.notes.add(
            f"inDegrees={unit} is followed, as OpenSim's TimeSeriesTable does; its Storage takes "
            "the opposite, for want of a version=1 at the head"
        )
    return header.flag


def _read_line(header: Header, source: str, number: int, line: str) -> bool:
    """Note what one line says; returns whether its key is known, else it is a comment."""
    match = _KEY.fullmatch(line)
    key, separator, value = match.groups() if match else ("", "", line)
    if key == "name":
        header.name = value
    elif key in _COUNTS:
        count = _INTEGER.match(value)
        if count:
            setattr(header, _COUNTS[key], (int(count[0]), number))
        else:
            header.notes.add(f"line {number}: no number after {key}: {quote(value)}")
    elif key == "version":
        version = _INTEGER.match(value)
        header.version = int(version[0]) if version else 0
    elif key == "inDegrees":
        _read_flag(header, f"{source}, line {number}", value)
    elif line in _ANGLES and header.version == 0:
        header.comment = header.storage = _ANGLES[line]
    elif key == "DataType" and "=" in separator and value != "double":
        raise TableFormatError(
            f"{source}, line {number}: expected DataType=double, found {quote(value)}: tables of "
            "vectors and rotations are not read"
        )
    else:
        return key in _NO_NAMES
    return True


def _read_flag(header: Header, place: str, value: str) -> None:
    # OpenSim differs: Storage takes all that is not yes or y for no.
    flag = _YES_NO.get(value.lower())
    if flag is None:
        raise TableFormatError(f"{place}: expected inDegrees=yes or no, found {quote(value)}")
    if header.flag is not None and header.flag != flag:
        # OpenSim differs: TimeSeriesTable keeps the first, Storage the last.
        raise TableFormatError(f"{place}: expected one inDegrees, the header has said the opposite")
    header.flag = header.storage = flag
