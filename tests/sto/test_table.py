"""The format of `.sto` and `.mot` files, and one clear line for what is none."""

import time
import tracemalloc
import warnings

import numpy as np
import pytest

from jaxosim.errors import TableFormatError, TableFormatWarning
from jaxosim.sto import Table, read_table, write_table
from tests.full_disk import full_disk

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


def test_a_full_disk_leaves_the_old_table(tmp_path):
    path, table = tmp_path / "t.sto", Table(("x",), np.arange(99.0), np.zeros((99, 1)))
    write_table(path, table)
    old = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match=f"cannot write {path}: "):
        write_table(path, table)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


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


COUNTS = "nRows=2\nnColumns=3\n"
UNITS = [  # lines of the header after the name; whether angles of a .sto and of a .mot are degrees
    ("", False, True),
    ("version=1\n", False, False),
    ("version 1\n", False, False),
    ("version = 1.5\n", False, False),
    ("version=3\n", False, False),
    ("version=0\n", False, True),
    ("version=two\n", False, True),
    ("Version=1\n", False, True),
    ("version=1\ninDegrees=yes\n", True, True),
    ("version=1\ninDegrees = Y\n", True, True),
    ("version=1\ninDegrees yes\n", True, True),
    ("version=1\nindegrees=yes\n", False, False),
    ("version=3\ninDegrees=yes\n", True, True),
    ("version=1\ninDegrees=no\nAngles are in degrees.\n", False, False),
    ("version=1\nAngles are in degrees.\ninDegrees=no\n", False, False),
    ("version=1\nAngles are in degrees.\n", False, False),
    ("version=3\nAngles are in degrees.\n", False, False),
    ("Angles are in degrees.\nversion=1\n", True, True),
    ("Angles are in degrees.\nversion=3\n", True, True),
    ("Angles are in degrees.\n", True, True),
    ("Angles are in degrees\n", False, True),
    ("angles are in degrees.\n", False, True),
    ("All angles are in degrees.\n", False, True),
]


@pytest.mark.parametrize("header, sto, mot", UNITS)
def test_units_as_opensim_finds_them(tmp_path, header, sto, mot):
    text = f"motion\n{header}{COUNTS}endheader\n{ROWS}"
    assert reading(tmp_path, text, "t.sto").in_degrees == sto
    assert reading(tmp_path, text, "t.mot").in_degrees == mot


@pytest.mark.opensim
@pytest.mark.parametrize("header, sto, mot", UNITS)
def test_units_as_live_opensim_finds_them(tmp_path, opensim, header, sto, mot):
    text = f"motion\n{header}{COUNTS}endheader\n{ROWS}"
    for name, in_degrees in (("t.sto", sto), ("t.mot", mot)):
        (tmp_path / name).write_text(text)
        assert opensim.Storage(str(tmp_path / name)).isInDegrees() == in_degrees


@pytest.mark.parametrize(
    "header, name, in_degrees, storage",
    [
        ("inDegrees=no\n", "t.mot", False, True),
        ("inDegrees=no\nAngles are in degrees.\n", "t.sto", False, True),
        ("Angles are in radians.\n", "t.mot", True, True),
    ],
)
@pytest.mark.opensim
def test_where_opensims_readers_contradict_a_header_a_warning_says_which_is_followed(
    tmp_path, opensim, header, name, in_degrees, storage
):
    with pytest.warns(TableFormatWarning, match=f"{name}: .*OpenSim") as caught:
        table = reading(tmp_path, f"motion\n{header}{COUNTS}endheader\n{ROWS}", name)
    assert len(caught) == 1
    assert table.in_degrees == in_degrees
    assert opensim.Storage(str(tmp_path / name)).isInDegrees() == storage
    theirs = opensim.TimeSeriesTable(str(tmp_path / name))
    if theirs.hasTableMetaDataKey("inDegrees"):
        assert (theirs.getTableMetaDataAsString("inDegrees") == "yes") == in_degrees


