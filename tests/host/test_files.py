"""A file is replaced whole or not at all, whatever ends the writing."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from jaxosim.host.files import replacing
from tests.full_disk import full_disk


@pytest.fixture
def old(tmp_path):
    """A file that is to survive."""
    path = tmp_path / "state.npz"
    path.write_bytes(b"old")
    return path


def write(path, content=b"new"):
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def only(path):
    """Whether nothing else lies in the folder of a file."""
    return [other.name for other in path.parent.iterdir()] == [path.name]


def test_a_file_is_made_and_replaced(tmp_path):
    path = tmp_path / "state.npz"
    for content in (b"one", b"two"):
        write(path, content)
        assert path.read_bytes() == content
        assert only(path)


def test_the_file_on_the_way_has_the_suffix_that_writers_go_by(old):
    with replacing(old) as unfinished:
        assert (unfinished.suffix, unfinished.parent) == (".npz", old.parent)
        assert old.read_bytes() == b"old"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_exception_leaves_the_old_file_alone(old, error):
    with pytest.raises(error), replacing(old) as unfinished:
        unfinished.write_bytes(b"half")
        raise error
    assert old.read_bytes() == b"old"
    assert only(old)


def test_it_is_synced_before_it_is_renamed(old, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((number, old.read_bytes())))
    write(old)
    assert [content for _, content in synced] == [b"old", b"new"]  # the file, then its folder


def test_a_kill_leaves_the_old_file_and_does_not_block_the_next_write(old):
    code = (
        "import os, signal, sys\nfrom jaxosim.host.files import replacing\n"
        "with replacing(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(old)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old"
    assert len(list(old.parent.iterdir())) == 2  # what is left behind is in nobody's way
    write(old)
    assert old.read_bytes() == b"new"


def test_a_full_disk_is_named_and_leaves_the_old_file(old):
    with full_disk(), pytest.raises(OSError, match=f"cannot write {old}: File too large") as caught:
        write(old, bytes(4096))
    assert caught.value.errno
    assert old.read_bytes() == b"old"
    assert only(old)


def test_an_unwritable_place_is_named_before_the_work_begins(tmp_path, old):
    for path, error in (
        (tmp_path / "no" / "a.npz", FileNotFoundError),
        (old / "a.npz", NotADirectoryError),
        (tmp_path, IsADirectoryError),
    ):
        with pytest.raises(error, match=f"cannot write {path}: "), replacing(path):
            pytest.fail("the work began")
    assert only(old)


def test_errors_about_other_files_keep_their_words(old):
    with pytest.raises(FileNotFoundError, match="absent"), replacing(old):
        open(old.with_name("absent"))


def test_a_block_within_a_block_writes_the_same_file(old):
    with replacing(old) as outer:
        with replacing(outer) as inner:
            assert inner == outer
            inner.write_bytes(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"


def test_permissions_and_links_stay(old):
    old.chmod(0o640)
    link = old.with_name("link.npz")
    link.symlink_to(old)
    write(link)
    assert link.is_symlink()
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_write_protected_file_is_not_replaced(old, monkeypatch):
    old.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as it is for all but root
    with pytest.raises(PermissionError, match="write-protected"):
        write(old)
    assert old.read_bytes() == b"old"


def test_a_device_is_written_in_place():
    with replacing(os.devnull) as unfinished:
        unfinished.write_bytes(b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
