"""Runs in folders: stages, checkpoints that go on to the bit, curve and best policy."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxosim.errors import TableFormatError
from jaxosim.learning.curve import read_curve, write_curve
from jaxosim.learning.policy import load_policy
from jaxosim.learning.ppo import PPO
from jaxosim.learning.run import DivergedError, Plan, Run, Stage
from jaxosim.learning.shac import SHAC
from tests.learning.pendulum import NETWORKS, UNROLL, leaves_equal, make_pendulum

UPDATE = UNROLL.worlds * UNROLL.horizon  # decisions
TIMES = ("seconds", "cpu_seconds")


def plan(folder, **changes):
    shac = SHAC(unroll=UNROLL, noise=0.5, late_learning_rate=2e-3, rate_decay=0.5)
    stages = (
        Stage(learner=shac, decisions=2 * UPDATE),
        Stage(
            learner=PPO(unroll=UNROLL, noise=0.5, averaging=0.75),
            decisions=np.inf,
            env=make_pendulum(folder, time_limit=3),
        ),
    )
    given = {
        "env": make_pendulum(folder),
        "stages": stages,
        "settings": {"recipe": "pendulum", "seed": 0},
        "networks": NETWORKS,
        "interval": 2 * UPDATE,
        "episodes": 8,
    }
    return Plan(**given | changes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of four updates, and one that was stopped in each stage and resumed."""
    folder = tmp_path_factory.mktemp("runs")
    own = plan(folder)
    whole = Run(own, folder / "whole")
    whole.begin()
    for _ in range(4):
        whole.advance()
    whole.save()
    part = Run(own, folder / "parts")
    part.begin()
    for _ in range(3):
        part.advance()
        part.save()
        part._programs, programs = None, part._programs
        again = Run(own, folder / "parts")
        again._programs = programs  # compiled already
        again.resume()
        part = again
    part.advance()
    part.save()
    return whole, part


@pytest.mark.thorough
def test_a_resumed_run_is_the_same_to_the_bit(runs):
    whole, part = runs
    assert leaves_equal(whole.state, part.state)
    assert leaves_equal(whole.best, part.best)
    curves = [[{k: v for k, v in row.items() if k not in TIMES} for row in r.curve] for r in runs]
    assert json.dumps(curves[0], sort_keys=True) == json.dumps(curves[1], sort_keys=True)


@pytest.mark.thorough
def test_stages_follow_each_other_with_the_best_networks(runs):
    whole, _ = runs
    assert [(row["stage"], row["update"]) for row in whole.curve] == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    ]
    assert [row["decisions"] for row in whole.curve] == [UPDATE * n for n in (1, 2, 3, 4)]
    assert ["adjoint_max" in row for row in whole.curve] == [True, True, False, False]
    assert ["eval_return" in row for row in whole.curve] == [True, True, True, True]


@pytest.mark.thorough
def test_a_stage_may_have_a_task_of_its_own_and_all_are_evaluated_in_one(runs):
    whole, _ = runs
    assert whole.curve[-1]["length"] <= 3 < whole.curve[1]["length"]
    assert all(row["eval_seconds"] > 3 * 0.05 for row in whole.curve)
    assert np.all(jax.device_get(whole.state.worlds.es.step_count) <= 3)


@pytest.mark.thorough
def test_the_rate_falls_from_one_update_to_the_next(runs):
    whole, _ = runs
    first, second = (row["learning_rate"] for row in whole.curve[:2])
    assert first == pytest.approx(SHAC().learning_rate) and second == 0.5 * first


