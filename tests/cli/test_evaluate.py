"""`jaxosim evaluate`: its table, and what it refuses."""

import numpy as np
import pytest

from jaxosim.cli.evaluate import score_table
from jaxosim.cli.main import main
from jaxosim.learning.gait import Gait
from jaxosim.learning.numpy_policy import Policy
from jaxosim.learning.scoring import Scored


def scored(score, completed, speed):
    gait = Gait(
        speed=speed,
        step_count=8,
        cadence=1.8,
        passing=float("nan"),
        step_length=(0.5, 0.6),
        asymmetry=0.1,
        knee_hyperextension=0.01,
        knee_flexion=(1.0, 1.1),
    )
    return Scored(score=score, seconds=10.0, completed=completed, distance=12.0, gait=gait)


def rows_of(table):
    columns = [list(column.cells) for column in table.columns]
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}


def test_both_simulators_stand_side_by_side():
    ours = [scored(100.0, True, 1.2), scored(200.0, True, 1.4)]
    theirs = [scored(90.0, False, 1.2), scored(210.0, True, 1.3)]
    table = score_table("walker", {"jaxosim": ours, "OpenSim": theirs})
    rows = rows_of(table)
    assert rows["score"] == ("150.0 ± 50.0 (100.0 … 200.0)", "150.0 ± 60.0 (90.0 … 210.0)")
    assert rows["completed episodes"] == ("2 of 2", "1 of 2")
    assert rows["speed (m/s)"][0] == "1.30 ± 0.10 (1.20 … 1.40)"
    assert rows["left foot ahead at its steps (m)"][0] == "0.50 ± 0.00 (0.50 … 0.50)"
    assert rows["right foot ahead at its steps (m)"][1] == "0.60 ± 0.00 (0.60 … 0.60)"
    assert "passing of the feet (1)" not in rows  # in no episode


def test_an_arm_has_a_score_and_no_gait():
    ours = [Scored(score=5.0, seconds=2.0, completed=True, distance=float("nan"), gait=None)]
    assert list(rows_of(score_table("arm", {"jaxosim": ours}))) == [
        "score",
        "time (s)",
        "completed episodes",
    ]


def policy_file(path, names):
    count = len(names)
    Policy(
        layers=((np.zeros((count, 18)), np.zeros(18)),),
        mean=np.zeros(count),
        deviation=np.ones(count),
        low=np.zeros(18),
        high=np.ones(18),
        observation_names=names,
        action_names=tuple(f"muscle{i}" for i in range(18)),
    ).save(path)
    return str(path)


def status_of(*arguments):
    with pytest.raises(SystemExit) as error:
        main(["evaluate", *arguments])
    return error.value.code


def test_what_cannot_be_scored_is_refused(tmp_path, capsys):
    assert status_of("nothing.npz", "L2RunEnv") == 1
    assert "no policy 'nothing.npz': expected a file" in capsys.readouterr().err
    file = policy_file(tmp_path / "other.npz", ("height", "speed"))
    assert status_of(file, "L2RunEnv") == 2
    assert "expected a policy of its" in capsys.readouterr().err
    assert status_of(file, "Arm3DEnv") == 2
    assert "did you mean Arm2DEnv" in capsys.readouterr().err