@pytest.mark.opensim
@pytest.mark.parametrize(
    "header, name",
    [
        ("motion\nversion=1\n", "motion"),
        ("\n\n motion \nversion=1\n", "motion"),
        ("name two words\nversion=1\n", "two words"),
        ("version=1\nname=late\n", "late"),
        ("nRows=2\nmotion\nversion=1\n", ""),
        ("version=1\nmotion\n", ""),
        ("# remark\nmotion\nversion=1\n", ""),
    ],
)
def test_the_name_is_the_one_that_opensim_finds(tmp_path, opensim, header, name):
    table = reading(tmp_path, f"{header}{COUNTS}endheader\n{ROWS}")
    assert table.name == opensim.Storage(str(tmp_path / "table.sto")).getName() == name


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "expected a line 'endheader'"),
        (ROWS, "expected a line 'endheader'"),
        ("endheader\n", "line 2: expected column labels, 'time' first, found ''"),
        (HEADER, "line 7: expected column labels"),
        (HEADER + "frame\ta\tb\n0\t1\t2\n", "line 7: expected column labels"),
        (HEADER + "time\ta\ta\n", "line 7: expected unlike labels, 'a' is twice"),
        (HEADER + "time\ta\tb\n", "expected at least one row"),
        (HEADER + "time\ta\tb\n0\t1\n", "line 8: expected 3 numbers, found 2"),
        (HEADER + "time\ta\tb\n0\t1\t2\t3\n", "line 8: expected 3 numbers, found more"),
        (HEADER + "time\ta\tb\n0 1 2 3\n", "line 8: expected 3 numbers, found more"),
        (HEADER + "time\ta\tb\n0\t\t2\t3\t4\n", "line 8: expected 3 numbers, found more"),
        (HEADER + "time" + "\ta" * 1_000_000 + "\n", "line 7: expected at most 1000000 columns"),
        (HEADER + "time\ta\tb\n0\t1\t" + "1" * 100_000 + "x\n", "line 8: expected a number"),
        (HEADER + "time\ta\tb\n0\t1\tx2\n", "line 8: expected a number, found 'x2'"),
        (HEADER + "time\ta\tb\n1\t1\t2\n0\t1\t2\n", "line 9: expected a time after the last"),
        (HEADER + "time\ta\tb\n1\t1\t2\n1\t3\t4\n", "line 9: expected a time after the last"),
        (HEADER + "time\ta\tb\n\t1\t2\n", "line 8: expected a time"),
        (HEADER + "time\ta\tb\n0\t1_0\t2\n", "line 8: expected a number, found '1_0'"),
        (HEADER + "time\ta\tb\n0\t\u0661\t2\n", "line 8: expected a number"),
        (HEADER + "time\ta\tb\nnan\t1\t2\n", "line 8: expected a time"),
        ("inDegrees=maybe\nendheader\n" + ROWS, "line 1: expected inDegrees=yes or no"),
        ("inDegrees=no\ninDegrees=yes\nendheader\n" + ROWS, "line 2: expected one inDegrees"),
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


@pytest.mark.opensim
def test_equal_and_falling_times_are_refused_as_opensims_table_refuses_them(tmp_path, opensim):
    for times in ("0 0", "0.5 0"):
        rows = "".join(f"{time}\t1\t2\n" for time in times.split())
        with pytest.raises(TableFormatError, match="line 9: expected a time after the last"):
            reading(tmp_path, HEADER + "time\ta\tb\n" + rows)
        with pytest.raises(RuntimeError, match="imestamp"):
            opensim.TimeSeriesTable(str(tmp_path / "table.sto"))


@pytest.mark.opensim
@pytest.mark.parametrize(
    "text, complaint",
    [
        ((HEADER + ROWS).replace("nRows=2", "nRows=3"), "line 3: says 3 rows, found 2"),
        ((HEADER + ROWS).replace("nRows=2", "nRows=1"), "line 3: says 1 rows, found 2"),
        ((HEADER + ROWS).replace("nRows=2", "nRows=two"), "line 3: no number after nRows: 'two'"),
        ((HEADER + ROWS).replace("nRows=2", "nRows=" + "9" * 5000), "line 3: no number after nRow"),
        ((HEADER + ROWS).replace("nColumns=3", "nc 5"), "line 4: says 5 columns, found 3"),
        ((HEADER + ROWS).replace("\t1\t", "\t\t"), "line 8: '' is read as NaN"),
        ((HEADER + ROWS).replace("\t1\t", "\t \t"), "line 8: '' is read as NaN"),
        ((HEADER + ROWS).replace("\t1\t", "\t-nan(ind)\t"), "line 8: '-nan(ind)' is read as NaN"),
    ],
)
def test_faults_that_opensim_reads_are_read_with_one_warning(tmp_path, opensim, text, complaint):
    with pytest.warns(TableFormatWarning) as caught:
        table = reading(tmp_path, text)
    assert [str(tmp_path / "table.sto") in str(w.message) for w in caught] == [True]
    assert complaint in str(caught[0].message)
    theirs = opensim.TimeSeriesTable(str(tmp_path / "table.sto"))
    np.testing.assert_array_equal(table.time, theirs.getIndependentColumn())
    np.testing.assert_array_equal(table.values, theirs.getMatrix().to_numpy())


