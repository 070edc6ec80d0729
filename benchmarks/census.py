r"""Which of a folder's models load, do they move as OpenSim moves them, and if not, why not?

\b
    python benchmarks/census.py FOLDER               every .osim file below it
    python benchmarks/census.py FOLDER --states 16   compared at more states
    python benchmarks/census.py FOLDER --no-opensim  only what jaxosim says

One line for each file, then the tables of docs/fidelity.md in Markdown, by source: the folder
within FOLDER that holds the file. Then how many files each unsupported class keeps out, and how
many it alone. A file moves as in OpenSim if all accelerations of coordinates at random states are
within 1e-8 of OpenSim's, relative to max(1, |OpenSim's value|). Where OpenSim's accelerations miss
its own equations of motion by more than 1e-8, they are refined by one step of iteration first (see
jaxosim/opensim/refinement.py); states in which these equations are near singular are left out.
Other quantities of the acceptance table (docs/fidelity.md) beyond their bounds are named. Each file
has a process of its own: OpenSim keeps a file's defaults for the next one, and some files end it.
Appends a line to benchmarks/results/census.jsonl.
"""  # noqa: D301, for click \b begins a block of code

import dataclasses
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import jax
import numpy as np
from record import PACKAGES, record

jax.config.update("jax_enable_x64", True)

import jaxosim  # noqa: E402

if TYPE_CHECKING:
    from opensim_comparison.states import Comparison

AGREES, DIFFERS, LOADS = "agrees", "differs", "loads"
UNSUPPORTED, REFUSED, FAILED = "unsupported", "refused", "failed"
BOUND = 1e-8  # of accelerations, and of what OpenSim misses its own equations of motion by
SINGULAR = 1e6  # condition of these equations, beyond which neither program keeps eight digits
MOTION = ("accelerations", "OpenSim's residual", "states")  # of a row that was compared
OUTCOMES = {
    AGREES: "load and move as in OpenSim",
    DIFFERS: "load and do not move as in OpenSim",
    LOADS: "load and were not compared",
    UNSUPPORTED: "hold parts that are not simulated",
    REFUSED: "are refused as no usable model",
    FAILED: "ended the process, or took too long",
}


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--states", default=4, show_default=True, help="Random states per model.")
@click.option("--timeout", default=600, show_default=True, help="Seconds for one file.")
@click.option("--opensim/--no-opensim", "live", default=True, help="Compare with a live OpenSim.")
@click.option("--one", is_flag=True, hidden=True, help="FOLDER is a file: print its row as JSON.")
def main(folder: Path, states: int, timeout: int, live: bool, one: bool):
    """Ask, print, append."""
    if one:
        click.echo(json.dumps(row_of(folder, states, live)))
        return
    rows = {}
    for path in sorted(folder.rglob("*.osim")):
        name = str(path.relative_to(folder))
        rows[name] = row = _ask(path, states, timeout, live)
        click.echo(f"{row['outcome']:12s} {name}" + (f": {row['why']}" if row["why"] else ""))
    _sum_up(rows)
    record("census", {"states": states, "files": rows}, PACKAGES + (("opensim",) if live else ()))


