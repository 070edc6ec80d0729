"""The command line: `jaxosim rollout` and `jaxosim info`.

Whatever the user gets wrong ends in one line on standard error and a non-zero exit status: 2 for a
wrong command line, 1 for everything else, 130 when interrupted.
"""

import contextlib
import importlib.metadata
import json
import math
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

import click
import jax
import numpy as np
import rich.progress

from jaxosim import cli_report, sto
from jaxosim.cli_rollout import Excitation, Job, Result, prepare, root_body, run
from jaxosim.models import bundled_models, load_model
from jaxosim.types import Model, Params, State

_OUT_SUFFIXES = (".npz", ".sto")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; never with a traceback for what a user can get wrong."""
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    """Exit status of a command line; every error that a user can cause becomes one line."""
    try:
        return commands.main(arguments, prog_name="jaxosim", standalone_mode=False) or 0
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", 130)
    except BrokenPipeError:  # the reader of our output has gone: nothing to say, nobody to hear it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:  # our own exceptions are ValueErrors
        return _complain(str(error), 1)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            return _complain("out of memory: give a smaller --batch", 1)
        raise


def _complain(message: str, status: int) -> int:
    """Print a message as one line on standard error; returns the status."""
    first, *rest = (line.strip() for line in message.splitlines() if line.strip())
    click.echo(f"jaxosim: {' '.join([first, '; '.join(rest)]).strip()}", err=True)
    return status


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("jaxosim"), prog_name="jaxosim")
def commands() -> None:
    """OpenSim's musculoskeletal mechanics as pure JAX functions."""


_MODELS = "MODEL is a path to an .osim file or a bundled name: " + ", ".join(bundled_models()) + "."


@commands.command(epilog=_MODELS)
@click.argument("model")
def info(model: str) -> None:
    """Print the parts of MODEL as tables."""
    structure, params = load_model(model)
    console = cli_report.output_console()
    console.print(cli_report.summary_table(structure, params))
    for table in cli_report.part_tables(structure, params):
        console.print(table)


def _seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not a positive number of seconds.")
    return value


def _excitation(context: click.Context, parameter: click.Parameter, value: str) -> Excitation:
    try:
        return Excitation.parse(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _out(
    context: click.Context, parameter: click.Parameter, value: pathlib.Path | None
) -> pathlib.Path | None:
    if value is not None and value.suffix not in _OUT_SUFFIXES:
        raise click.BadParameter(f"{str(value)!r} ends neither in .npz nor in .sto.")
    if value is not None and value.is_dir():
        raise click.BadParameter(f"{str(value)!r} is a directory.")
    return value


@commands.command(epilog=_MODELS)
@click.argument("model")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True, help="Worlds.")
@click.option(
    "--seconds",
    type=float,
    default=1.0,
    show_default=True,
    callback=_seconds,
    help="Simulated time, rounded to control steps of 0.01 s.",
)
@click.option(
    "--excitation",
    metavar="random|constant:X|sine",
    default="random",
    show_default=True,
    callback=_excitation,
    help="random: uniform in [0, 1], held 50 ms; sine: 1 Hz over [0, 1], muscles out of phase.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Of the random excitations.",
)
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True
)
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path),
    callback=_out,
    help="Write the result: FILE.npz has all worlds, FILE.sto world 0 as OpenSim's states table.",
)
def rollout(
    model: str,
    batch: int,
    seconds: float,
    excitation: Excitation,
    seed: int,
    dtype: str,
    out: pathlib.Path | None,
) -> int:
    """Roll out a batch of worlds of MODEL and report how fast and how far they went."""
    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    structure, params = load_model(model)
    if not len(structure.tree.body):
        raise click.ClickException(f"nothing in {structure.source} can move")
    job = Job(batch, seconds, excitation, seed, dtype)
    console = cli_report.output_console()
    console.print(cli_report.summary_table(structure, params))
    with _replacing(out) as unfinished:
        result = _simulate(structure, params, job, keep=unfinished is not None)
        if unfinished and result.states is not None:
            _write(unfinished, structure, job, result)
    if out:
        rest = f" (world 0 of {batch})" if out.suffix == ".sto" and batch > 1 else ""
        console.print(f"wrote {out}{rest}")
    return _report(structure, job, result)
