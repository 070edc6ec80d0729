"""A `.sto` or `.mot` file: a header, column labels, and one row of numbers per time.

Three headers occur. OpenSim's own (`nRows=`, `nColumns=`, `inDegrees=`, `version=`), SIMM's
(`datarows 11`, `datacolumns 3`, `otherdata 1`), and none of these keys at all. All end with a line
`endheader`; columns are parted by tabs or spaces. Angles are in degrees after `inDegrees=yes`,
after a comment that says so, and in a `.mot` without a version; else in radians.

Source: OpenSim `STOFileAdapter`, `Storage`.
"""

import os
import stat
from dataclasses import dataclass

import numpy as np

from jaxosim.errors import TableFormatError
from jaxosim.models.osim_xml import quote

MAX_BYTES = 512 * 1024 * 1024
_MAX_HEADER_LINES = 1000
_COUNTS = {"nRows": "rows", "datarows": "rows", "nColumns": "columns", "datacolumns": "columns"}
_YES_NO = {"yes": True, "y": True, "no": False, "n": False}
_TIME = "time"


@dataclass(frozen=True)
class Table:
    """Numbers against time.

    Attributes:
      labels: of the columns, time left out.
      time: `[time]` (s).
      values: `[time, column]`, as in the file.
      in_degrees: whether angles among them are in degrees.
      name: first line of the header.
      source: the file, for messages.
    """

    labels: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    in_degrees: bool = False
    name: str = ""
    source: str = "table"

    def column(self, label: str) -> np.ndarray:
        """Values `[time]` of the column of this label.

        Raises:
          TableFormatError: there is none.
        """
        if label not in self.labels:
            raise TableFormatError(f"{self.source}: expected a column {quote(label)}")
        return self.values[:, self.labels.index(label)]


@dataclass
class _Header:
    """What the lines before `endheader` say."""

    name: str = ""
    rows: int | None = None
    columns: int | None = None
    in_degrees: bool | None = None
    has_version: bool = False
    line_count: int = 0


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a `.sto` or `.mot` file.

    Raises:
      TableFormatError: it is none, or contradicts itself; the message names file and line.
      OSError: the file cannot be read.
    """
    source = os.fspath(path)
    lines = _read_lines(source)
    header = _read_header(source, lines)
    number = header.line_count
    while number + 1 < len(lines) and not lines[number].strip():
        number += 1
    labels = _read_labels(source, lines, number, header)
    rows = _read_rows(source, lines, number + 1, len(labels))
    if header.rows is not None and header.rows != len(rows):
        raise TableFormatError(
            f"{source}: expected {header.rows} rows, as its header says, found {len(rows)}"
        )
    return Table(
        labels=labels[1:],
        time=rows[:, 0],
        values=rows[:, 1:],
        in_degrees=_in_degrees(source, header),
        name=header.name,
        source=source,
    )


def write_table(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table as OpenSim 4 writes them; every number is read back exactly.

    Args:
      path: the file to write; overwritten.
      table: what to write; its `source` is not used.

    Raises:
      TableFormatError: labels and values do not fit each other, or a label holds white space.
      OSError: the file cannot be written.
    """
    for label in (*table.labels,):
        if not label or label.split() != [label]:
            raise TableFormatError(f"{table.source}: expected a label of one word: {quote(label)}")
    if table.values.shape != (len(table.time), len(table.labels)):
        expected = (len(table.time), len(table.labels))
        raise TableFormatError(
            f"{table.source}: expected values of shape {expected}, got {table.values.shape}"
        )
    rows = np.column_stack([table.time, table.values]).astype(np.float64)
    header = [
        " ".join(table.name.split()) or "table",
        f"inDegrees={'yes' if table.in_degrees else 'no'}",
        f"nColumns={rows.shape[1]}",
        f"nRows={rows.shape[0]}",
        "DataType=double",
        "version=3",
        "endheader",
        "\t".join([_TIME, *table.labels]),
    ]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in header)
        file.writelines("\t".join(map(repr, row)) + "\n" for row in rows.tolist())


