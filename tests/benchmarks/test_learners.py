"""Which runs are compared, when they are evaluated, and what is read from them."""

import dataclasses
import itertools
import json
import math
import types

import jax.numpy as jnp
import learner_cases
import learners
import pytest
from learner_cases import ABLATIONS, TASKS, Case, recipe_of

from jaxosim.learning.evaluation import Evaluation
from jaxosim.learning.recipes import load_recipe, plan_of
from jaxosim.learning.shac import SHAC
from jaxosim.pytree import pytree

USUAL = {task: recipe_of(Case(task=task, learner="shac")).data for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_learners_share_task_reward_starts_and_the_share_of_own_starts(task):
    shac, ppo = USUAL[task], recipe_of(Case(task=task, learner="ppo")).data
    assert {**shac, "stages": 0} == {**ppo, "stages": 0}
    assert [data["stages"][0]["learner"] for data in (shac, ppo)] == ["shac", "ppo"]
    assert shac["stages"][0]["unroll"] == ppo["stages"][0]["unroll"]
    recipe = load_recipe(TASKS[task]).data
    assert {**shac, "stages": 0} == {**recipe, "stages": 0}
    (stage,) = shac["stages"]
    assert {**stage, "decisions": 0, "unroll": 0} == {
        **recipe["stages"][0],
        "decisions": 0,
        "unroll": 0,
    }


def changed(own, usual, path=()):
    """Places at which two recipes differ."""
    if isinstance(own, list):
        own, usual = dict(enumerate(own)), dict(enumerate(usual))
    if not isinstance(own, dict) or not isinstance(usual, dict):
        return [path] if own != usual else []
    return [
        place
        for key in {**own, **usual}
        for place in changed(own.get(key), usual.get(key), (*path, key))
    ]


@pytest.mark.parametrize(
    ("ablation", "places"),
    [
        ("rest only", {("env", "starts", "rest"), ("stages", 0, "unroll", "own_share")}),
        ("no clipping", {("stages", 0, "adjoint_bound")}),
        ("horizon 4", {("stages", 0, "unroll", "horizon")}),
        ("horizon 32", {("stages", 0, "unroll", "horizon")}),
    ],
)
def test_an_ablation_changes_what_it_is_named_after(ablation, places):
    own = recipe_of(Case(task="prosthetic", learner="shac", ablation=ablation)).data
    assert set(changed(own, USUAL["prosthetic"])) == places


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("ablation", ["10 ms", "20 ms"])
def test_shorter_decisions_keep_every_time_but_the_horizon(task, ablation):
    own = recipe_of(Case(task=task, learner="shac", ablation=ablation)).data
    usual = USUAL[task]
    share = own["integrator"]["step_size"] / usual["integrator"]["step_size"]
    assert share == pytest.approx(float(ablation.split()[0]) / 40)
    substep, longest = (
        x["step_size"] / x["substeps"] for x in (own["integrator"], usual["integrator"])
    )
    assert 0.8 * longest < substep <= longest
    assert own["env"]["time_limit"] * share == pytest.approx(usual["env"]["time_limit"])
    (stage,) = own["stages"]
    assert stage["discount"] ** (1 / share) == pytest.approx(0.97)
    assert stage["unroll"]["correlation"] ** (1 / share) == pytest.approx(0.6)
    per_event = {"planar": {"task", "feet_passing"}, "prosthetic": {"step_length"}}[task]
    for name, weight in own["env"]["reward"].items():
        before = usual["env"]["reward"][name]
        assert weight == pytest.approx(before / share if name in per_event else before)
    assert "horizon" not in stage["unroll"]


def test_settings_that_are_tried_replace_the_learners_own_and_name_the_case():
    case = Case(task="planar", learner="ppo", settings=("epochs=4", "unroll={'worlds': 128}"))
    assert case.name == "planar ppo, epochs=4, unroll={'worlds': 128}" and hash(case)
    (stage,) = recipe_of(case).data["stages"]
    assert (stage["epochs"], stage["unroll"]) == (4, {"worlds": 128, "own_share": 0.3})


@pytest.mark.thorough
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("ablation", ABLATIONS)
def test_ablations_are_recipes_that_can_be_read(task, ablation):
    recipe = recipe_of(Case(task=task, learner="shac", ablation=ablation))
    recipe.data["env"]["starts"]["count"] = 2
    (stage,) = plan_of(recipe).stages
    assert isinstance(stage.learner, SHAC) and math.isinf(stage.decisions)


@pytest.mark.parametrize("part", ["task", "learner", "ablation"])
def test_an_unknown_part_of_a_case_is_refused_by_name(part):
    case = dataclasses.replace(Case(task="planar", learner="shac"), **{part: "other"})
    with pytest.raises(ValueError, match=rf"{part}: expected one of .*got 'other'"):
        recipe_of(case)


def test_episodes_are_scored_by_osim_rls_control_steps_and_begin_with_noise(monkeypatch):
    monkeypatch.setitem(learner_cases._STARTS, "count", 2)
    case = Case(task="planar", learner="shac", ablation="20 ms")
    env = learner_cases.evaluation_env(recipe_of(case))
    assert (env.options.step_size, env.action_repeat, env.time_limit) == (0.01, 2, 1000)
    assert env.reward is None and env.ended is None and env.pool_share == 1.0
    assert len(env.starts.time) == 2


@pytree
class State:
    """A train state whose networks are a number, the updates so far."""

    averaged_policy: object = dataclasses.field()


def programs(last_finite=math.inf):
    """Updates that count, evaluated as that many returns; each seen completion is kept."""
    seen = []

    def after_evaluation(state, completed):
        seen.append(completed)
        return state

    def update(state):
        count = state.averaged_policy + 1
        return State(averaged_policy=count), {"finite": count <= last_finite, "falls": count / 100}

    def evaluate(count):
        ones = jnp.ones(2)
        return Evaluation(
            returns=ones * count, lengths=ones, seconds=ones, terminated=jnp.array([True, False]),
            distance=ones, metrics={},
        )  # fmt: skip

    trainer = types.SimpleNamespace(
        init=lambda key: State(averaged_policy=jnp.zeros(())),
        decisions_per_update=8,
        env=types.SimpleNamespace(options=types.SimpleNamespace(step_size=0.02), action_repeat=2),
        learner=types.SimpleNamespace(after_evaluation=after_evaluation),
    )
    return learners.Programs(trainer, update, evaluate, 0.0), seen


@pytest.fixture
def clock(monkeypatch):
    """Processor time that passes by one second from one look to the next."""
    ticks = itertools.count()
    monkeypatch.setattr(learners, "time", types.SimpleNamespace(process_time=lambda: next(ticks)))


def test_a_run_is_evaluated_at_even_intervals_of_the_updates_time(tmp_path, clock):
    own, seen = programs()
    run = learners.train(own, 0, tmp_path, seconds=6, interval=3)
    rows = run.rows
    assert [row["seconds"] for row in rows] == [0, 3, 6]
    assert [row["score"] for row in rows] == [0, 3, 6] == [row["decisions"] / 8 for row in rows]
    assert [row["env_steps"] for row in rows] == [0, 96, 192]
    assert [row.get("falls") for row in rows] == [None, pytest.approx(0.02), pytest.approx(0.05)]
    assert seen == [0.5, 0.5, 0.5]


def test_a_run_that_was_stopped_goes_on_from_its_last_evaluation(tmp_path, clock):
    whole = learners.train(programs()[0], 0, tmp_path / "whole", seconds=9, interval=3)
    learners.train(programs()[0], 0, tmp_path / "part", seconds=6, interval=3)
    part = learners.train(programs()[0], 0, tmp_path / "part", seconds=9, interval=3)
    assert part.rows == whole.rows and part.updates == whole.updates == 9


def test_a_run_ends_where_its_networks_are_no_longer_finite(tmp_path, clock):
    run = learners.train(programs(last_finite=4)[0], 0, tmp_path, seconds=9, interval=3)
    assert not run.finite and [row["seconds"] for row in run.rows] == [0, 3]


ROWS = [
    {"seconds": s, "score": score, "completed": share, "decisions": 10 * s, "env_steps": 40 * s}
    for s, score, share in ((0, -1, 0.0), (10.5, 5, 0.91), (20.2, 3, 0.5), (30.1, 9, 1.0))
]


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (10, (5, 5, 91, 10.5, 0.105, 0.42)),  # the evaluation that the last update runs over to
        (20, (3, 5, 50, 10.5, 0.202, 0.808)),
        (99, (9, 9, 100, 10.5, 0.301, 1.204)),
    ],
)
def test_an_outcome_is_read_at_the_end_of_the_budget(seconds, outcome):
    assert learners.outcome_of(ROWS, seconds) == pytest.approx(outcome)


