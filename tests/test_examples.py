"""The notebook runs from top to bottom."""

import pathlib

import jax
import pytest

NOTEBOOK = pathlib.Path(__file__).resolve().parent.parent / "examples" / "first_steps.ipynb"


@pytest.mark.thorough
@pytest.mark.usefixtures("renderer")
def test_first_steps_run_from_top_to_bottom(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (extra `dev`)")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (extra `dev`)")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    # The kernel compiles as the tests do: see conftest.py.
    fast = jax.config.read("jax_disable_most_optimizations")
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", str(int(fast)))
    if folder := jax.config.jax_compilation_cache_dir:
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", folder)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs to commit"
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    text = "".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert "image/png" in text and "elbow after 0.50 s" in text and "True" in text