def _read_lines(source: str) -> list[str]:
    status = os.stat(source)
    if not stat.S_ISREG(status.st_mode):  # a pipe or device would block or never end
        raise TableFormatError(f"{source}: expected a file, this is a directory or device")
    if status.st_size > MAX_BYTES:
        raise TableFormatError(f"{source}: expected at most {MAX_BYTES} bytes")
    with open(source, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")  # names with accents, saved by an old editor
    if "\0" in text:
        raise TableFormatError(f"{source}: expected a text table, found binary data")
    return text.split("\n")


def _read_header(source: str, lines: list[str]) -> _Header:
    header = _Header()
    for number, raw in enumerate(lines[:_MAX_HEADER_LINES], start=1):
        line = raw.strip()
        if line.lower() == "endheader":
            header.line_count = number
            return header
        _read_header_line(header, f"{source}, line {number}", line)
        if number == 1:
            header.name = line.removeprefix("name ").strip()
    raise TableFormatError(f"{source}: expected a line 'endheader' in the first lines")


def _read_header_line(header: _Header, place: str, line: str) -> None:
    """Note what one line says; lines that say nothing we know are comments."""
    key, equals, value = line.partition("=")
    if not equals:
        key, _, value = line.partition(" ")
    key, value = key.strip(), value.strip()
    if key in _COUNTS:
        if not value.isdecimal():
            raise TableFormatError(f"{place}: expected a number after {key}, found {quote(value)}")
        setattr(header, _COUNTS[key], int(value))
    elif key == "inDegrees" and equals:
        if value.lower() not in _YES_NO:
            raise TableFormatError(f"{place}: expected inDegrees=yes or no, found {quote(value)}")
        header.in_degrees = _YES_NO[value.lower()]
    elif key == "DataType" and equals and value != "double":
        raise TableFormatError(
            f"{place}: expected DataType=double, found {quote(value)}: tables of vectors and "
            "rotations are not read"
        )
    elif key == "version" and equals:
        header.has_version = value not in ("", "0")
    elif "angles are in degrees" in line.lower():
        header.in_degrees = True


def _in_degrees(source: str, header: _Header) -> bool:
    """The unit of angles, by OpenSim's rule for files that do not say it."""
    if header.in_degrees is not None:
        return header.in_degrees
    return source.lower().endswith(".mot") and not header.has_version


def _read_labels(source: str, lines: list[str], number: int, header: _Header) -> tuple[str, ...]:
    place = f"{source}, line {number + 1}"
    line = lines[number].strip() if number < len(lines) else ""
    # OpenSim allows spaces within labels where tabs part them.
    labels = tuple(word.strip() for word in (line.split("\t") if "\t" in line else line.split()))
    if not labels or labels[0].lower() != _TIME:
        raise TableFormatError(
            f"{place}: expected column labels, 'time' first, found {quote(line)}"
        )
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise TableFormatError(f"{place}: expected unlike labels, {quote(repeated[0])} is twice")
    if header.columns is not None and header.columns != len(labels):
        raise TableFormatError(
            f"{place}: expected {header.columns} labels, as the header says, found {len(labels)}"
        )
    return labels


def _read_rows(source: str, lines: list[str], first: int, column_count: int) -> np.ndarray:
    """All rows as `[time, column]`, time first."""
    rows = []
    for number, line in enumerate(lines[first:], start=first + 1):
        words = line.split()
        if not words:
            continue
        if len(words) != column_count:
            raise TableFormatError(
                f"{source}, line {number}: expected {column_count} numbers, found {len(words)}"
            )
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            bad = next(word for word in words if not _is_number(word))
            raise TableFormatError(
                f"{source}, line {number}: expected a number, found {quote(bad)}"
            ) from None
        if not np.isfinite(rows[-1][0]) or (len(rows) > 1 and rows[-1][0] < rows[-2][0]):
            raise TableFormatError(
                f"{source}, line {number}: expected a time not before the last, found {words[0]}"
            )
    if not rows:
        raise TableFormatError(f"{source}: expected at least one row of numbers")
    return np.array(rows)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
