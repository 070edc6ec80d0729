"""A `.sto` or `.mot` file: a header, column labels, and one row of numbers per time.

Columns are parted by tabs or spaces. Where OpenSim's readers pass over a fault (numbers of rows and
columns that are not true, empty cells), so do we, with one warning; where its `TimeSeriesTable`
refuses (times that do not rise), so do we. `header.py` has the rules of the header.

Source: OpenSim `STOFileAdapter`, `Storage`.
"""

import codecs
import collections
import io
import os
import re
import stat
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxosim.errors import TableFormatError, TableFormatWarning, quote
from jaxosim.host.files import replacing
from jaxosim.sto.header import Header, Notes, in_degrees, name_line, read_header

MAX_BYTES = 512 * 1024 * 1024
_MAX_COLUMNS = 1_000_000  # a column costs hundreds of bytes, though its label may have two
_TIME = "time"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# What the libraries of C print for NaN: nan, -nan(ind), 1.#QNAN, -1.#IND0.
_NAN = re.compile(r"[+-]?(?:nan(?:\([a-z0-9_]*\))?|1\.#(?:qnan|snan|ind)0*)", re.IGNORECASE)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)


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


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a `.sto` or `.mot` file.

    What OpenSim reads though it is wrong is read likewise, and one `TableFormatWarning` names file
    and lines: counts in the header that are not true, a contradiction about degrees, cells that are
    empty or `-nan(ind)` (they become NaN).

    Raises:
      TableFormatError: it is none, or contradicts itself; the message names file and line.
      OSError: the file cannot be read.
    """
    source = os.fspath(path)
    lines = _read_lines(source)
    header = read_header(source, lines)
    number, line = header.line_count + 1, next(lines, "")
    while not line.strip() and (after := next(lines, None)) is not None:
        number, line = number + 1, after
    labels = _read_labels(f"{source}, line {number}", line)
    rows = _read_rows(source, lines, number + 1, len(labels), header.notes)
    _compare_counts(header, len(rows), len(labels))
    table = Table(
        labels=labels[1:],
        time=rows[:, 0],
        values=rows[:, 1:],
        in_degrees=in_degrees(source, header),
        name=header.name,
        source=source,
    )
    if told := str(header.notes):
        warnings.warn(f"{source}: {told}", TableFormatWarning, stacklevel=2)
    return table


def write_table(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table as OpenSim 4 writes them; every number is read back exactly.

    Args:
      path: the file to write; one that is there is replaced when all is written.
      table: what to write; its `source` is not used.

    Raises:
      TableFormatError: labels and values do not fit each other, a label holds white space or is
        there twice, or times do not rise.
      OSError: the file cannot be written.
    """
    for label in table.labels:
        if not label or label.split() != [label]:
            raise TableFormatError(f"{table.source}: expected a label of one word: {quote(label)}")
    if len({_TIME, *table.labels}) <= len(table.labels):
        raise TableFormatError(f"{table.source}: expected unlike labels, none of them 'time'")
    if table.values.shape != (len(table.time), len(table.labels)):
        expected = (len(table.time), len(table.labels))
        raise TableFormatError(
            f"{table.source}: expected values of shape {expected}, got {table.values.shape}"
        )
    if not np.all(np.isfinite(table.time)) or not np.all(np.diff(table.time) > 0):
        raise TableFormatError(f"{table.source}: expected finite times, each after the one before")
    rows = np.column_stack([table.time, table.values]).astype(np.float64)
    header = [
        name_line(table.name),
        f"inDegrees={'yes' if table.in_degrees else 'no'}",
        f"nColumns={rows.shape[1]}",
        f"nRows={rows.shape[0]}",
        "DataType=double",
        "version=3",
        "endheader",
        "\t".join([_TIME, *table.labels]),
    ]
    with (
        replacing(path) as unfinished,
        open(unfinished, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(line + "\n" for line in header)
        file.writelines("\t".join(map(repr, row.tolist())) + "\n" for row in rows)


def _read_lines(source: str) -> Iterator[str]:
    """The lines of a file one after the other; all at once would take twenty times their bytes."""
    status = os.stat(source)
    if not stat.S_ISREG(status.st_mode):  # a pipe or device would block or never end
        raise TableFormatError(f"{source}: expected a file, this is a directory or device")
    if status.st_size > MAX_BYTES:
        raise TableFormatError(f"{source}: expected at most {MAX_BYTES} bytes")
    with open(source, "rb") as file:
        data = file.read(status.st_size).removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        raise TableFormatError(f"{source}: expected a text table, found binary data")
    encoding = "utf-8"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "iso-8859-1"  # names with accents, saved by an old editor
    for line in io.BytesIO(data):
        yield line.decode(encoding).removesuffix("\n")


def _read_labels(place: str, line: str) -> tuple[str, ...]:
    line = line.strip()
    # OpenSim allows spaces within labels where tabs part them, and passes over empty ones.
    words = line.split("\t" if "\t" in line else None, _MAX_COLUMNS)
    if len(words) > _MAX_COLUMNS:
        raise TableFormatError(f"{place}: expected at most {_MAX_COLUMNS} columns")
    labels = tuple(word.strip() for word in words if word.strip())
    if not labels or labels[0].lower() != _TIME:
        raise TableFormatError(
            f"{place}: expected column labels, 'time' first, found {quote(line)}"
        )
    repeated = sorted(word for word, count in collections.Counter(labels).items() if count > 1)
    if repeated:
        raise TableFormatError(f"{place}: expected unlike labels, {quote(repeated[0])} is twice")
    return labels


def _compare_counts(header: Header, row_count: int, column_count: int) -> None:
    """Note what the header counts wrongly."""
    # OpenSim differs: its Storage believes the header, and cuts or regroups the numbers.
    for key, promised, found in (
        ("rows", header.rows, row_count),
        ("columns", header.columns, column_count),
    ):
        if promised is not None and promised[0] != found:
            header.notes.add(f"line {promised[1]}: says {promised[0]} {key}, found {found}")


def _read_rows(
    source: str, lines: Iterator[str], first: int, column_count: int, notes: Notes
) -> np.ndarray:
    """All rows as `[time, column]`, time first."""
    numbers = array("d")
    for number, line in enumerate(lines, start=first):
        if not line or line.isspace():
            continue
        start = len(numbers)
        cells = _split(line, column_count)
        if len(cells) != column_count:
            found = len(cells) if len(cells) < column_count else "more"
            raise TableFormatError(
                f"{source}, line {number}: expected {column_count} numbers, found {found}"
            )
        try:
            if "_" in line or not line.isascii():  # Python reads 1_0 and digits of other scripts
                raise ValueError
            numbers.extend(map(float, cells))
        except ValueError:
            del numbers[start:]
            numbers.extend(_cell(f"{source}, line {number}", cell) for cell in cells)
            bad = [cell.strip() for cell in cells if not _is_plain(cell.strip())]
            if bad:
                notes.add(f"line {number}: {quote(bad[0])} is read as NaN")
        before = numbers[start - column_count] if start else -np.inf
        if not np.isfinite(numbers[start]) or not numbers[start] > before:
            raise TableFormatError(
                f"{source}, line {number}: expected a time after the last, found {quote(cells[0])}"
            )
    if not numbers:
        raise TableFormatError(f"{source}: expected at least one row of numbers")
    return np.frombuffer(numbers).reshape(-1, column_count)


def _split(line: str, count: int) -> list[str]:
    """The cells of a row; between tabs they may be empty, as in OpenSim's own reader."""
    words = line.split(None, count)  # no more, of a line that may be long
    if len(words) == count or "\t" not in line:
        return words
    cells = line.split("\t", count + 1)
    return cells if cells[-1].strip() else cells[:-1]


def _cell(place: str, cell: str) -> float:
    """The number of a cell, NaN if it is empty or a NaN as C's libraries print it."""
    word = cell.strip()
    if _is_plain(word):
        return float(word)
    if not word or _NAN.fullmatch(word):
        return np.nan
    # OpenSim differs: it takes any other word for NaN as well, and 1.5x for 1.5.
    raise TableFormatError(f"{place}: expected a number, found {quote(word)}")


def _is_plain(word: str) -> bool:
    """Whether a word is a number, or NaN or infinity as Python writes them."""
    bare = word.lower().lstrip("+-")
    return bare == "nan" or bool(_DECIMAL.fullmatch(word) or _INFINITE.fullmatch(word))
