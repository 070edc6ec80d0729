r"""Which of a folder's models load, do they move as OpenSim moves them, and if not, why not?

\b
    python benchmarks/census.py FOLDER --results rows.jsonl  every .osim file below it
    python benchmarks/census.py FOLDER --states 16           compared at more states
    python benchmarks/census.py FOLDER --quantities          of the whole acceptance table
    python benchmarks/census.py FOLDER --loads               only what each program loads
    python benchmarks/census.py FOLDER --no-opensim          only what jaxosim says

Two passes. The first says of each file whether OpenSim and jaxosim load it; the second compares
those that both load, the smallest models first. `--results FILE` keeps a line for each answer, by
the content of the .osim file and the question; a file that has its answer there is not asked again,
so that a census that was ended goes on. A process answers for several files, and is replaced when
it ends or takes too long.

A file moves as in OpenSim if all accelerations of coordinates at random states are within 1e-8 of
OpenSim's, relative to max(1, |OpenSim's value|). Where OpenSim's accelerations miss its own
equations of motion by more than 1e-8, they are refined by one step of iteration first (see
jaxosim/opensim/refinement.py); states in which these equations are near singular are left out.
States satisfy the constraints of a model, those for which Newton's method finds no such pose are
left out too, and those at which OpenSim's length of a path is NaN.
OpenSim's scatter at a state is the largest change of what OpenSim reports there, relative to
max(1, |value|), over a few copies of the state whose coordinates, speeds and muscle states are
shifted at random by 1e-15 of max(1, |value|). Where that is more than 1e-8, OpenSim's own answer is
not that good. A file with errors beyond 1e-8, each of them within OpenSim's scatter at its state,
has an outcome of its own.
With `--quantities`, other quantities of the acceptance table (docs/fidelity.md) are named that are
beyond their bounds, and further from OpenSim's than OpenSim's scatter of them at that state; and
those that are not finite in OpenSim. It takes five times as long. Kernels are compiled without
LLVM's optimizations.

Prints one line for each file, then the tables of docs/fidelity.md in Markdown, by source: the
folder within FOLDER. Then how many files each unsupported class keeps out, and how many it alone.
Appends a line to benchmarks/results/census.jsonl.
"""  # noqa: D301, for click \b begins a block of code

import contextlib
import functools
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import jax
import jax.numpy as jnp
import numpy as np
from opensim_comparison.answers import Answers, limit_processor_time
from opensim_comparison.motion import BOUND, MOTION, differences, opensim_accelerations
from record import PACKAGES, record
from tables import show_markdown

jax.config.update("jax_enable_x64", True)
os.environ.setdefault("JAXOSIM_LLVM_LEVEL", "0")

import jaxosim  # noqa: E402

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel

AGREES, SCATTERS, DIFFERS, LOADS = "agrees", "scatters", "differs", "loads"
UNSUPPORTED, REFUSED, FAILED = "unsupported", "refused", "failed"
SINGULAR_STATES = "singular"
TAKES = "loads it"
SHIFTS = 10  # of each state, for OpenSim's scatter
OUTCOMES = {
    AGREES: "load and move as in OpenSim",
    SCATTERS: "load and move as in OpenSim, as far as it moves as itself: see its scatter",
    DIFFERS: "load and do not move as in OpenSim",
    SINGULAR_STATES: "load, and no state satisfies the constraints or is regular",
    LOADS: "load and were not compared",
    UNSUPPORTED: "hold parts that are not simulated",
    REFUSED: "are refused as no usable model",
    FAILED: "ended the process, or took too long",
}


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), help="Lines to keep and to go on from.")
@click.option("--states", default=4, show_default=True, help="Random states per model.")
@click.option("--timeout", default=600, show_default=True, help="Processor seconds for one file.")
@click.option("--quantities", is_flag=True, help="Compare the whole acceptance table.")
@click.option("--loads", is_flag=True, help="Compare nothing.")
@click.option("--opensim/--no-opensim", "live", default=True, help="Compare with a live OpenSim.")
def main(
    folder: Path,
    results: Path | None,
    states: int,
    timeout: int,
    quantities: bool,
    loads: bool,
    live: bool,
) -> None:
    """Ask, print, append."""
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.osim"))}
    rows: dict[str, dict] = {}
    with contextlib.closing(Answers(Reader, results, timeout)) as answers:
        died = functools.partial(_row, FAILED)
        for name, path in paths.items():
            row = rows[name] = answers.ask(name, path, "load", live, died=died)
            if row["outcome"] != LOADS or row["opensim"] != TAKES or loads:
                _say(name, row)
        died = functools.partial(_row, FAILED, opensim=TAKES)
        for name in sorted(rows, key=lambda name: rows[name].get("size", 0)):
            comparable = rows[name]["outcome"] == LOADS and rows[name]["opensim"] == TAKES
            if live and not loads and comparable:
                asked = name, paths[name], "compare", states, quantities, SHIFTS
                rows[name] = answers.ask(*asked, died=died)
                _say(name, rows[name])
    _sum_up(rows)
    record("census", {"states": states, "files": rows}, PACKAGES + (("opensim",) if live else ()))


