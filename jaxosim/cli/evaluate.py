"""`jaxosim evaluate`: a policy scored by osim-rl's rules, in jaxosim and in live OpenSim."""

import math
from collections.abc import Callable, Mapping, Sequence

import click
import numpy as np
import rich.progress
import rich.table

from jaxosim.cli import report
from jaxosim.envs.training_options import walking_starts
from jaxosim.learning.policy import load_policy
from jaxosim.learning.scoring import (
    Scored,
    begin,
    check_opensim,
    hold_of,
    score,
    score_in_opensim,
    scoring_env,
)

_NOTHING = "–"  # where no episode has the measure
_SHARES = {"rest": 1.0, "gait": 0.0}  # of the starts at rest, by the name of the starts


@click.command(short_help="Score POLICY in TASK, also in live OpenSim.")
@click.argument("policy")
@click.argument("task")
@click.option("--episodes", type=click.IntRange(min=1), default=100, show_default=True)
@click.option(
    "--in", "place", type=click.Choice(["jaxosim", "opensim"]), default="jaxosim",
    show_default=True,
    help="opensim: play the same episodes in live OpenSim as well (ProstheticsEnv, L2RunEnv, "
    "Arm2DEnv).",
)  # fmt: skip
@click.option(
    "--difficulty", type=click.IntRange(0, 3), help="Of ProstheticsEnv (0, 1) or L2M2019Env."
)
@click.option("--variant", type=click.Choice(["3D", "2D"]), help="Of ProstheticsEnv or L2M2019Env.")
@click.option("--speed", type=float, help="Target of ProstheticsEnv's Round 1 (m/s).")
@click.option(
    "--starts", type=click.Choice(["task", *_SHARES]), default="task", show_default=True,
    help="task: osim-rl's; rest: the same with noise; gait: in motion.",
)  # fmt: skip
@click.option(
    "--hold", type=click.IntRange(min=1),
    help="Control steps of 10 ms for which an action is held; by default as it was trained.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--processes", type=click.IntRange(min=1), help="Of OpenSim; as many as cores.")
def evaluate(
    policy: str,
    task: str,
    episodes: int,
    place: str,
    difficulty: int | None,
    variant: str | None,
    speed: float | None,
    starts: str,
    hold: int | None,
    seed: int,
    processes: int | None,
) -> None:
    """Score POLICY in TASK by osim-rl's rules; POLICY is a file or a name in the package.

    Observation, reward, ending and targets are osim-rl's, or the observation that the policy was
    trained with; control steps last 10 ms. In OpenSim the episodes begin in the same states and
    have the same targets.
    """
    given = {"difficulty": difficulty, "variant": variant, "speed": speed}
    options = {name: value for name, value in given.items() if value is not None}
    errors = report.error_console()
    try:
        chosen = load_policy(policy)
        env = scoring_env(chosen, task, hold=hold or hold_of(chosen), **options)
        if place == "opensim":
            check_opensim(env)
        with errors.status("playing in jaxosim"):
            pool = None
            if starts in _SHARES:
                pool = walking_starts(env, count=episodes, rest=_SHARES[starts], seed=seed)
            start = begin(env, episodes, seed, pool)
            columns = {"jaxosim": score(env, chosen, start)}
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{error}.") from error
    if place == "opensim":
        with rich.progress.Progress(console=errors) as bar:
            played = score_in_opensim(env, chosen, start, processes=processes)
            shown = bar.track(played, total=episodes, description="playing in OpenSim")
            columns["OpenSim"] = list(shown)
    report.output_console().print(score_table(f"{policy} in {task}", columns))


_ROWS: tuple[tuple[str, Callable[[Scored], float], str], ...] = (
    ("score", lambda one: one.score, "{:.1f}"),
    ("time (s)", lambda one: one.seconds, "{:.2f}"),
    ("distance (m)", lambda one: one.distance, "{:.2f}"),
    ("speed (m/s)", lambda one: _of(one, "speed"), "{:.2f}"),
    ("cadence (1/s)", lambda one: _of(one, "cadence"), "{:.2f}"),
    ("passing of the feet (1)", lambda one: _of(one, "passing"), "{:.2f}"),
    ("left foot ahead at its steps (m)", lambda one: _step_length(one, 0), "{:.2f}"),
    ("right foot ahead at its steps (m)", lambda one: _step_length(one, 1), "{:.2f}"),
    ("asymmetry of the steps (1)", lambda one: _of(one, "asymmetry"), "{:.2f}"),
    ("knees beyond straight (rad)", lambda one: _of(one, "knee_hyperextension"), "{:.3f}"),
)


def _of(one: Scored, name: str) -> float:
    """A measure of the gait; NaN where there is none."""
    return math.nan if one.gait is None else getattr(one.gait, name)


def _step_length(one: Scored, side: int) -> float:
    """How far (m) the left (0) or right (1) foot landed ahead; NaN where there is no gait."""
    return math.nan if one.gait is None else one.gait.step_length[side]


def score_table(title: str, columns: Mapping[str, Sequence[Scored]]) -> rich.table.Table:
    """Mean, standard deviation, least and largest value over the episodes of each column.

    Measures that no episode has, such as those of the gait of an arm, are left out.

    Args:
      title: of the table.
      columns: episodes by the name of the simulator.
    """
    heads = [(f"{name}: mean ± sd (least … largest)", "right") for name in columns]
    table = report.plain_table(title, ("", "left"), *heads)
    for label, value, form in _ROWS:
        cells = [_cell([value(one) for one in episodes], form) for episodes in columns.values()]
        if any(cell != _NOTHING for cell in cells):
            table.add_row(label, *cells)
    done = [
        f"{sum(one.completed for one in episodes)} of {len(episodes)}"
        for episodes in columns.values()
    ]
    table.add_row("completed episodes", *done)
    return table


def _cell(values: Sequence[float], form: str) -> str:
    """The distribution of those values that are numbers."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return _NOTHING
    mean, spread, least, most = (
        form.format(number) for number in (known.mean(), known.std(), known.min(), known.max())
    )
    return f"{mean} ± {spread} ({least} … {most})"
