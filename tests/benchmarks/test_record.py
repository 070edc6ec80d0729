"""The recorded measurements say when and with what they were made, and name no folder."""

import json

import pytest
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
