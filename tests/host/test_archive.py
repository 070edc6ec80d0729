"""Archives of arrays: NumPy reads ours, we read NumPy's, and strangers' cost little."""

import os
import random
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from jaxosim.errors import TableFormatError
from jaxosim.host.archive import Archive, write_archive

ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "file": np.array(3, np.int8),  # an argument of numpy.savez
    "allow_pickle": np.zeros((0, 4), np.float32),
    "a": np.array([1 + 2j]),
    "a.npy": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "words": np.array(["hip", "knee"]),
    "": np.array([True, False]),
}


def read(path):
    with Archive(path) as archive:
        return {name: archive.read(name) for name in archive.names}


def test_arrays_come_back_under_every_name(tmp_path):
    path = tmp_path / "arrays.npz"
    write_archive(path, ARRAYS)
    back = read(path)
    assert back.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert back[name].dtype == values.dtype
        np.testing.assert_array_equal(back[name], values)
        back[name][...] = values  # they can be changed
    with Archive(path) as archive:
        assert archive.header("a.npy") == ((2, 3), np.dtype(int))


def test_numpy_reads_ours_and_we_read_numpys(tmp_path):
    path = tmp_path / "arrays.npz"
    write_archive(path, ARRAYS)
    with np.load(path, allow_pickle=False) as theirs:
        np.testing.assert_array_equal(theirs["numbers"], ARRAYS["numbers"])
    for write in (np.savez, np.savez_compressed):
        write(path, numbers=ARRAYS["numbers"])
        np.testing.assert_array_equal(read(path)["numbers"], ARRAYS["numbers"])


def test_objects_are_neither_written_nor_read(tmp_path):
    path, objects = tmp_path / "objects.npz", np.array([{"any": "object"}])
    with pytest.raises(ValueError):
        write_archive(path, {"q": objects})
    assert not path.exists()
    np.savez(path, q=objects)
    with pytest.raises(TableFormatError, match="objects.npz: expected an archive.*q holds objects"):
        read(path)


def member(path, content, name="a.npy"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def npy(shape, dtype="<f8", data=b""):
    """Bytes of an array whose header may lie."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    "content, complaint",
    [
        (npy("(10**15,)"), "malformed"),
        (npy("(1000000000000000,)"), "a has another size than its header says"),
        (npy("(2,)", data=bytes(8)), "a has another size"),
        (npy("(1,)", data=bytes(16)), "a has another size"),
        (npy("(-1, -1)", data=bytes(8)), "a has another size"),
        (npy("(1,)", dtype="|O", data=bytes(8)), "a holds objects"),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"no array", "magic string"),
        (b"", "EOF"),
    ],
)
def test_an_array_that_is_none_is_refused(tmp_path, content, complaint):
    path = tmp_path / "bad.npz"
    member(path, content)
    with pytest.raises(TableFormatError, match=f"bad.npz: expected an archive.*{complaint}"):
        read(path)


def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path):
    path = tmp_path / "bomb.npz"
    bytes_ = 80 * 1024 * 1024
    member(path, npy(f"({bytes_},)", "|u1", bytes(bytes_)))
    assert path.stat().st_size < 200_000
    with pytest.raises(TableFormatError, match="bomb.npz: expected at most 67108864 bytes"):
        Archive(path)
    np.savez_compressed(path, q=np.zeros((1000, 100)))  # an honest one, of few bytes
    assert not read(path)["q"].any()


def test_files_that_are_no_archives_are_refused(tmp_path):
    for content in (b"", b"not an archive", b"PK\x03\x04 broken", npy("(1,)", data=bytes(8))):
        path = tmp_path / "bad.npz"
        path.write_bytes(content)
        with pytest.raises(TableFormatError, match="bad.npz: expected an archive of arrays"):
            Archive(path)
    member(path, b"text", "readme.txt")
    with pytest.raises(TableFormatError, match="each name once"):
        Archive(path)
    with pytest.raises(TableFormatError, match="expected a file"):
        Archive(tmp_path)
    with pytest.raises(FileNotFoundError):
        Archive(tmp_path / "absent.npz")


def test_a_kill_while_writing_leaves_a_whole_archive(tmp_path):
    path = tmp_path / "state.npz"
    code = (
        "import sys, numpy as np\nfrom jaxosim.host.archive import write_archive\n"
        "for number in range(10**6):\n"
        "    write_archive(sys.argv[1], {'a': np.full(10**6, number)})\n"
        "    print(number, flush=True)\n"
    )
    rng = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.communicate()
        values = read(path)["a"]
        assert values.shape == (10**6,) and np.all(values == values[0])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(TableFormatError, match="expected a file"):
        Archive(tmp_path / "pipe.npz")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_no_mutation_of_an_archive_raises_another_error(tmp_path, write):
    path, rng = tmp_path / "mutated.npz", random.Random(0)
    write(path, q=np.arange(60.0).reshape(20, 3), names=np.array(["hip", "knee"]))
    original = path.read_bytes()
    refused = 0
    for _ in range(300):
        data = bytearray(original)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        path.write_bytes(data)
        try:
            read(path)
        except TableFormatError as error:
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
            refused += 1
    assert refused > 200