def _say(name: str, row: dict) -> None:
    click.echo(f"{row['outcome']:12s} {name}" + (f": {row['why']}" if row["why"] else ""))


def _row(outcome: str, why: str, **more: object) -> dict:
    """What is said of one file."""
    return {"outcome": outcome, "why": " ".join(why.split()), "classes": {}, "opensim": "", **more}


class Reader:
    """Answers for files, in a process of its own, which ends when one takes too long."""

    def __init__(self, timeout: int):
        """Prepare for files that take so many processor seconds each at most."""
        warnings.simplefilter("ignore")
        self._timeout = timeout

    def load(self, path: str, live: bool) -> dict:
        """What becomes of a file: an outcome, why, the unsupported parts by class, its size."""
        limit_processor_time(self._timeout)
        try:
            model, _ = jaxosim.load_model(path)
        except jaxosim.UnsupportedComponentError as error:
            named = {(item.class_name, item.name): None for item in error.unsupported}
            classes = dict(Counter(class_name for class_name, _ in named))
            parts = (f"{class_name} ({count})" for class_name, count in classes.items())
            row = _row(UNSUPPORTED, ", ".join(parts) or str(error), classes=classes)
        except jaxosim.OsimFormatError as error:
            row = _row(REFUSED, str(error).removeprefix(f"{path}: "))
        else:
            sizes = model.sizes
            # About as compilation takes time.
            effort = sizes["coordinate"] ** 2 + 10 * sizes["muscle"] + 100 * sizes["wrap_object"]
            row = _row(LOADS, "", size=effort)
        return row | ({"opensim": _opensim_says(path)} if live else {})

    def compare(self, path: str, count: int, quantities: bool, shifts: int) -> dict:
        """The row of a file that both programs load: accelerations at random states."""
        from jaxosim.opensim.model import OpenSimModel
        from jaxosim.opensim.sampling import on_constraints, random_states

        limit_processor_time(self._timeout)
        try:
            if not jaxosim.load_model(path)[0].coordinate_names:
                return _row(LOADS, "nothing moves", opensim=TAKES)
            oracle = OpenSimModel(path)
            states, reached = on_constraints(oracle, random_states(oracle, count, 1), 2)
            states = {key: value[reached] for key, value in states.items()}
            if not reached.any():
                return _row(SINGULAR_STATES, "no pose satisfies the constraints", opensim=TAKES)
            if quantities:
                over, expected, u_dot = _whole_table(oracle, path, states, shifts)
            else:
                expected = opensim_accelerations(oracle, states)
                over, u_dot = [], _accelerations(path, states)
            motion = differences(oracle, states, expected, u_dot, shifts)
        except (RuntimeError, np.linalg.LinAlgError) as error:
            why = f"OpenSim: {(str(error).splitlines() or [''])[0]}"
            return _row(LOADS, why, opensim=TAKES)
        except Exception as error:  # noqa: BLE001, the census goes on
            return _row(FAILED, repr(error), opensim=TAKES)
        if motion["states"]:
            agrees = SCATTERS if motion["beyond the bound"] else AGREES
            outcome = DIFFERS if motion["beyond the scatter"] else agrees
        else:
            outcome, over = SINGULAR_STATES, ["near singular, or OpenSim's accelerations are NaN"]
        said = motion | {"states": f"{motion['states']} of {count}"}
        return _row(outcome, ", ".join(over), opensim=TAKES, **said)