def _ask(path: Path, states: int, timeout: int, live: bool) -> dict:
    """The row of one file, from a process of its own."""
    command = [sys.executable, __file__, str(path), "--one", "--states", str(states)]
    command += [] if live else ["--no-opensim"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return _row(FAILED, f"more than {timeout} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return _row(FAILED, f"exit {done.returncode}: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _row(outcome: str, why: str, **more: object) -> dict:
    """What is said of one file."""
    return {"outcome": outcome, "why": " ".join(why.split()), "classes": {}, **more}


def row_of(path: Path, states: int, live: bool) -> dict:
    """What becomes of one file: an outcome, why, and the numbers of unsupported parts by class."""
    try:
        structure, _ = jaxosim.load_model(path)
    except jaxosim.UnsupportedComponentError as error:
        named = {(item.class_name, item.name): None for item in error.unsupported}
        classes = dict(Counter(class_name for class_name, _ in named))
        parts = (f"{class_name} ({count})" for class_name, count in classes.items())
        row = _row(UNSUPPORTED, ", ".join(parts) or str(error)) | {"classes": classes}
    except jaxosim.OsimFormatError as error:
        row = _row(REFUSED, str(error).removeprefix(f"{path}: "))
    else:
        return _compared(path, structure, states) if live else _row(LOADS, "")
    return row | (_opensim_says(path) if live else {})


def _compared(path: Path, structure: jaxosim.Model, count: int) -> dict:
    """The row of a file that loads, compared with live OpenSim."""
    from opensim_comparison import states as comparison

    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.sampling import random_states

    try:
        oracle = OpenSimModel(path)
        states = random_states(oracle, count, 1)
    except RuntimeError as error:
        return _row(LOADS, "", opensim=str(error).splitlines()[0])
    compared = comparison.compare(oracle, str(path), states)
    # Ball and Free joints have an unused fourth q in Simbody, past which the oracle cannot count.
    uneven = bool(structure.tree.angular_velocity.any())
    over = []
    for quantity in comparison.QUANTITIES:
        parts = {k: v for k, v in quantity.parts.items() if not (uneven and k == "q_dot")}
        error = compared.error(dataclasses.replace(quantity, parts=parts))
        if not error.value <= quantity.tolerance:
            over.append(f"{quantity.name} {error.value:.1e} ({error.place})")
    motion = _motion(compared)
    agrees = motion["accelerations"] <= BOUND
    return _row(AGREES if agrees else DIFFERS, ", ".join(over), opensim="loads it", **motion)


def _motion(compared: "Comparison") -> dict:
    """How far accelerations of coordinates are from OpenSim's, and those from its own equations.

    Returns:
      The largest error over the states that are not near singular; the largest residual that
      OpenSim leaves there; and how many states there are of all.
    """
    free = ~compared.oracle.locked
    sound = compared.expected["condition"] < SINGULAR
    residual = compared.expected["own_residual"]
    reported, refined = (compared.expected[key] for key in ("u_dot", "refined_u_dot"))
    expected = np.where((residual < BOUND)[:, None], reported, refined)[sound][:, free]
    error = np.abs(compared.obtained["u_dot"][sound][:, free] - expected)
    error = error / np.maximum(1.0, np.abs(expected))
    largest = float(np.max(np.where(np.isfinite(error), error, math.inf), initial=0.0))
    states = f"{int(sound.sum())} of {len(sound)}"
    figures = largest, float(np.max(residual[sound], initial=0.0)), states
    return dict(zip(MOTION, figures, strict=True))


def _opensim_says(path: Path) -> dict:
    """Whether OpenSim takes a file."""
    from jaxosim.opensim.library import opensim

    try:
        model = opensim.Model(str(path))
        model.initSystem()
    except RuntimeError as error:
        return {"opensim": f"refuses it too: {str(error).splitlines()[0]}"}
    return {"opensim": "loads it"}


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    for row in (columns, ["---"] * len(columns), *rows):
        click.echo("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |")


def _by_source(rows: dict[str, dict]) -> None:
    """Print how many files of each source load, and move as in OpenSim; and the misses."""
    sources: dict[str, list[dict]] = {}
    for name, row in rows.items():
        sources.setdefault(name.rpartition("/")[0] or ".", []).append(row)
    table = []
    for source, own in sources.items():
        taken = [row for row in own if row.get("opensim") == "loads it"]
        outcomes = Counter(row["outcome"] for row in taken)
        loaded = outcomes[AGREES] + outcomes[DIFFERS]
        unknown = sum(row["outcome"] == FAILED for row in own)
        table.append((source, len(own), len(taken), loaded, outcomes[AGREES], unknown))
    click.echo("")
    _markdown(
        ("source", "files", "OpenSim loads", "of these load here", "agree", "no answer"), table
    )
    click.echo("")
    compared = [(name, row) for name, row in rows.items() if "states" in row]
    figures = ("file", "accelerations", "OpenSim's own residual", "states", "beyond their bounds")
    _markdown(
        figures,
        (
            (name, f"{row[MOTION[0]]:.1e}", f"{row[MOTION[1]]:.1e}", row[MOTION[2]], row["why"])
            for name, row in compared
        ),
    )
    missed = [(name, row) for name, row in rows.items() if "states" not in row]
    if missed:
        click.echo("")
        columns = ("not compared", "outcome", "OpenSim", "cause")
        _markdown(columns, ((n, r["outcome"], r.get("opensim", ""), r["why"]) for n, r in missed))


def _sum_up(rows: dict[str, dict]) -> None:
    """Print how many files have each outcome, the tables, and how many each class keeps out."""
    _by_source(rows)
    outcomes = Counter(row["outcome"] for row in rows.values())
    click.echo(f"\n{len(rows)} files")
    for outcome, meaning in OUTCOMES.items():
        if outcomes[outcome]:
            click.echo(f"{outcomes[outcome]:6d} {meaning}")
    keeps_out = Counter(name for row in rows.values() for name in row["classes"])
    alone = Counter(name for r in rows.values() for name in r["classes"] if len(r["classes"]) == 1)
    if keeps_out:
        click.echo("\nfiles  alone  class that is not simulated")
    for name, count in keeps_out.most_common():
        click.echo(f"{count:5d}  {alone[name]:5d}  {name}")


if __name__ == "__main__":
    main()
