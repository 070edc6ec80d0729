"""Optimize muscle excitations, and a prosthetic ankle, by the gradient of a rollout.

    pip install 'jaxosim[opensim,plot]'
    python examples/optimize_excitations.py --out runs/start

A walker with a prosthetic right leg leans forward, at rest. Wanted: excitations with which its mass
center moves at 1 m/s straight ahead after 0.3 s, with the least effort and without falling. First
the excitations are optimized from several random ones, then the stiffness of the prosthetic ankle
with them. Both results are played in live OpenSim. The folder then holds `history.csv`,
`history.png`, `result.json`, and for either result the motion as `.npz` and `.sto`, for
`jaxosim view`, and the excitations as OpenSim's controls.
"""

import csv
import importlib.util
import json
import pathlib
import time
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from optimizing.descent import Optimizer, console, slope_check
from optimizing.report import Found, draw, stiffness_of
from optimizing.task import Task, Variables, leaning_walker

import jaxosim
from jaxosim import sto
from jaxosim.host.files import replacing


def random_starts(task: Task, worlds: int, knots: int, seed: int) -> Variables:
    """Low excitations with much variety, `[world, ...]`, the springs as they are."""
    shape = (worlds, knots, len(task.model.muscle_names))
    logits = -1.5 + jax.random.normal(jax.random.key(seed), shape)
    return Variables(logits, jnp.zeros((worlds, len(task.model.springs.names))))