def test_many_columns_cost_time_in_proportion(tmp_path):
    """32,000 took 12 s when each label was looked for among all; now 0.02 s."""
    count = 32_000
    labels = "".join(f"\tc{number}" for number in range(count))
    text = "wide\nendheader\ntime" + labels + "\n0" + "\t1.5" * count + "\n1" + "\t2.5" * count
    begun = time.perf_counter()
    table = reading(tmp_path, text)
    assert time.perf_counter() - begun < 2
    assert table.values.shape == (2, count)


@pytest.mark.parametrize("row", ["{} 1", "{}\t\t", ""])
def test_many_rows_cost_memory_in_proportion(tmp_path, row):
    """Thirty times the file when its lines and numbers were kept as objects."""
    rows = "".join(row.format(number) + "\n" for number in range(1, 30_000))
    text = "long\nendheader\ntime\ta\n0\t1\n" + rows
    path = tmp_path / "long.sto"
    path.write_text(text)
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TableFormatWarning)
            read_table(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(text) + 50_000


def test_a_warning_names_the_first_faults_and_counts_the_rest(tmp_path):
    rows = "".join(f"{time}\t\t2\n" for time in range(9))
    with pytest.warns(TableFormatWarning, match="line 8: .*line 9: .*line 10: .*; and 7 more"):
        reading(tmp_path, HEADER + "time\ta\tb\n" + rows)


@pytest.mark.parametrize("word", ["nan", "NaN", "-nan", "-nan(ind)", "1.#QNAN", "-1.#IND00"])
def test_nan_as_other_libraries_print_it_is_nan(tmp_path, word):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableFormatWarning)
        table = reading(tmp_path, (HEADER + ROWS).replace("\t1\t", f"\t{word}\t"))
    np.testing.assert_array_equal(table.values, [[np.nan, 2], [3, 4]])


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(TableFormatError, match="expected a file"):
        read_table(tmp_path)


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name",
    ["walk", "inDegrees=yes", "inDegrees=perhaps", "endheader", "nRows 7", "version=0", "name name"]
    + ["# one", "Angles are in degrees.", "DataType=Vec3", "two  words"],
)
def test_every_name_is_read_back_as_a_name(tmp_path, opensim, name):
    path = tmp_path / "t.mot"
    write_table(path, Table(("x",), np.arange(2.0), np.ones((2, 1)), False, name))
    back = read_table(path)
    assert (back.name, back.in_degrees) == (" ".join(name.split()), False)
    assert not opensim.Storage(str(path)).isInDegrees()
    assert opensim.TimeSeriesTable(str(path)).getNumRows() == 2


def test_what_cannot_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "t.sto"
    with pytest.raises(TableFormatError, match="one word"):
        write_table(path, Table(("a b",), np.zeros(1), np.zeros((1, 1))))
    with pytest.raises(TableFormatError, match="shape"):
        write_table(path, Table(("a",), np.zeros(1), np.zeros((1, 2))))
    for labels in (("a", "a"), ("time", "b")):
        with pytest.raises(TableFormatError, match="unlike labels"):
            write_table(path, Table(labels, np.zeros(1), np.zeros((1, 2))))
    for times in ([0, 0], [0.5, 0], [0, np.nan]):
        with pytest.raises(TableFormatError, match="finite times, each after the one before"):
            write_table(path, Table(("a",), np.array(times, float), np.zeros((2, 1))))
    assert not path.exists()
