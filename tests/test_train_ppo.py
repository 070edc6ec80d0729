"""The training script: what it refuses, and that a run which was stopped goes on exactly."""

import csv
import json
import os
import pathlib
import runpy
import subprocess
import sys

import click
import numpy as np
import pytest

import jaxosim
from jaxosim import sto

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "train_ppo.py"
OWN = {"seed": 0, "worlds": 16, "unroll": 4, "action_repeat": 2, "learning_rate": 1e-3}
TASK = {"env": "Arm2DEnv", "options": {"time_limit": 10}}


@pytest.fixture(scope="module")
def script():
    pytest.importorskip(
        "rejax", reason="rejax is not installed (extra `rejax`)", exc_type=ImportError
    )
    return runpy.run_path(str(SCRIPT))


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rejax", None)
    with pytest.raises(SystemExit, match=r"rejax is missing: pip install 'jaxosim\[rejax\]'"):
        runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"env": "Arm2D"}, "did you mean Arm2DEnv"),
        ({"options": {"goal": 1}}, "Arm2DEnv has no option goal"),
        ({"options": {"time_limit": "long"}}, "time_limit: expected a positive whole number"),
        ({"options": {"action_repeat": 3}}, "multiple values for keyword argument"),
        ({"options": {"observation": "dict"}}, "observation: expected 'vector'"),
    ],
)
def test_a_task_that_is_none_is_refused(script, tmp_path, changes, message):
    settings = script["Settings"](**{**OWN, **TASK, **changes})
    with pytest.raises(click.UsageError, match=message):
        script["open_run"](settings, tmp_path, resume=False)


def test_a_folder_is_neither_overwritten_nor_resumed_by_mistake(script, tmp_path):
    settings = script["Settings"](**OWN, **TASK)
    with pytest.raises(click.UsageError, match="expected a run with .*'seed': 0.*, got none"):
        script["open_run"](settings, tmp_path, resume=True)
    (tmp_path / "settings.json").write_text(json.dumps({**OWN, **TASK, "seed": 1}))
    with pytest.raises(click.UsageError, match="'seed': 0.*, got .*'seed': 1"):
        script["open_run"](settings, tmp_path, resume=True)
    with pytest.raises(click.UsageError, match="holds a run: add --resume"):
        script["open_run"](settings, tmp_path, resume=False)


def train(folder, *more):
    """Run the script in a process of its own; what it printed."""
    words = [str(x) for name, x in OWN.items() for x in (f"--{name.replace('_', '-')}", x)]
    task = ["Arm2DEnv", "--option", "time_limit", "10", "--episodes", "3", "--cores", "2"]
    command = [sys.executable, str(SCRIPT), *task, *words, "--out", str(folder), *more]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder.parent / "cache")}
    done = subprocess.run(command, env=os.environ | cache, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored_in(folder):
    with np.load(folder / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "seconds"}


def curve_in(folder):
    with (folder / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    pytest.importorskip(
        "rejax", reason="rejax is not installed (extra `rejax`)", exc_type=ImportError
    )
    at_once, in_two = tmp_path / "at_once", tmp_path / "in_two"
    said = train(at_once, "--updates", "3", "--checkpoint-every", "1")
    train(in_two, "--updates", "2")
    halfway = stored_in(in_two)
    train(in_two, "--updates", "3", "--resume")

    once, twice = stored_in(at_once), stored_in(in_two)
    assert once.keys() == twice.keys() and once["updates"] == 3
    for name, array in once.items():
        np.testing.assert_array_equal(twice[name], array, err_msg=name)
    weights = "train_state/actor_ts/params/params/action_mean/kernel"
    assert (halfway[weights] != once[weights]).any()

    # 16 worlds, 4 decisions, 2 control steps each; an episode is 10 control steps, 5 decisions.
    curves = [curve_in(folder) for folder in (at_once, in_two)]
    for name in ("update", "steps", "episodes", "return", "length", "noise"):
        np.testing.assert_array_equal(*(curve[name] for curve in curves), err_msg=name)
    assert curves[0]["steps"].tolist() == [128, 256, 384]
    assert curves[0]["episodes"].tolist() == [0, 16, 16]
    assert curves[0]["length"][1:].tolist() == [10, 10]
    assert (curves[0]["return"][1:] < 10).all() and f"return {curves[0]['return'][2]:.2f}" in said

    results = [json.loads((folder / "evaluation.json").read_text()) for folder in (at_once, in_two)]
    train(at_once, "--updates", "3", "--resume")  # nothing is left to do but to evaluate
    results.append(json.loads((at_once / "evaluation.json").read_text()))
    assert results[0] == results[1] == results[2]
    assert list(results[0]) == ["untrained", "trained", "trained, no noise"]
    assert all(result["length"] == [10, 10, 10] for result in results[0].values())
    returns = np.array([result["return"] for result in results[0].values()])
    assert returns.shape == (3, 3) and len(np.unique(returns)) == 9 and (returns < 10).all()

    states = sto.read_states(at_once / "episode.sto", *jaxosim.load_model("arm2dof6musc"))
    np.testing.assert_allclose(states.time, [0.0, 0.02, 0.04, 0.06, 0.08, 0.1], atol=1e-7)
