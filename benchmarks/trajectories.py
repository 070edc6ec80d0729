r"""Do models of any folder follow OpenSim for a fifth of a second, and what do they cost to load?

\b
    python benchmarks/trajectories.py MODEL …                  some models
    python benchmarks/trajectories.py FOLDER --results FILE    every .osim file below it
    python benchmarks/trajectories.py MODEL … --costs          and what loading costs

From the default pose at rest, lifted onto the ground if it is more than 0.1 m below, muscles in
equilibrium; every control, those of actuators included, is uniform in [0, 1] and drawn anew every
50 ms from a fixed seed. Both programs integrate by Runge-Kutta-Merson at this accuracy, starting
anew in each step of 10 ms. The error is the largest of any coordinate (rad | m); tolerance 1e-5.
Beyond it, OpenSim is asked how far it is from itself when it starts 1e-15 (rad | m) aside: no other
program can be expected to be nearer. If it is nearer to itself, both are asked again at a hundredth
of the accuracy, and there too how far OpenSim is from itself: where a force jumps, an integrator's
error may be far above its accuracy. If the two programs begin at poses that differ, as an assembly
may leave them, jaxosim is asked again from OpenSim's pose, and that error is the one that counts.
Float64, the smallest files first.

`--results FILE` keeps a line for each program's motion, by the content of the .osim file and the
question; what is there is not asked again, so that a run that was ended goes on.

With `--costs` also OpenSim's difference from itself within the tolerance, and processor seconds: of
reading and building the model, median of three; of tracing and compiling `step` of one world with
the default options, no kernels on disk.

Prints a line for each file, then the tables of docs/fidelity.md in Markdown, and appends a line to
benchmarks/results/trajectories.jsonl.
"""  # noqa: D301, for click \b begins a block of code

import contextlib
import os
import statistics
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
from opensim_comparison.answers import Answers, Row, limit_processor_time
from record import PACKAGES, record
from tables import show_markdown

import jaxosim
from jaxosim.models.catalog import resolve

jax.config.update("jax_enable_x64", True)

NAME = "trajectories"
TOLERANCE = 1e-5
PATTERN = "random"
LOADS = 3
FINE = 1e-2  # times the accuracy, at which both are asked again
FOLLOWS, SCATTERS, FINER, DIFFERS = "follows", "scatters", "follows finer", "differs"
OPENSIM_REFUSES, OPENSIM_FAILS = "OpenSim refuses", "OpenSim fails"
REFUSED, FAILED = "refused", "failed"
OUTCOMES = {
    FOLLOWS: "within 1e-5",
    SCATTERS: "no farther than OpenSim from itself",
    FINER: "within 1e-5 at a hundredth of the accuracy",
    DIFFERS: "beyond",
    OPENSIM_FAILS: "not integrated by OpenSim",
    OPENSIM_REFUSES: "not loaded by OpenSim",
    REFUSED: "refused here",
    FAILED: "no answer",
}
COSTS = ("load (s)", "compile (s)")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1, required=True)
@click.option("--results", type=click.Path(path_type=Path), help="Lines to keep and to go on from.")
@click.option("--steps", default=20, show_default=True, help="Of 10 ms, at most 100.")
@click.option("--accuracy", default=1e-8, show_default=True, help="Of both integrators.")
@click.option("--timeout", default=600, show_default=True, help="Processor seconds of one motion.")
@click.option("--costs", is_flag=True, help="Measure what loading costs.")
def main(
    models: tuple[str, ...],
    results: Path | None,
    steps: int,
    accuracy: float,
    timeout: int,
    costs: bool,
) -> None:
    """Ask, print, append."""
    rows: dict[str, Row] = {}
    paths = files(models)
    with contextlib.closing(Answers(Mover, results, timeout)) as answers:
        for name in sorted(paths, key=lambda name: paths[name].stat().st_size):
            rows[name] = compared(answers, name, paths[name], steps, accuracy, costs)
            click.echo(f"{rows[name]['outcome']:15s} {name}: {said(rows[name])}")
    rows = {name: rows[name] for name in paths}
    _print_tables(rows, costs)
    record(NAME, {"steps": steps, "accuracy": accuracy, "files": rows}, (*PACKAGES, "opensim"))


