"""`jaxosim train`: learn a task by a recipe, with progress, checkpoints, a curve and a film."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import click
import numpy as np
import rich.console
import rich.progress

from jaxosim.cli import report
from jaxosim.cli.episodes import episode_of
from jaxosim.errors import MissingExtraError
from jaxosim.learning.curve import Row, draw_curve
from jaxosim.learning.recipes import LEARNERS, find_recipe, plan_of, recipe_names
from jaxosim.learning.run import DivergedError, Run
from jaxosim.osim_rl.constants import OSIM_RL_STEP
from jaxosim.viewer.motion import write_motion
from jaxosim.viewer.video import render_motion

_RECIPES = "RECIPE is a name (" + ", ".join(recipe_names()) + ") or the path of a .toml file."


@click.command(epilog=_RECIPES, short_help="Train a policy for TASK by a recipe.")
@click.argument("task")
@click.option("--recipe", help="How it is trained; by default the first recipe of the task.")
@click.option("--learner", type=click.Choice(LEARNERS), help="Its stages of this learner only.")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), default=15.0, show_default=True,
    help="Wall time of the run, compiling and earlier sessions included.",
)  # fmt: skip
@click.option(
    "--decisions", type=click.IntRange(min=1), help="End after so many decisions of all worlds."
)
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    help="Folder of the run; by default runs/RECIPE.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
def train(
    task: str,
    recipe: str | None,
    learner: str | None,
    minutes: float,
    decisions: int | None,
    out: pathlib.Path | None,
    resume: bool,
    seed: int,
) -> None:
    """Train a policy for TASK, and write it with curve and film to a folder."""
    try:
        chosen = find_recipe(task, recipe)
        folder = out or pathlib.Path("runs") / chosen.name
        console = report.error_console()
        with console.status("making the task"):
            plan = plan_of(chosen, learner=learner, seed=seed)
        run = Run(plan, folder)
        with console.status("compiling the beginnings of episodes"):
            run.resume() if resume else run.begin()
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{error}.") from error
    console.print(f"{folder}: {chosen.name}; a stage begins with a minute or more of compiling")
    try:
        _train(run, minutes, decisions, console)
    except DivergedError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if run.curve:
            run.save()
    _show(run, report.output_console())


def _train(run: Run, minutes: float, decisions: int | None, console: rich.console.Console) -> None:
    """Update until a limit is reached, under a progress bar; a line for every evaluation."""
    columns = (
        rich.progress.BarColumn(20),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, refresh_per_second=2) as bar:
        shown = bar.add_task("compiling", total=1.0)
        while (done := _share(run, minutes, decisions)) < 1.0:
            bar.update(shown, completed=done)
            begun = time.perf_counter()
            row = run.advance()
            bar.update(shown, description=_line(run, row, time.perf_counter() - begun))
            if "eval_return" in row:
                console.print(_evaluation_line(row))


def _share(run: Run, minutes: float, decisions: int | None) -> float:
    """How much of the training is done, of 1."""
    progress = run.progress
    by_count = progress.total_decisions / decisions if decisions else 0.0
    return max(progress.seconds / (60 * minutes), by_count)


def _line(run: Run, row: Row, seconds: float) -> str:
    """The latest row of the curve, short."""
    steps = run.plan.env.action_repeat * run.plan.env.options.step_size / OSIM_RL_STEP
    trainer = run.plan.trainer(int(row["stage"]))
    learner = type(trainer.learner).__name__
    per_second = trainer.decisions_per_update * steps / seconds
    return (
        f"{learner} {row['decisions'] * steps / 1e6:.2f} M env steps, {per_second:,.0f}/s; "
        f"return {_last(run, 'return'):.1f}, length {_last(run, 'length'):.0f}, "
        f"{row['speed']:.2f} m/s"
    )


def _last(run: Run, name: str) -> float:
    """The latest number of this name; in some updates no episode ends."""
    known = (row[name] for row in reversed(run.curve) if np.isfinite(row[name]))
    return next(known, float("nan"))


def _evaluation_line(row: Row) -> str:
    return (
        f"{row['decisions']:>11,.0f} decisions, {row['seconds']:6.0f} s: without noise return "
        f"{row['eval_return']:.1f}, {row['eval_seconds']:.1f} s, "
        f"{100 * row['eval_completed']:.0f} % completed, {row['eval_distance']:.1f} m, "
        f"{row['eval_speed']:.2f} m/s"
    )


def _show(run: Run, console: rich.console.Console) -> None:
    """Curve and film of the best policy, where the extras for them are there."""
    progress = run.progress
    console.print(
        f"best return {progress.best_score:.2f}, evaluated after {progress.best_decisions:,} of "
        f"{progress.total_decisions:,} decisions: {run.folder / 'policy.npz'}"
    )
    with _without_extra(console, "curve.png"):
        draw_curve(run.folder / "curve.png", run.curve)
    motion = episode_of(run.plan.evaluated, run.best_policy)
    write_motion(run.folder / "episode.npz", motion)
    with _without_extra(console, "episode.mp4"):
        console.print(f"film: {render_motion(motion, run.folder / 'episode.mp4')}")


@contextlib.contextmanager
def _without_extra(console: rich.console.Console, what: str) -> Iterator[None]:
    """Say which extra is missing, and go on."""
    try:
        yield
    except MissingExtraError as error:
        console.print(f"no {what}: {error}")
