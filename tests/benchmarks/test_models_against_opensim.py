"""Control steps of models beside live OpenSim: the same motion, finite worlds, figures in a row."""

import dataclasses
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

    return models_against_opensim, finite, convergence


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


def test_errors_of_fixed_steps_fall_with_their_size(scripts):
    *rows, aside = scripts[2].measured(ARM, seed=0, halvings=3)
    assert [row[0] for row in (*rows, aside)] == ["6", "12", "24", "24, aside"]
    errors = [row[2] for row in rows]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0
    assert 1e-8 < aside[2] < 1e-5 and "r_elbow_flex" in rows[0][3]
