"""How far do the first-order learner (SHAC) and PPO come in the same processor time?

    python benchmarks/learners.py --out FOLDER [--tasks planar prosthetic] [--learners shac ppo]
        [--ablations NAME ...] [--seeds 0 1 2 3 4] [--seconds 200] [--interval 10]
        [--set NAME=VALUE ...] [--plot]

Trains each task by each learner (or by SHAC with each of the named ablations) from each seed, one
after the other, until its updates have taken so many processor seconds of all threads; compiling
and evaluations do not count. At even intervals of that time the policy is evaluated without noise:
32 episodes by osim-rl's own reward, targets and ending (`learner_cases.evaluation_env`). A run that
was stopped goes on from its last evaluation in FOLDER; one that is recorded is not repeated.
`--set` tries other settings of the learner. One JSON line per run in
benchmarks/results/learners.jsonl. Then a table of all runs that are recorded, as far as `--seconds`
go, over their seeds: score of the last and of the best evaluation, completed episodes (%),
processor seconds after which 90 % of them were, thousands of decisions and of osim-rl's env steps.
With `--plot` also docs/pictures/learners.png.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from learner_cases import ABLATIONS, LEARNERS, TASKS, Case, trainer_of
from plots import add_plot_option, panels
from record import RESULTS, ROOT, record
from tables import show_table

import jaxosim
from jaxosim.envs import storage
from jaxosim.learning.state import TrainState
from jaxosim.learning.training import Trainer
from jaxosim.osim_rl.constants import OSIM_RL_STEP

_MOST = 0.9  # share of the evaluated episodes that are completed
Row = dict[str, float]


class Programs(NamedTuple):
    """What is compiled once for a case."""

    trainer: Trainer
    update: Callable[[TrainState], tuple[TrainState, dict[str, jax.Array]]]
    evaluate: Callable[..., Any]
    compile_seconds: float  # processor seconds to trace and compile the update


class Run(NamedTuple):
    """How far a run is."""

    state: TrainState
    rows: list[Row]  # one per evaluation
    seconds: float  # processor seconds of the updates
    updates: int
    finite: bool = True


@functools.cache
def programs_of(case: Case) -> Programs:
    """The programs of a case."""
    trainer = trainer_of(case)
    like = jax.eval_shape(trainer.init, jax.random.key(0))
    begun = time.process_time()
    update = jax.jit(trainer.update).lower(like).compile()
    return Programs(trainer, update, trainer.evaluator(), time.process_time() - begun)


def train(
    programs: Programs, seed: int, folder: pathlib.Path, seconds: float, interval: float
) -> Run:
    """Train until the updates have taken so many processor seconds.

    Args:
      programs: of the case.
      seed: of everything random.
      folder: of the run, which goes on from where it is there.
      seconds: processor seconds of the updates, compiling excluded.
      interval: of them between two evaluations.
    """
    run = _last(programs, seed, folder)
    numbers: list[Row] = []
    while run.finite and (not run.rows or run.rows[-1]["seconds"] < seconds):
        if run.seconds >= interval * len(run.rows):
            run = _evaluated(programs, run, numbers)
            numbers = []
            _save(run, folder)
            continue
        begun = time.process_time()
        state, own = jax.block_until_ready(programs.update(run.state))
        used = run.seconds + time.process_time() - begun
        own = {name: float(value) for name, value in jax.device_get(own).items()}
        numbers.append(own)
        run = Run(state, run.rows, used, run.updates + 1, bool(own["finite"]))
    return run


def _evaluated(programs: Programs, run: Run, numbers: list[Row]) -> Run:
    """The run with one row more, and with the rate that the learner takes after it."""
    trainer = programs.trainer
    evaluation = programs.evaluate(run.state.averaged_policy)
    summary = evaluation.summary()
    decisions = run.updates * trainer.decisions_per_update
    row = {
        "seconds": run.seconds,
        "decisions": decisions,
        "env_steps": decisions * steps_of(trainer),
        "score": summary["eval_return"],
        "completed": summary["eval_completed"],
        "length": summary["eval_seconds"],
        "speed": summary["eval_speed"],
    }
    for name in ("falls", "learning_rate", "noise", "kl", "adjoint_tail"):
        if numbers and name in numbers[-1]:
            row[name] = float(np.mean([each[name] for each in numbers]))
    state = trainer.learner.after_evaluation(run.state, evaluation.completed)
    print(f"  {run.seconds:6.1f} s {row}", flush=True)
    return run._replace(state=state, rows=[*run.rows, row])


def steps_of(trainer: Trainer) -> int:
    """Env steps of osim-rl's 10 ms in a decision."""
    return round(trainer.env.options.step_size * trainer.env.action_repeat / OSIM_RL_STEP)


def _save(run: Run, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.json").write_text(json.dumps(run.rows), encoding="utf-8")
    progress = {"rows": len(run.rows), "seconds": run.seconds, "updates": run.updates}
    storage.save_state(folder / "checkpoint.npz", {"state": run.state, "progress": progress})


def _last(programs: Programs, seed: int, folder: pathlib.Path) -> Run:
    """The run as it was at its last evaluation, or at the beginning."""
    path, key = folder / "checkpoint.npz", jax.random.key(seed)
    if not path.exists():
        return Run(programs.trainer.init(key), [], 0.0, 0)
    like = jax.eval_shape(programs.trainer.init, key)
    stored = {"state": like, "progress": {"rows": 0, "seconds": 0.0, "updates": 0}}
    loaded = storage.load_state(path, stored)
    progress = loaded["progress"]
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))[: progress["rows"]]
    return Run(loaded["state"], rows, progress["seconds"], progress["updates"])