def test_a_run_that_never_completes_most_episodes_is_shown_as_such():
    assert math.isinf(learners.outcome_of(ROWS[:1], 10).after)
    assert learners.spread([math.inf, 12.0, 34.0]) == "34.0 (12.0 … never)"


def test_the_longest_run_of_a_seed_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(learners, "RESULTS", tmp_path)
    assert learners.recorded() == {}
    lines = [
        {"case": "planar ppo", "seed": seed, "budget": budget, "rows": rows, "finite": True}
        for seed, budget, rows in ((0, 30, ROWS), (0, 10, ROWS[:2]), (1, 10, ROWS[:2]))
    ]
    (tmp_path / "learners.jsonl").write_text("\n".join(map(json.dumps, lines)))
    runs = learners.recorded()
    assert {seed: run["budget"] for seed, run in runs["planar ppo"].items()} == {0: 30, 1: 10}
    learners.show(runs, 10)
    learners.show(runs, 30)
    printed = capsys.readouterr().out
    assert "2 of 2" in printed and "1 of 1" in printed


def test_the_picture_shows_runs_of_different_length(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    monkeypatch.setattr(learners, "ROOT", tmp_path)
    learners.draw({"planar ppo": {0: {"rows": ROWS}, 1: {"rows": ROWS[:2]}}})
    assert (tmp_path / "docs" / "pictures" / "learners.png").stat().st_size > 10_000