@functools.cache
def _program(model: jaxosim.Model) -> Any:
    return jax.jit(functools.partial(jaxosim.state_derivative, model))


def _accelerations(path: str, states: dict[str, np.ndarray]) -> np.ndarray:
    """jaxosim's, `[state, coordinate]`."""
    model, params = jaxosim.load_model(path)
    rows = []
    for index in range(len(states["q"])):
        values = {key: jnp.asarray(value[index]) for key, value in states.items()}
        controls = values.pop("excitation")
        rows.append(np.asarray(_program(model)(params, jaxosim.State(**values), controls).u))
    return np.array(rows)


def _whole_table(
    oracle: "OpenSimModel", path: str, states: dict[str, np.ndarray], shifts: int
) -> tuple[list[str], dict, np.ndarray]:
    """Quantities beyond their bounds, what OpenSim says, and jaxosim's accelerations."""
    from opensim_comparison import states as comparison
    from opensim_comparison.misses import Misses

    from jaxosim.opensim.scatter import have_finite_paths

    compared = comparison.compare(oracle, path, states)
    quantities = comparison.QUANTITIES
    if jaxosim.load_model(path)[0].tree.angular_velocity.any():
        # Ball and Free joints have an unused fourth q in Simbody; the oracle can't count past it.
        quantities = [one.without("q_dot") for one in quantities]
    finite_paths = have_finite_paths(oracle, states["q"])
    over = list(Misses(compared, shifts, finite_paths).phrases(quantities))
    return over, compared.expected, compared.obtained["u_dot"]


def _opensim_says(path: str) -> str:
    """Whether OpenSim takes a file."""
    from jaxosim.opensim.library import opensim, restore_defaults

    try:
        model = opensim.Model(path)
        model.initSystem()
    except RuntimeError as error:
        return f"refuses it too: {str(error).splitlines()[0]}".replace(path, "the file")
    finally:
        restore_defaults()
    return TAKES


def _by_source(rows: dict[str, dict]) -> None:
    """Print how many files of each source load, and move as in OpenSim; and the misses."""
    sources: dict[str, list[dict]] = {}
    for name, row in rows.items():
        sources.setdefault(name.partition("/")[0] if "/" in name else ".", []).append(row)
    table = []
    for source, own in sources.items():
        taken = [row for row in own if row["opensim"] == TAKES]
        outcomes = Counter(row["outcome"] for row in taken)
        refused = outcomes[UNSUPPORTED] + outcomes[REFUSED]
        unknown = outcomes[LOADS] + outcomes[SINGULAR_STATES]
        silent = sum(row["outcome"] == FAILED for row in own)
        moved = (outcomes[outcome] for outcome in (AGREES, SCATTERS, DIFFERS))
        figures = (*moved, unknown, refused, silent)
        table.append((source, len(own), len(taken), len(taken) - refused, *figures))
    table.append(("all", *(sum(row[i] for row in table) for i in range(1, 10))))
    click.echo("")
    columns = ("source", "files", "OpenSim loads", "of these load here", f"agree to {BOUND:.0e}")
    columns += ("within OpenSim's scatter", "differ", "not compared", "refused", "no answer")
    show_markdown(columns, table)
    click.echo("")
    compared = [(name, row) for name, row in rows.items() if "states" in row]
    columns = ("file", "accelerations", "OpenSim's own residual", "OpenSim's own scatter", "states")
    columns += (f"beyond {BOUND:.0e}", "beyond the scatter too", "beyond their bounds")
    show_markdown(columns, ((name, *_figures(row), row["why"]) for name, row in compared))
    missed = [(name, row) for name, row in rows.items() if "states" not in row]
    if missed:
        click.echo("")
        columns = ("not compared", "outcome", "OpenSim", "cause")
        show_markdown(columns, ((n, r["outcome"], r["opensim"], r["why"]) for n, r in missed))


def _figures(row: dict) -> Iterator[str]:
    """What a row tells of the motion, as printed."""
    for name in MOTION:
        yield f"{row[name]:.1e}" if isinstance(row[name], float) else str(row[name])


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
