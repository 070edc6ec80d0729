"""The benchmark of constraints: drift, and the cost of multipliers, of a small coupled model."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.constraints import worlds
from tests.models import osim_text as osim

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUPLED = osim.model(
    osim.muscle(
        points=osim.point("p1", location="0.1 0.5 0")
        + osim.point("p2", "/bodyset/b", location="0.1 -0.1 0"),
        optimal_fiber_length="0.4",
        tendon_slack_length="0.2",
    ),
    bodies=osim.body("a", mass_center="0 -0.2 0") + osim.body("b", mass_center="0 -0.2 0"),
    joints=osim.pin() + osim.pin("k", "/bodyset/a", "/bodyset/b", "knee"),
    rest=osim.members(
        "ConstraintSet",
        worlds.coupler(
            "c", "q", "knee", worlds.function("PolynomialFunction", coefficients="0.3 0.5 0.1")
        ),
    ),
)


@pytest.mark.slow
def test_drift_and_cost_of_a_coupled_model_are_measured(tmp_path):
    (tmp_path / "coupled.osim").write_text(COUPLED)
    copied = tmp_path / "benchmarks"  # so that the clone's own results stay as they are
    shutil.copytree(ROOT / "benchmarks", copied, ignore=shutil.ignore_patterns("results"))
    given = ["--worlds", "4", "--seconds", "0.4", "--rounds", "1"]
    command = [sys.executable, str(copied / "constraints.py"), str(tmp_path / "coupled.osim")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *given], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    row = json.loads((copied / "results" / "constraints.jsonl").read_text(encoding="utf-8"))
    (drift,), (cost,) = row["drift"], row["cost"]
    assert drift["finite worlds"] == 4 and 0 < drift["error of rates"] < 1e-4
    assert drift["error"] < 1e-5 and cost["couplers"] == 1 and cost["ratio"] > 0
    assert all(target["met"] for target in row["targets"].values())
