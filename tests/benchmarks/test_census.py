"""The census of a folder of models: an outcome and a reason for each file, and their sums."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.models import osim_text as osim

ROOT = pathlib.Path(__file__).resolve().parents[2]
MILLARD = osim.muscle(
    kind="Millard2012AccelerationMuscle",
    wraps=osim.members("PathWrapSet", osim.element("PathWrap", "w", wrap_object="c")),
)
FILES = {
    "sound.osim": osim.model(
        osim.element("SpringGeneralizedForce", "s", coordinate="q", stiffness="2")
    ),
    "below/muscle.osim": osim.model(MILLARD),
    "below/constraint.osim": osim.model(
        rest=osim.members("ConstraintSet", osim.element("RollingOnSurfaceConstraint", "w"))
    ),
    "broken.osim": osim.model(bodies=osim.body("a", "heavy")),
    "massless.osim": osim.model(bodies=osim.body("a", "0")),
}


def census(tmp_path, *arguments):
    """What the script prints, and its recorded row."""
    folder = tmp_path / "models"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    copied = tmp_path / "benchmarks"  # so that the clone's own results stay as they are
    ignored = shutil.ignore_patterns("results")
    shutil.copytree(ROOT / "benchmarks", copied, ignore=ignored, dirs_exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [sys.executable, str(copied / "census.py"), str(folder), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = (copied / "results" / "census.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    return done.stdout, json.loads(line)["files"]


@pytest.mark.thorough
def test_a_census_without_opensim_gives_outcomes_and_reasons(tmp_path):
    printed, files = census(tmp_path, "--no-opensim")
    outcomes = {name: row["outcome"] for name, row in files.items()}
    assert outcomes == {
        "sound.osim": "loads",
        "below/muscle.osim": "unsupported",
        "below/constraint.osim": "unsupported",
        "broken.osim": "refused",
        "massless.osim": "refused",
    }
    assert files["below/muscle.osim"]["classes"] == {
        "Millard2012AccelerationMuscle": 1,
        "PathWrap": 1,
    }
    assert "heavy" in files["broken.osim"]["why"] and "'a'" in files["massless.osim"]["why"]
    lines = printed.splitlines()
    assert "    1      1  RollingOnSurfaceConstraint" in lines and "    1      0  PathWrap" in lines


@pytest.mark.thorough
def test_a_census_goes_on_from_its_results(tmp_path):
    results = tmp_path / "rows.jsonl"
    arguments = ("--no-opensim", "--results", str(results))
    _, files = census(tmp_path, *arguments)
    lines = results.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(FILES) == len({json.loads(line)["key"] for line in lines})
    results.write_text("\n".join(lines[1:]).replace("heavy", "recalled") + "\n", encoding="utf-8")
    _, again = census(tmp_path, *arguments)
    assert "recalled" in again["broken.osim"]["why"] and again["sound.osim"] == files["sound.osim"]
    assert len(results.read_text(encoding="utf-8").splitlines()) == len(FILES)


@pytest.mark.opensim
@pytest.mark.slow
def test_a_census_with_opensim_compares_what_loads(tmp_path):
    printed, files = census(tmp_path, "--states", "2")
    row = files["sound.osim"]
    assert (row["outcome"], row["why"], row["states"]) == ("agrees", "", "2 of 2")
    assert row["accelerations"] <= 1e-12 and row["OpenSim's residual"] <= 1e-12
    assert 0 < row["OpenSim's scatter"] <= 1e-12
    assert (row["beyond the bound"], row["beyond the scatter"]) == (0, 0)
    assert "refuses it too" in files["massless.osim"]["opensim"]
    assert "| . | 3 | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 |" in printed.splitlines(), printed
