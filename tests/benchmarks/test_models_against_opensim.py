"""Control steps of models beside live OpenSim: the same motion, finite worlds, figures in a row."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

import jaxosim

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
ARM = "arm2dof6musc"

pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(monkeypatch):
    """The scripts, which find each other in their own folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import convergence
    import finite
    import models_against_opensim
    import trajectories

    return models_against_opensim, finite, trajectories, convergence


@pytest.mark.opensim
def test_both_programs_take_the_same_steps(scripts, opensim):
    figures = scripts[0].measure(ARM, 2, 1, 2, 2, 10, 1e-7, "default")
    for errors in figures["errors"].values():
        assert len(errors) == 2 and max(errors) < 1e-2
    row = scripts[0].row_of(ARM, figures)
    assert len(row) == len(scripts[0].COLUMNS) and all(value > 0 for value in row[1:])


def test_only_muscles_are_excited(scripts):
    model, _ = jaxosim.load_model(ARM)
    controls = scripts[0].excitations(model, steps=10, worlds=3)
    assert controls.shape == (10, 3, len(model.control_names))
    np.testing.assert_array_equal(controls[0], controls[4])  # held 50 ms
    assert np.all(controls[0] != controls[5]) and np.all(controls[0, 0] != controls[0, 1])


def test_worlds_are_counted_by_whether_they_are_finite_and_fast(scripts):
    model, params = jaxosim.load_model(ARM)
    finite, speed, _ = scripts[1].finite_worlds(model, params, 3, steps=10, muscles_only=True)
    assert finite.all() and np.all((speed > 0) & (speed < 50))
    broken = dataclasses.replace(params, gravity=params.gravity * np.nan)
    finite, *_ = scripts[1].finite_worlds(model, broken, 3, steps=5, muscles_only=True)
    assert not finite.any()


@pytest.mark.opensim
def test_a_short_trajectory_is_opensims(scripts, opensim):
    found = scripts[2].measured(ARM, steps=2, accuracy=1e-8)
    assert found["error"] <= scripts[2].TOLERANCE and found["OpenSim from itself"] < 1e-10
    assert found["load (s)"] > 0 and found["compile (s)"] > 0
    refused = scripts[2].measured("no_model", 2, 1e-8)
    assert refused["failed"].startswith("no bundled model")


def test_a_measured_model_is_found_again_by_its_plan(scripts, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts[2], "RESULTS", tmp_path)
    assert scripts[2].recorded({"steps": 20}) == {}
    rows = [{"model": "a", "steps": steps, "failed": why} for steps, why in ((20, "x"), (2, "y"))]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "trajectories.jsonl").write_text(text, encoding="utf-8")
    assert scripts[2].recorded({"steps": 20}) == {"a": rows[0]}


def test_errors_of_fixed_steps_fall_with_their_size(scripts):
    *rows, aside = scripts[3].measured(ARM, seed=0, halvings=3)
    assert [row[0] for row in (*rows, aside)] == ["6", "12", "24", "24, aside"]
    errors = [row[2] for row in rows]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0
    assert 1e-8 < aside[2] < 1e-5 and "r_elbow_flex" in rows[0][3]