class Outcome(NamedTuple):
    """A run in figures, which are the columns of the table."""

    final: float  # score of the last evaluation
    best: float  # of all evaluations
    completed: float  # (%) share of the episodes of the last evaluation
    after: float  # processor seconds until 90 % of the episodes are completed, or inf
    decisions: float  # thousands
    env_steps: float  # thousands


def outcome_of(rows: Sequence[Row], seconds: float) -> Outcome:
    """A run's figures after so many processor seconds.

    Args:
      rows: of its evaluations; the first one after the budget is its last.
      seconds: of the budget.
    """
    within = [row for i, row in enumerate(rows) if i == 0 or rows[i - 1]["seconds"] < seconds]
    last = within[-1]
    complete = (row["seconds"] for row in within if row["completed"] >= _MOST)
    return Outcome(
        final=last["score"],
        best=max(row["score"] for row in within),
        completed=100 * last["completed"],
        after=next(complete, float("inf")),
        decisions=last["decisions"] / 1000,
        env_steps=last["env_steps"] / 1000,
    )


def spread(values: Iterable[float]) -> str:
    """Median (least … largest)."""
    given = sorted(values)
    low, middle, high = given[0], float(np.median(given)), given[-1]
    return f"{_text(middle)} ({_text(low)} … {_text(high)})"


def _text(value: float) -> str:
    if not np.isfinite(value):
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def recorded() -> dict[str, dict[int, dict[str, Any]]]:
    """The longest run that is recorded of each case and seed."""
    path = RESULTS / "learners.jsonl"
    found: dict[str, dict[int, dict[str, Any]]] = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            own, seed = found.setdefault(line["case"], {}), line["seed"]
            if seed not in own or line["budget"] >= own[seed]["budget"]:
                own[seed] = line
    return found


def show(runs: dict[str, dict[int, dict[str, Any]]], seconds: float) -> None:
    """Print the table."""
    rows = []
    for name, seeds in runs.items():
        outcomes = [
            outcome_of(run["rows"], seconds)
            for run in seeds.values()
            if run["budget"] >= seconds or not run["finite"]
        ]
        if outcomes:
            complete = sum(np.isfinite(one.after) for one in outcomes)
            cells = [spread(column) for column in zip(*outcomes, strict=True)]
            rows.append((name, f"{complete} of {len(outcomes)}", *cells))
    columns = ("median (least … largest)", "seeds with 90 %", *Outcome._fields)
    show_table(f"after {seconds:g} processor seconds", columns, rows)


def draw(runs: dict[str, dict[int, dict[str, Any]]]) -> None:
    """Score over processor seconds, a panel per task: each run, and median and range of all."""
    with panels("learners", tuple(TASKS), folder=ROOT / "docs" / "pictures") as axes:
        for task, axis in zip(TASKS, axes, strict=True):
            for number, learner in enumerate(LEARNERS):
                seeds = runs.get(Case(task=task, learner=learner).name, {}).values()
                curves = [[(row["seconds"], row["score"]) for row in run["rows"]] for run in seeds]
                if curves:
                    _draw_learner(axis, f"C{number}", learner.upper(), curves)
            axis.set_xlabel("processor seconds of the updates")
            axis.set_ylabel("score of an episode without noise")


def _draw_learner(
    axis: Any, color: str, label: str, curves: Sequence[Sequence[tuple[float, float]]]
) -> None:
    """Each run as a thin line; median and range as far as all of them go."""
    for curve in curves:
        axis.plot(*zip(*curve, strict=True), color=color, alpha=0.3, linewidth=0.8)
    count = min(map(len, curves))
    seconds, score = np.moveaxis(np.array([curve[:count] for curve in curves]), -1, 0)
    at = np.mean(seconds, axis=0)
    axis.plot(at, np.median(score, axis=0), color=color, label=label)
    axis.fill_between(at, score.min(0), score.max(0), color=color, alpha=0.2)
    axis.legend()


def rounded(value: float) -> float:
    """Five digits; counts as they are."""
    return value if isinstance(value, int) else float(f"{value:.5g}")


def main() -> None:
    """Train, record, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--learners", nargs="*", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--ablations", nargs="*", choices=ABLATIONS, default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    add_plot_option(parser)
    given = parser.parse_args()
    jaxosim.use_compilation_cache()
    ablations = given.ablations or [None]
    learners = ["shac"] if given.ablations else given.learners
    for seed, task, ablation, learner in itertools.product(
        given.seeds, given.tasks, ablations, learners
    ):
        settings = tuple(given.set)
        run_and_record(
            Case(task=task, learner=learner, ablation=ablation, settings=settings), seed, given
        )
    runs = recorded()
    show(runs, given.seconds)
    if given.plot:
        draw(runs)


def run_and_record(case: Case, seed: int, given: argparse.Namespace) -> None:
    """Train a case from a seed, unless that is recorded."""
    if recorded().get(case.name, {}).get(seed, {"budget": 0.0})["budget"] >= given.seconds:
        return
    print(f"{case.name}, seed {seed}", flush=True)
    programs = programs_of(case)
    folder = given.out / case.name.replace(", ", "-").replace(" ", "_") / str(seed)
    run = train(programs, seed, folder, given.seconds, given.interval)
    learner = dataclasses.asdict(programs.trainer.learner)
    rows = [{name: rounded(value) for name, value in row.items()} for row in run.rows]
    record(
        "learners",
        {
            **{"case": case.name, "seed": seed, "budget": given.seconds, "finite": run.finite},
            **{"compile (processor s)": programs.compile_seconds, "updates": run.updates},
            **{"learner": learner, "rows": rows},
        },
    )


if __name__ == "__main__":
    main()
