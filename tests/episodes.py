"""Episodes that were recorded from the original osim-rl, where they are at hand."""

import pathlib

import pytest

EPISODES = pathlib.Path(__file__).resolve().parents[2] / "shared" / "reference" / "episodes"
needs_episodes = pytest.mark.skipif(
    not EPISODES.is_dir(), reason="the recorded episodes are not at hand"
)


def flat(value, prefix=""):
    """Nested dictionaries and lists as one dictionary, keys joined by slashes, indices last."""
    if isinstance(value, list):
        return {f"{prefix}/{index}": number for index, number in enumerate(value)}
    if not isinstance(value, dict):
        return {f"{prefix}/0": value}
    items = value.items()
    return {
        name: number
        for key, inside in items
        for name, number in flat(inside, f"{prefix}/{key}" if prefix else str(key)).items()
    }