def files(models: tuple[str, ...]) -> dict[str, Path]:
    """Paths by name: below a folder relative to it, else so many last parts as tell them apart."""
    found: dict[str, Path] = {}
    for model in models:
        if os.path.isdir(model):
            below = sorted(Path(model).rglob("*.osim"))
            found |= {str(path.relative_to(model)): path for path in below}
        else:
            path = Path(resolve(model))
            names = ("/".join(path.parts[-count:]) for count in range(2, len(path.parts) + 1))
            found[next(name for name in names if found.get(name, path) == path)] = path
    return found


def compared(
    answers: Answers, name: str, path: Path, steps: int, accuracy: float, costs: bool = False
) -> Row:
    """The row of a file: an outcome, why, and where both programs moved, how far apart they are."""
    from opensim_comparison.trajectories import NUDGE

    def ask(method: str, *more: Any) -> Row:
        asked = name, path, method, *more
        return answers.ask(*asked, died=lambda why: {"failed": FAILED, "why": f"{method}: {why}"})

    plan = steps, accuracy
    expected = ask("opensim", *plan, 0.0)
    if "failed" in expected:
        return {"outcome": expected["failed"], "why": expected["why"]}
    if not expected["coordinates"]:
        return {"outcome": FOLLOWS, "why": "nothing moves"}
    pose = expected["lifted"] or None
    obtained = ask("jaxosim", *plan, pose)
    if "failed" in obtained:
        return {"outcome": obtained["failed"], "why": obtained["why"]}
    why = "lifted onto the ground" if pose else ""
    row: Row = {"outcome": FOLLOWS, "why": why, **_apart(obtained, expected)}
    if row["error"] > TOLERANCE < 10 * row["start"]:
        pose = expected["q"][0]
        again = ask("jaxosim", *plan, pose)
        row |= {"why": f"starts {row['start']:.1e} aside", **_apart(again, expected)}
    if row["error"] > TOLERANCE or costs:
        row["OpenSim from itself"] = _apart(ask("opensim", *plan, NUDGE), expected)["error"]
    if row["error"] > TOLERANCE:
        row["outcome"] = SCATTERS
        if not row["error"] <= row["OpenSim from itself"] < np.inf:
            fine = steps, FINE * accuracy
            finest = ask("opensim", *fine, 0.0)
            row["finer"] = _apart(ask("jaxosim", *fine, pose), finest)["error"]
            row["outcome"] = FINER if row["finer"] <= TOLERANCE else DIFFERS
            if row["finer"] > TOLERANCE:
                itself = _apart(ask("opensim", *fine, NUDGE), finest)["error"]
                row["OpenSim from itself, finer"] = itself
                row["outcome"] = SCATTERS if row["finer"] <= itself < np.inf else DIFFERS
    return row | (ask("costs") if costs else {})


def _apart(obtained: Row, expected: Row) -> Row:
    """How far two motions are apart, and their starts; without end where there is none."""
    from opensim_comparison.trajectories import largest_difference

    if "q" not in obtained or "q" not in expected:
        return {"error": np.inf, "where": "no motion", "start": 0.0}
    first, second = np.array(obtained["q"]), np.array(expected["q"])
    error = largest_difference(expected["coordinates"], first, second)
    start = float(np.abs(first - second)[0].max())
    return {"error": error.value, "where": error.place, "start": start}


