"""The format of `.sto` and `.mot` files, and one clear line for what is none."""

import numpy as np
import pytest

from jaxosim.errors import TableFormatError
from jaxosim.sto import Table, read_table, write_table

HEADER = "motion\nversion=1\nnRows=2\nnColumns=3\ninDegrees=no\nendheader\n"
ROWS = "time\ta\tb\n0\t1\t2\n0.5\t3\t4\n"


def reading(tmp_path, text, name="table.sto"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def test_a_table_survives_the_way_through_a_file(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 2))
    values[1, 1] = np.nan
    table = Table(("x", "/a/b"), np.array([0, 0.1, 0.3]), values, True, "two\nlines")
    write_table(tmp_path / "t.sto", table)
    back = read_table(tmp_path / "t.sto")
    assert (back.labels, back.in_degrees, back.name) == (("x", "/a/b"), True, "two lines")
    np.testing.assert_array_equal(back.time, table.time)
    np.testing.assert_array_equal(back.values, values)


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        HEADER + "\n\n" + ROWS + "\n\n",
        (HEADER + ROWS).replace("\t", "   "),
        (HEADER + ROWS).replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + (HEADER + ROWS).encode(),
        b"caf\xe9\n" + (HEADER + ROWS).encode(),
        "name motion\ndatacolumns 3\ndatarows 2\notherdata 1\nrange 0 0.5\nendheader\n" + ROWS,
        "// a comment\nendheader\n" + ROWS,
    ],
)
def test_the_dialects_that_occur(tmp_path, text):
    table = reading(tmp_path, text)
    assert table.labels == ("a", "b")
    np.testing.assert_array_equal(table.time, [0, 0.5])
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])
    assert not table.in_degrees


@pytest.mark.parametrize(
    "header, name, in_degrees",
    [
        ("inDegrees=yes\nendheader\n", "t.sto", True),
        ("inDegrees=Y\nversion=1\nendheader\n", "t.sto", True),
        ("inDegrees=no\nendheader\n", "t.mot", False),
        ("Angles are in degrees.\nversion=1\nendheader\n", "t.sto", True),
        ("datacolumns 3\nendheader\n", "t.mot", True),
        ("datacolumns 3\nendheader\n", "t.sto", False),
        ("version=1\nendheader\n", "t.mot", False),
    ],
)
def test_units_as_opensim_finds_them(tmp_path, header, name, in_degrees):
    assert reading(tmp_path, header + ROWS, name).in_degrees == in_degrees


@pytest.mark.opensim
@pytest.mark.parametrize("header", ["nRows=2\nnColumns=3", "version=1\nnRows=2\nnColumns=3"])
@pytest.mark.parametrize("suffix", [".mot", ".sto"])
def test_units_as_live_opensim_finds_them(tmp_path, opensim, header, suffix):
    table = reading(tmp_path, f"motion\n{header}\nendheader\n" + ROWS, "t" + suffix)
    assert table.in_degrees == opensim.Storage(str(tmp_path / f"t{suffix}")).isInDegrees()


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "expected a line 'endheader'"),
        (ROWS, "expected a line 'endheader'"),
        ("endheader\n", "line 2: expected column labels, 'time' first, found ''"),
        (HEADER, "line 7: expected column labels"),
        (HEADER + "frame\ta\tb\n0\t1\t2\n", "line 7: expected column labels"),
        (HEADER + "time\ta\ta\n", "line 7: expected unlike labels, 'a' is twice"),
        (HEADER + "time\ta\n0\t1\n", "line 7: expected 3 labels, as the header says, found 2"),
        (HEADER + "time\ta\tb\n", "expected at least one row"),
        (HEADER + "time\ta\tb\n0\t1\t2\n", "expected 2 rows, as its header says, found 1"),
        (HEADER + "time\ta\tb\n0\t1\n", "line 8: expected 3 numbers, found 2"),
        (HEADER + "time\ta\tb\n0\t1\tx2\n", "line 8: expected a number, found 'x2'"),
        (HEADER + "time\ta\tb\n1\t1\t2\n0\t1\t2\n", "line 9: expected a time not before"),
        (HEADER + "time\ta\tb\nnan\t1\t2\n", "line 8: expected a time"),
        ("nRows=two\nendheader\n" + ROWS, "line 1: expected a number after nRows, found 'two'"),
        ("inDegrees=maybe\nendheader\n" + ROWS, "line 1: expected inDegrees=yes or no"),
        ("DataType=Vec3\nendheader\n" + ROWS, "line 1: expected DataType=double, found 'Vec3'"),
        (b"\x00\x01endheader", "binary data"),
    ],
)
def test_what_is_no_table_is_refused_with_file_and_line(tmp_path, text, complaint):
    with pytest.raises(TableFormatError) as caught:
        reading(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "table.sto"))
    assert complaint in message
    assert "\n" not in message


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(TableFormatError, match="expected a file"):
        read_table(tmp_path)


def test_what_cannot_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "t.sto"
    with pytest.raises(TableFormatError, match="one word"):
        write_table(path, Table(("a b",), np.zeros(1), np.zeros((1, 1))))
    with pytest.raises(TableFormatError, match="shape"):
        write_table(path, Table(("a",), np.zeros(1), np.zeros((1, 2))))
    assert not path.exists()
