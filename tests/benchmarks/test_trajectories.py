"""Trajectories of any models beside OpenSim: outcomes, what is kept, and whence a motion starts."""

import contextlib
import json
import os
import pathlib

import numpy as np
import pytest

from tests.models import osim_text as osim

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
PLAN = 2, 1e-8  # steps, accuracy


@pytest.fixture
def trajectories(monkeypatch):
    """The script; what it sets in a process of its own is undone."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("JAXOSIM_CACHE_DIR", "JAXOSIM_LLVM_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    import trajectories

    monkeypatch.setattr(trajectories, "limit_processor_time", lambda seconds: None)
    return trajectories


class Told:
    """Answers that are told in advance, by method and last argument."""

    def __init__(self, **motions):
        self.motions, self.asked = motions, []

    def ask(self, name, path, method, *arguments, died):
        again, finer = bool(arguments[-1]), arguments[1] < PLAN[1]
        question = method + "_finer" * finer + "_again" * again
        self.asked.append(question)
        told = self.motions[question]
        if isinstance(told, dict):
            return told
        return {"q": [[start, 0.0] for start in told], "coordinates": ["x", "y"], "lifted": []}


def row_of(trajectories, **motions):
    told = Told(**motions)
    row = trajectories.compared(told, "m", pathlib.Path("m.osim"), *PLAN)
    return row, told.asked


@pytest.mark.thorough
def test_outcomes(trajectories):
    row, asked = row_of(trajectories, opensim=[0, 1.0], jaxosim=[0, 1 + 1e-6])
    assert (row["outcome"], row["where"]) == ("follows", "x after step 1") and len(asked) == 2
    assert abs(row["error"] - 1e-6) < 1e-12
    finer = {"opensim_finer": [0, 1.5], "jaxosim_finer": [0, 1.4]}
    finer["opensim_finer_again"] = [0, 1.45]
    moved = {"opensim": [0, 1], "jaxosim": [0, 2], "opensim_again": [0, 1.5]}
    row, _ = row_of(trajectories, **moved, **finer)
    assert row["outcome"] == "differs" and row["OpenSim from itself"] == 0.5
    assert abs(row["finer"] - 0.1) < 1e-12
    assert abs(row["OpenSim from itself, finer"] - 0.05) < 1e-12
    row, _ = row_of(trajectories, **moved, **finer | {"opensim_finer_again": [0, 1.7]})
    assert row["outcome"] == "scatters"
    row, _ = row_of(trajectories, **moved, **finer | {"jaxosim_finer": [0, 1.5]})
    assert row["outcome"] == "follows finer"
    row, _ = row_of(trajectories, **moved | {"opensim_again": [0, 3]}, **finer)
    assert row["outcome"] == "scatters"
    row, _ = row_of(trajectories, **moved | {"jaxosim": [0, np.nan]}, **finer)
    assert row["outcome"] == "differs" and row["error"] == np.inf
    failed = {"failed": "failed", "why": "since"}
    row, _ = row_of(
        trajectories,
        **moved,
        **finer | dict.fromkeys(("opensim_finer", "opensim_finer_again"), failed),
    )
    assert row["outcome"] == "differs" and row["finer"] == np.inf
    row, asked = row_of(trajectories, opensim={"failed": "OpenSim fails", "why": "since"})
    assert row == {"outcome": "OpenSim fails", "why": "since"} and asked == ["opensim"]


@pytest.mark.thorough
def test_files_of_one_name_are_told_apart(trajectories, tmp_path):
    paths = [tmp_path / first / "m" / "a.osim" for first in "xy"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    found = trajectories.files(tuple(map(str, [*paths, paths[0]])))
    assert found == {"m/a.osim": paths[0], "y/m/a.osim": paths[1]}


@pytest.mark.thorough
def test_a_motion_from_another_pose_is_asked_for_again_from_opensims(trajectories):
    row, asked = row_of(trajectories, opensim=[1, 2], jaxosim=[1.5, 3], jaxosim_again=[1, 2])
    assert asked == ["opensim", "jaxosim", "jaxosim_again"]
    assert row["outcome"] == "follows" and row["error"] == 0 and "5.0e-01 aside" in row["why"]


@pytest.mark.thorough
@pytest.mark.opensim
def test_both_programs_move_alike_and_say_why_not(trajectories, opensim, tmp_path):
    from opensim_comparison.answers import Answers

    texts = {
        "spring": osim.model(osim.element("SpringGeneralizedForce", "s", coordinate="q")),
        "rolling": osim.model(
            rest=osim.members("ConstraintSet", osim.element("RollingOnSurfaceConstraint", "w"))
        ),
        "broken": "<OpenSimDocument",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.osim").write_text(text)
    paths = trajectories.files((str(tmp_path), "arm2dof6musc"))
    assert list(paths) == ["broken.osim", "rolling.osim", "spring.osim", "assets/arm2dof6musc.osim"]
    kept = tmp_path / "kept.jsonl"
    with contextlib.closing(Answers(trajectories.Mover, kept, 100)) as answers:
        rows = {n: trajectories.compared(answers, n, p, *PLAN) for n, p in paths.items()}
    assert [row["outcome"] for row in rows.values()] == [
        "OpenSim refuses",
        rows["rolling.osim"]["outcome"],
        "follows",
        "follows",
    ]
    assert rows["rolling.osim"]["outcome"] in ("OpenSim refuses", "refused")
    lines = kept.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len({json.loads(line)["key"] for line in lines})
    with contextlib.closing(
        Answers(lambda timeout: None, kept, 100)
    ) as answers:  # which cannot answer
        again = {n: trajectories.compared(answers, n, p, *PLAN) for n, p in paths.items()}
    assert again == rows
    trajectories._print_tables(rows, costs=False)


class Ending:
    """Answers some calls, and ends its process in others."""

    def __init__(self, timeout):
        self.timeout = timeout

    def answer(self, path):
        return {"timeout": self.timeout, "process": os.getpid()}

    def end(self, path):
        os._exit(3)


@pytest.mark.thorough
def test_a_process_that_ends_is_replaced_and_its_answer_says_why(tmp_path):
    from opensim_comparison.answers import Answers

    path = tmp_path / "a"
    path.write_text("a")

    def failed(why):
        return {"why": why}

    with contextlib.closing(Answers(Ending, None, 7)) as answers:
        before = answers.ask("a", path, "answer", died=failed)
        ended = answers.ask("a", path, "end", died=failed)
        path.write_text("b")  # another file, so that it is asked
        after = answers.ask("b", path, "answer", died=failed)
    assert "exit status 3" in ended["why"] and "more than 7 s" in ended["why"]
    assert before["timeout"] == after["timeout"] == 7 and before["process"] != after["process"]


@pytest.mark.thorough
def test_costs_are_measured(trajectories):
    found = trajectories.Mover(100).costs(str(trajectories.files(("arm2dof6musc",)).popitem()[1]))
    assert all(found[name] > 0 for name in trajectories.COSTS)
