r"""Which of a folder's models load, do they move as OpenSim moves them, and if not, why not?

\b
    python benchmarks/census.py FOLDER               every .osim file below it
    python benchmarks/census.py FOLDER --states 16   compared at more states
    python benchmarks/census.py FOLDER --no-opensim  only what jaxosim says

One line for each file, then how many files each unsupported class keeps out, and how many it alone.
A file agrees if every quantity of the acceptance table (docs/fidelity.md) is within its bound at
random states. Each file has a process of its own: OpenSim keeps a file's defaults for the next one,
and some files end it. Appends a line to benchmarks/results/census.jsonl.
"""  # noqa: D301, for click \b begins a block of code

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import jax
from record import PACKAGES, record

jax.config.update("jax_enable_x64", True)

import jaxosim  # noqa: E402

AGREES, DIFFERS, LOADS = "agrees", "differs", "loads"
UNSUPPORTED, REFUSED, FAILED = "unsupported", "refused", "failed"
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
        return {"outcome": FAILED, "why": f"more than {timeout} s", "classes": {}}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"outcome": FAILED, "why": f"exit {done.returncode}: {last}", "classes": {}}
    return json.loads(done.stdout.strip().splitlines()[-1])


def row_of(path: Path, states: int, live: bool) -> dict:
    """What becomes of one file: an outcome, why, and the numbers of unsupported parts by class."""
    classes: dict[str, int] = {}
    try:
        structure, _ = jaxosim.load_model(path)
    except jaxosim.UnsupportedComponentError as error:
        named = {(item.class_name, item.name): None for item in error.unsupported}
        classes = dict(Counter(class_name for class_name, _ in named))
        parts = (f"{class_name} ({count})" for class_name, count in classes.items())
        outcome, why = UNSUPPORTED, ", ".join(parts) or str(error)
    except jaxosim.OsimFormatError as error:
        outcome, why = REFUSED, str(error).removeprefix(f"{path}: ")
    else:
        outcome, why = _compared(path, structure, states) if live else (LOADS, "")
    if live and outcome == REFUSED:
        why += f" [OpenSim: {_opensim_says(path)}]"
    return {"outcome": outcome, "why": " ".join(why.split()), "classes": classes}


def _compared(path: Path, structure: jaxosim.Model, count: int) -> tuple[str, str]:
    """Outcome of the comparison with live OpenSim, and the quantities over their bounds."""
    from opensim_comparison import states as comparison

    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.sampling import random_states

    try:
        oracle = OpenSimModel(path)
        states = random_states(oracle, count, 1)
    except RuntimeError as error:
        return LOADS, f"OpenSim: {error}"
    compared = comparison.compare(oracle, str(path), states)
    # Ball and Free joints have an unused fourth q in Simbody, past which the oracle cannot count.
    uneven = bool(structure.tree.angular_velocity.any())
    over = []
    for quantity in comparison.QUANTITIES:
        parts = {k: v for k, v in quantity.parts.items() if not (uneven and k == "q_dot")}
        error = compared.error(dataclasses.replace(quantity, parts=parts))
        if not error.value <= quantity.tolerance:
            over.append(f"{quantity.name} {error.value:.1e} ({error.place})")
    return (DIFFERS if over else AGREES), ", ".join(over)


def _opensim_says(path: Path) -> str:
    """Whether OpenSim takes a file."""
    from jaxosim.opensim.library import opensim

    try:
        model = opensim.Model(str(path))
        model.initSystem()
    except RuntimeError as error:
        return f"refuses it too: {error}"
    return "loads it"


def _sum_up(rows: dict[str, dict]) -> None:
    """Print how many files have each outcome, and how many each class keeps out."""
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
