"""How close are we to OpenSim? The acceptance tables of docs/fidelity.md, measured now.

\b
    python benchmarks/parity.py                        every bundled model, 256 states each
    python benchmarks/parity.py a.osim b.osim          these files as well
    python benchmarks/parity.py --only a.osim          these files instead
    python benchmarks/parity.py --trajectories         one-second trajectories too (minutes a model)

Float64, errors relative to max(1, |OpenSim's value|). A number over its bound is marked with `!`.
Each run appends a line to benchmarks/results/parity.jsonl.
"""  # noqa: D301, for click \b begins a block of code

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import jax
import rich.console
import rich.table
from opensim_comparison import states as comparison
from opensim_comparison import trajectories
from patterns import PATTERNS
from record import PACKAGES, record

jax.config.update("jax_enable_x64", True)


import jaxosim  # noqa: E402
from jaxosim.cli.report import plain_table  # noqa: E402
from jaxosim.models.catalog import resolve  # noqa: E402
from jaxosim.opensim.sampling import random_states  # noqa: E402

NOTE = """\
Accelerations: as reported, where OpenSim's own equations of motion miss less than 1e-8 N·m
({reported:.1%} of states); refined by those equations, where the mass matrix is not next to gimbal
lock ({refined:.1%} of states). Equations of motion: force missing in OpenSim's for jaxosim's
accelerations, relative to the forces at work, all states. `!` marks what is over its bound."""
_WIDTH = None if sys.stdout.isatty() else 150
MOTION = "equations of motion"
ACCELERATIONS = [q.name for q in comparison.QUANTITIES if q.within]
AT_REST, MOVING = "fiber eq. (m)", "fiber eq. moving (m)"
STATE_BOUNDS = {
    **{quantity.name: quantity.tolerance for quantity in comparison.QUANTITIES},
    MOTION: comparison.MOTION_TOLERANCE,
    AT_REST: comparison.EQUILIBRIUM_TOLERANCE,
    MOVING: comparison.EQUILIBRIUM_TOLERANCE,
}
STATES = "random states, relative to max(1, |OpenSim's value|)"
ACCURACIES = {
    f"trajectories, accuracy {accuracy:g} (rad | m)": accuracy
    for accuracy in (trajectories.REFERENCE_ACCURACY, trajectories.OSIM_RL_ACCURACY)
}
OWN_ACCURACY = trajectories.OSIM_RL_ACCURACY
OWN = f"OpenSim from itself, started 1e-15 aside, accuracy {OWN_ACCURACY:g} (rad | m)"
CONSOLE = rich.console.Console(highlight=False, markup=False, width=_WIDTH)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1)
@click.option("--only", is_flag=True, help="Leave the bundled models out.")
@click.option("--states", default=256, show_default=True, help="Random states per model.")
@click.option("--seed", default=1, show_default=True, help="Of the random states.")
@click.option("--trajectories", "with_trajectories", is_flag=True, help="Measure them too.")
def main(models: tuple[str, ...], only: bool, states: int, seed: int, with_trajectories: bool):
    """Measure, print, append."""
    chosen = (*(() if only else jaxosim.bundled_models()), *models)
    results, refused = {}, {}
    for model in chosen:
        name = Path(model).name
        click.echo(f"{name} …", err=True)
        try:
            results[name] = measure(model, states, seed, with_trajectories)
        except (jaxosim.UnsupportedComponentError, jaxosim.OsimFormatError) as error:
            refused[name] = str(error).splitlines()[0].removeprefix(f"{model}: ").rstrip(":")
    for heading, bounds in tables(results):
        CONSOLE.print(table(heading, bounds, {name: r[heading] for name, r in results.items()}))
    shares = [result[STATES] for result in results.values()]
    if shares:
        reported, refined = (min(s[name][2] for s in shares) for name in ACCELERATIONS)
        CONSOLE.print(NOTE.format(reported=reported, refined=refined))
    for name, reason in refused.items():
        CONSOLE.print(f"{name}: not compared: {reason}")
    row = {"states": states, "seed": seed, "errors": results, "refused": refused}
    record("parity", row, (*PACKAGES, "opensim"))


def measure(model: str, count: int, seed: int, with_trajectories: bool) -> dict[str, dict]:
    """All errors of one model, by table and quantity: `[error, place]`, share of states."""
    jaxosim.load_model(model)  # complains before OpenSim does
    from jaxosim.opensim.model import OpenSimModel

    oracle = OpenSimModel(resolve(model))
    measured = {STATES: _state_errors(oracle, model, count, seed)}
    if with_trajectories:
        for heading, accuracy in ACCURACIES.items():
            measured[heading] = {
                pattern: _pair(trajectories.trajectory_error(oracle, model, pattern, accuracy))
                for pattern in PATTERNS
            }
        measured[OWN] = {
            pattern: [trajectories.repeatability(oracle, pattern, OWN_ACCURACY), ""]
            for pattern in PATTERNS
        }
    return measured


def _state_errors(oracle, model: str, count: int, seed: int) -> dict[str, list]:
    compared = comparison.compare(oracle, model, random_states(oracle, count, seed))
    errors = {
        quantity.name: [*_pair(compared.error(quantity)), compared.compared(quantity).mean()]
        for quantity in comparison.QUANTITIES
    }
    errors[MOTION] = _pair(compared.motion_error())
    for name, moving in ((AT_REST, False), (MOVING, True)):
        error = comparison.equilibrium_error(oracle, model, compared.states, moving)
        errors[name] = _pair(error)
    return errors


def _pair(error: comparison.Error) -> list:
    return [error.value, error.place]


def tables(results: dict[str, dict]) -> Iterator[tuple[str, dict[str, float]]]:
    """Headings of the tables measured, and the bound of each column."""
    for heading in next(iter(results.values()), {}):
        if heading == STATES:
            yield heading, STATE_BOUNDS
        elif heading == OWN:
            yield heading, dict.fromkeys(PATTERNS, float("inf"))
        else:
            accuracy = ACCURACIES[heading]
            yield heading, {p: trajectories.tolerance(p, accuracy) for p in PATTERNS}


def table(heading: str, bounds: dict[str, float], errors: dict[str, dict]) -> rich.table.Table:
    """A row per model, a column per quantity."""
    drawn = plain_table(heading, ("", "left"), *((name, "right") for name in bounds))
    drawn.columns[0].no_wrap = True
    if heading != OWN:
        drawn.add_row("at most", *(f"{b:.0e}" for b in bounds.values()), end_section=True)
    for model, measured in errors.items():
        values = [(measured[name][0], bound) for name, bound in bounds.items()]
        drawn.add_row(model, *(f"{value:.1e}{'!' * (value > bound)}" for value, bound in values))
    return drawn


if __name__ == "__main__":
    main()
