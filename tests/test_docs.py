"""Pages made by a command are what the command makes now."""

import importlib.util
import pathlib

import pytest

from jaxosim.envs.registry import ENVS

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def maker():
    path = DOCS / "make_observation_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ENVS)
def test_observation_tables_are_up_to_date(maker, name):
    written = (maker.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == maker.page(name), f"run: {maker.COMMAND}"
