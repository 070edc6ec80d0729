"""Programs of the documentation that train: where they stand, and who can run them."""

import importlib.metadata
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def skip_without(trainer):
    """Skips where the trainer is not installed, or where it is one with the other interface."""
    name = trainer.split()[0]
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed (extra `{name}`)")
    installed = importlib.metadata.version("gymnax") if name == "gymnax" else "1"
    if installed.startswith("0."):
        pytest.skip(f"gymnax {installed} is installed, for rejax; `dev.py oldest` has gymnax 1.0")