class Mover:
    """Moves models in both programs, in a process that ends when one takes too long."""

    def __init__(self, timeout: int):
        """Prepare for motions that take so many processor seconds each at most."""
        warnings.simplefilter("ignore")
        os.environ["JAXOSIM_CACHE_DIR"] = ""
        self._timeout = timeout

    def opensim(self, path: str, steps: int, accuracy: float, aside: float) -> Row:
        """OpenSim's motion `[step+1, coordinate]` and the names of its coordinates, or a reason."""
        from opensim_comparison.trajectories import opensim_motion, start_pose

        from jaxosim.opensim.model import OpenSimModel

        limit_processor_time(self._timeout)
        try:
            oracle = OpenSimModel(path)
        except RuntimeError as error:
            return _reason(OPENSIM_REFUSES, error)
        try:
            q = opensim_motion(oracle, PATTERN, accuracy, steps, aside)
        except RuntimeError as error:
            return _reason(OPENSIM_FAILS, error)
        if not np.isfinite(q).all():
            return {"failed": OPENSIM_FAILS, "why": "OpenSim's coordinates are not finite"}
        pose = start_pose(oracle)
        lifted = pose.tolist() if np.any(pose != oracle.defaults) else []
        return {"q": q.tolist(), "coordinates": oracle.coordinate_names, "lifted": lifted}

    def jaxosim(self, path: str, steps: int, accuracy: float, pose: list[float] | None) -> Row:
        """Jaxosim's motion, or why there is none."""
        from opensim_comparison.trajectories import jaxosim_motion

        limit_processor_time(self._timeout)
        os.environ["JAXOSIM_LLVM_LEVEL"] = "0"  # of all the cheapest for a program that runs once
        start = None if pose is None else np.array(pose)
        try:
            return {"q": jaxosim_motion(path, PATTERN, accuracy, steps, start).tolist()}
        except jaxosim.JaxosimError as error:
            return _reason(REFUSED, error)
        except Exception as error:  # noqa: BLE001, the other files follow
            return _reason(FAILED, error)

    def costs(self, path: str) -> Row:
        """Processor seconds of reading and building a model, and of compiling its step."""
        from timing import compiled

        limit_processor_time(self._timeout)
        os.environ["JAXOSIM_LLVM_LEVEL"] = "1"
        seconds = _load_seconds(path)
        model, params = jaxosim.load_model(path)
        state = jaxosim.initial_state(model, params)
        controls = np.zeros(len(model.control_names))
        start = time.process_time()
        compiled(lambda at, row: jaxosim.step(model, params, at, row), state, controls)
        return dict(zip(COSTS, (seconds, time.process_time() - start), strict=True))


def _reason(outcome: str, error: Exception) -> Row:
    """The answer of a program that raised this."""
    return {"failed": outcome, "why": " ".join(f"{type(error).__name__}: {error}".split())[:300]}


def _load_seconds(path: str) -> float:
    """Median processor seconds of reading and building a model anew."""
    from jaxosim.models.compile import compile_model
    from jaxosim.models.osim.reader import parse_model
    from jaxosim.models.osim.xml import read_bytes

    source, seconds = Path(path), []
    for _ in range(LOADS):
        start = time.process_time()
        compile_model(parse_model(read_bytes(source), path, None, source.parent))
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def said(row: Row) -> str:
    """A row in words."""
    if "error" not in row:
        return row["why"]
    parts = [f"{row['error']:.1e} ({row['where']})", row["why"]]
    if "OpenSim from itself" in row:
        parts.append(f"OpenSim from itself {row['OpenSim from itself']:.1e}")
    if "finer" in row:
        parts.append(f"at a hundredth of the accuracy {row['finer']:.1e}")
    if "OpenSim from itself, finer" in row:
        parts.append(f"OpenSim from itself {row['OpenSim from itself, finer']:.1e}")
    return ", ".join(filter(None, parts))


def _print_tables(rows: dict[str, Row], costs: bool) -> None:
    """Print how many files of each source have each outcome; the costs; the others one by one."""
    sources: dict[str, Counter[str]] = {}
    for name, row in rows.items():
        sources.setdefault(name.partition("/")[0], Counter())[row["outcome"]] += 1
    sources["all"] = sum(sources.values(), Counter())
    columns = ("source", "files", *OUTCOMES.values())
    table = [(s, n.total(), *(n[outcome] for outcome in OUTCOMES)) for s, n in sources.items()]
    click.echo("")
    show_markdown(columns, table)
    if costs:
        figures = ("error", "OpenSim from itself", *COSTS)
        table = [
            (name, row["where"], *(f"{row[figure]:.2g}" for figure in figures))
            for name, row in rows.items()
            if "error" in row
        ]
        click.echo("")
        show_markdown(("model", "where", *figures), table)
    others = [(n, r["outcome"], said(r)) for n, r in rows.items() if r["outcome"] != FOLLOWS]
    click.echo("")
    show_markdown(("file", "outcome", "error, or why there is none"), others)


if __name__ == "__main__":
    main()
