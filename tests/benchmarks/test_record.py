"""The recorded measurements say when and with what they were made, and name no folder."""

import json
import subprocess

import pytest
import record
from record import RESULTS

FILES = sorted(RESULTS.glob("*.jsonl"))


def texts(value):
    """All strings in a measurement, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_line_says_when_and_with_what_and_names_no_folder(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert row["benchmark"] == path.stem
        assert {"when", "commit", "versions"} <= row.keys()
        assert [text for text in texts(row) if text.startswith(("/", "~")) or ":\\" in text] == []


def test_only_a_changed_program_counts_as_a_change_not_the_lines_before(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "jaxosim").mkdir()
    (tmp_path / "jaxosim" / "one.py").write_text("1\n")
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "-q"), ("add", "-A"), (*name, "commit", "-qm", "One")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    for _ in range(2):
        record.record("some", {})
    (tmp_path / "jaxosim" / "one.py").write_text("2\n")
    record.record("some", {})
    lines = (tmp_path / "benchmarks" / "results" / "some.jsonl").read_text().splitlines()
    assert [json.loads(line)["changed"] for line in lines] == [False, False, True]
