"""The folder of compiled code: where it is, what is in it, and that nothing else is deleted."""

import pathlib

from jaxosim.host import cache

DIGEST = "0123456789abcdef" * 2


def test_the_variable_comes_before_the_cache_of_the_user(monkeypatch):
    monkeypatch.delenv("JAXOSIM_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert cache.cache_directory() == pathlib.Path("/there/jaxosim")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_directory() == pathlib.Path.home() / ".cache" / "jaxosim"
    monkeypatch.setenv("JAXOSIM_CACHE_DIR", "/here")
    assert cache.kernel_directory() == pathlib.Path("/here/kernels")
    assert cache.program_directory() == pathlib.Path("/here/programs")


def test_an_empty_variable_keeps_nothing(monkeypatch):
    monkeypatch.setenv("JAXOSIM_CACHE_DIR", "")
    assert cache.cache_directory() is None
    assert cache.kernel_directory() is None and cache.program_directory() is None
    assert cache.kept_files() == {"kernels": [], "programs": []}
    cache.clear()


def test_what_is_not_ours_is_neither_counted_nor_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXOSIM_CACHE_DIR", str(tmp_path))
    ours = [f"kernels/{DIGEST}", f"kernels/program-{DIGEST}", f"programs/{DIGEST}/a/jit_f-cache"]
    theirs = ["kernels/thesis.txt", "programs/game/save", "thesis.txt"]
    for name in ours + theirs:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = cache.kept_files()
    assert sorted(path for paths in found.values() for path in paths) == [
        *[tmp_path / name for name in ours]
    ]
    cache.clear()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(tmp_path / name for name in theirs)