@pytest.mark.thorough
def test_the_averaged_weights_are_those_that_are_evaluated_and_kept(runs):
    whole, _ = runs
    _, update, evaluator = whole._of_stage()
    state, (after, _) = whole.state, update(whole.state)
    for average, before, own in zip(
        *(jax.tree.leaves(x) for x in (after.average, state.average, after.policy.layers)),
        strict=True,
    ):
        assert np.allclose(average, 0.75 * before + 0.25 * own, rtol=1e-5, atol=1e-7)
    averaged, own = (evaluator(p).score for p in (state.averaged_policy, state.policy))
    assert whole.curve[-1]["eval_return"] == averaged != own
    again = Run(whole.plan, whole.folder)
    again._programs = whole._programs
    again.resume()
    again.progress.best_score = -np.inf
    again._evaluate()
    assert leaves_equal(again.best["policy"].layers, state.average)


@pytest.mark.thorough
def test_the_folder_has_the_curve_and_the_best_policy(runs):
    whole, _ = runs
    rows = read_curve(whole.folder / "curve.csv")
    assert json.dumps(rows, sort_keys=True) == json.dumps(whole.curve, sort_keys=True)
    best = load_policy(whole.folder / "policy.npz")
    assert leaves_equal(best.layers, whole.best["policy"].layers)
    scores = [row["eval_return"] for row in whole.curve]
    assert best.about["score"] == max(scores) == whole.progress.best_score
    assert best.about["recipe"] == "pendulum"
    assert best.about["decisions"] == UPDATE * (1 + int(np.argmax(scores)))


def begun(own, folder):
    """A run that has begun, and is not going to be updated."""
    run = Run(own, folder)
    run._programs = (0, own.trainer(0), None, None)
    run.begin()
    return run


def test_a_folder_is_neither_overwritten_nor_resumed_by_mistake(tmp_path):
    whole = begun(plan(tmp_path), tmp_path / "whole")
    with pytest.raises(FileExistsError, match="holds a run: resume it"):
        Run(whole.plan, whole.folder).begin()
    other = plan(tmp_path, settings={"recipe": "pendulum", "seed": 1})
    with pytest.raises(ValueError, match="expected a run of the same settings, its seed differ"):
        Run(other, whole.folder).resume()
    with pytest.raises(FileNotFoundError, match="nothing holds no run: expected .*checkpoint.npz"):
        Run(other, tmp_path / "nothing").resume()


def test_a_run_that_was_killed_before_its_first_update_is_resumed_or_begun_anew(tmp_path):
    killed = begun(plan(tmp_path), tmp_path)
    assert not (tmp_path / "policy.npz").exists()  # none has been evaluated
    again = Run(killed.plan, tmp_path)
    again._programs = killed._programs
    again.resume()
    assert leaves_equal(again.state, killed.state) and again.curve == []
    assert again.progress == killed.progress
    (tmp_path / "checkpoint.npz").unlink()  # killed while it was written
    with pytest.raises(FileNotFoundError, match="holds no run"):
        again.resume()
    again.begin()
    assert leaves_equal(again.state, killed.state)


@pytest.mark.thorough
def test_networks_that_are_not_finite_end_the_run(runs):
    whole, _ = runs
    broken = Run(whole.plan, whole.folder)
    broken._programs = whole._programs
    broken.resume()
    layers = jax.tree.map(lambda x: x * np.nan, broken.state.critics)
    broken.state = before = dataclasses.replace(broken.state, critics=layers)
    progress = dataclasses.replace(broken.progress)
    with pytest.raises(DivergedError, match="the networks are no longer finite"):
        broken.advance()
    assert broken.state is before and broken.progress == progress  # what is saved then


def test_a_curve_keeps_every_digit_and_what_a_row_lacks(tmp_path):
    rows = [{"decisions": 1.0, "reward": 1 / 3}, {"decisions": 2.0, "kl": float("inf")}]
    write_curve(tmp_path / "curve.csv", rows)
    assert read_curve(tmp_path / "curve.csv") == rows
    (tmp_path / "curve.csv").write_text("decisions\nmany\n")
    with pytest.raises(TableFormatError, match="curve.csv: expected numbers"):
        read_curve(tmp_path / "curve.csv")