def stiffness_starts(best: Variables, worlds: int, factor: float = 4.0) -> Variables:
    """The best excitations with springs from soft to stiff, every stiffness in two worlds."""
    logs = np.repeat(np.linspace(-np.log(factor), np.log(factor), worlds // 2), 2)
    logits = jnp.repeat(best.logits[:1], worlds, axis=0)
    springs = best.log_stiffness.shape[1]
    return Variables(logits, jnp.tile(jnp.asarray(logs, logits.dtype)[:, None], (1, springs)))


def compare_with_opensim(found: Found, folder: pathlib.Path, accuracy: float) -> dict[str, Any]:
    """Simulate the best world in OpenSim: its difference from jaxosim, and its objective there."""
    from optimizing.playback import play

    task, (params, ours) = found.task, found.best
    theirs = play(task.model, params, task.start, found.excitations[0], accuracy)
    sto.write_states(folder / f"{found.name}_opensim.sto", task.model, theirs)
    apart = np.abs(np.asarray(theirs.q) - ours.states.q)
    outcome = jax.jit(task.judge)(params, theirs)
    return {
        "accuracy": accuracy,
        "largest_difference": float(apart.max()),
        "coordinate": task.model.coordinate_names[int(apart.max(axis=0).argmax())],
        "objective": float(found.totals[0]),
        "objective_in_opensim": float(outcome.total),
        "q_in_opensim": np.asarray(theirs.q, float).tolist(),
    }


def summary(result: dict[str, Any]) -> rich.table.Table:
    """What came of it, to print."""
    table = rich.table.Table("result", "", title="all in all", show_header=False)
    first, last = result["objective_at_first"], result["objective_at_last"]
    table.add_row(
        "objective, best start", f"{first:.2f} to {last:.2f}: {first / last:.1f} times less"
    )
    table.add_row("mass center at the end (m/s)", ", ".join(f"{x:.3f}" for x in result["velocity"]))
    ankle = result["ankle"]
    for name in ("excitations_kept", "excitations_adapted"):
        apart = ankle[name]["median_difference"]
        table.add_row(f"ankle, {name}", f"gradient {apart:.1e} off its quotient (median)")
    free = ankle["both_free"]
    best = int(np.argmin(free["objective"]))
    total, stiffness = free["objective"][best], free["stiffness"][best]
    table.add_row("ankle, both_free", f"{total:.2f} at {stiffness:.0f} N·m/rad")
    for name, played in result["opensim"].items():
        text = f"{played['largest_difference']:.1e} rad or m ({played['coordinate']})"
        costs = f"{played['objective_in_opensim']:.3f} instead of {played['objective']:.3f}"
        table.add_row(f"{name} in OpenSim", f"{text}, objective {costs}")
    table.add_row("seconds", ", ".join(f"{k} {v:.0f}" for k, v in result["seconds"].items()))
    return table


class Clock:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        """Start."""
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """The stage has ended."""
        now = time.perf_counter()
        self.seconds[stage], self._last = now - self._last, now


_count = click.IntRange(min=1)
_above_zero = click.FloatRange(min=0, min_open=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--out", type=click.Path(file_okay=False, path_type=pathlib.Path), required=True)
@click.option("--speed", type=float, default=1.0, help="Of the mass center at the end (m/s).")
@click.option("--lean", type=click.FloatRange(0, 0.3), default=0.2, help="Forward, at first (rad).")
@click.option("--steps", type=click.IntRange(min=2), default=30, help="Of 0.01 s.")
@click.option("--knots", type=click.IntRange(min=2), default=7, help="Per excitation.")
@click.option("--worlds", type=click.IntRange(min=4), default=16, help="Starts.")
@click.option("--iterations", type=_count, default=100, help="On the excitations.")
@click.option("--ankle-iterations", type=_count, default=50, help="On excitations and ankle.")
@click.option("--rate", type=_above_zero, default=0.3, help="Of learning, at first.")
@click.option("--accuracy", type=_above_zero, default=1e-6, help="Of OpenSim.")
@click.option("--cores", type=_count, help="All if not given.")
@click.option("--seed", type=int, default=1)
def main(out, cores, lean, steps, speed, accuracy, **settings) -> None:
    """Optimize excitations for the start of a walk, then the prosthetic ankle with them."""
    jaxosim.use_compilation_cache()
    jaxosim.use_cpu_devices(cores)
    if settings["worlds"] % (share := 2 * jax.device_count()):
        raise click.UsageError(f"--worlds: expected a multiple of {share}, to share them out")
    out.mkdir(parents=True, exist_ok=True)
    result = optimize(out, leaning_walker(lean, steps, speed), accuracy, **settings)
    with replacing(out / "result.json") as unfinished:
        unfinished.write_text(json.dumps(result, indent=1))
    console.print(summary(result))


def optimize(
    out: pathlib.Path,
    task: Task,
    accuracy: float,
    worlds: int,
    knots: int,
    iterations: int,
    ankle_iterations: int,
    rate: float,
    seed: int,
) -> dict[str, Any]:
    """Both descents, their playback in OpenSim, and all files but the result itself."""
    clock = Clock()
    variables = random_starts(task, worlds, knots, seed)
    optimizer = Optimizer(task, variables)
    clock("compiling")
    held = np.zeros(worlds, bool)
    variables, totals = optimizer.run("excitations", variables, held, iterations, rate)
    first = Found.of("excitations", task, optimizer, variables)
    clock("excitations")
    second, ankle = with_ankle(task, optimizer, first, ankle_iterations, rate / 3)
    clock("ankle")
    played = {}
    for found in (first, second):
        found.save(out)
        if importlib.util.find_spec("opensim") is None:
            console.print("not played in OpenSim: pip install 'jaxosim[opensim]'")
        else:
            played[found.name] = compare_with_opensim(found, out, accuracy)
    clock("OpenSim")
    write_history(out / "history.csv", optimizer.rows)
    draw(out / "history.png", totals, first, ankle, played)
    clock("picture")
    return {
        "settings": {
            "steps": task.steps,
            "worlds": worlds,
            "knots": knots,
            "seed": seed,
            "rate": rate,
        },
        "objective_at_first": float(totals[0].min()),
        "objective_at_last": float(first.totals[0]),
        "objective_of_all": first.totals.tolist(),
        "velocity": first.best[1].velocity.tolist(),
        "ankle": ankle,
        "opensim": played,
        "seconds": clock.seconds,
    }


def with_ankle(
    task: Task, optimizer: Optimizer, first: Found, iterations: int, rate: float
) -> tuple[Found, dict[str, Any]]:
    """From stiffnesses far and near: once with the excitations adapted, once with both free.

    Returns:
      What was found, and objective, gradient and difference quotient over the stiffness.
    """
    starts = stiffness_starts(first.variables, len(first.totals))
    free = np.arange(len(first.totals)) % 2 == 1
    kept = slope_check(optimizer, starts)
    ends, totals = optimizer.run("ankle", starts, free, iterations, rate)
    lowest, stiffness = totals.min(axis=0), stiffness_of(task, ends)
    return Found.of("ankle", task, optimizer, ends), {
        "stiffness": stiffness[~free].tolist(),
        "excitations_kept": kept,
        "excitations_adapted": slope_check(optimizer, ends),
        "both_free": {
            "stiffness": stiffness[free].tolist(),
            "objective": lowest[free].tolist(),
        },
    }


def write_history(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    """One row for each iteration."""
    with replacing(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
