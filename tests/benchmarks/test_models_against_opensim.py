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
    import finite
    import models_against_opensim
    import short_trajectories

    return models_against_opensim, finite, short_trajectories


@pytest.mark.opensim
def test_both_programs_take_the_same_steps(scripts, opensim):
    figures = scripts[0].measure(ARM, 2, 1, 2, 2, 1e-7, "default")
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
    finite, speed = scripts[1].finite_worlds(model, params, 3, steps=10, muscles_only=True)
    assert finite.all() and np.all((speed > 0) & (speed < 50))
    broken = dataclasses.replace(params, gravity=params.gravity * np.nan)
    finite, _ = scripts[1].finite_worlds(model, broken, 3, steps=5, muscles_only=True)
    assert not finite.any()


@pytest.mark.opensim
def test_a_short_trajectory_is_opensims(scripts, opensim):
    row = scripts[2].measured(ARM, steps=2, accuracy=1e-8)
    assert len(row) == len(scripts[2].COLUMNS) and row[2]
    assert scripts[2].measured("no_model", 2, 1e-8)[1].startswith("no bundled model")
