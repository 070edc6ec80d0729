"""The command line: its commands, and how each ends.

Whatever the user gets wrong ends in one line on standard error and a non-zero exit status: 2 for a
wrong command line, 1 for everything else, 130 when interrupted.
"""

import atexit
import contextlib
import dataclasses
import gc
import importlib
import io
import math
import os
import pathlib
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click
import jax
import numpy as np
import rich.console
import rich.progress

import jaxosim
from jaxosim import fused, sto
from jaxosim.cli import report
from jaxosim.cli.rollout import ControlSignal, Job, Result, prepare, root_body, run
from jaxosim.errors import JaxosimError, OsimFormatWarning, TableFormatWarning
from jaxosim.host import cache, interrupts
from jaxosim.host.compilation_cache import use_compilation_cache
from jaxosim.host.cores import use_cpu_devices
from jaxosim.host.files import replacing
from jaxosim.models.catalog import bundled_models
from jaxosim.models.load import load_model
from jaxosim.types import Model, Params
from jaxosim.viewer.motion import Motion, write_motion

_OUT_SUFFIXES = (".npz", ".sto")
_OUR_WARNINGS = (OsimFormatWarning, TableFormatWarning)
# Modules of jaxosim.cli that have a command of that name, imported when it is asked for.
_MODULES = {
    "bench": "bench",
    "evaluate": "evaluate",
    "obs": "obs",
    "plot": "view",
    "regrade": "serve",
    "render": "view",
    "serve": "serve",
    "submit": "submit",
    "train": "train",
    "view": "view",
}


class Commands(click.Group):
    """The commands of this module and of `_MODULES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all, in alphabetical order."""
        return sorted({*self.commands, *_MODULES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, None if there is none of that name."""
        if cmd_name in _MODULES:
            module = importlib.import_module(f"jaxosim.cli.{_MODULES[cmd_name]}")
            return getattr(module, cmd_name)
        return super().get_command(ctx, cmd_name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; never with a traceback for what a user can get wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names in files know no terminal's encoding
    warnings.showwarning = _show_warning
    gc.set_threshold(100_000, 50, 100)  # tracing makes many small objects that live on
    status = _status(arguments)
    atexit.register(_ignore_interrupts)  # what is left takes a moment
    sys.exit(status)


def _ignore_interrupts() -> None:
    """Let an interrupt pass."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(arguments: Sequence[str] | None) -> int:
    """Exit status of a command line; every error that a user can cause becomes one line."""
    try:
        return commands.main(arguments, prog_name="jaxosim", standalone_mode=False) or 0
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", interrupts.STATUS)
    except BrokenPipeError:  # the reader of our output has gone: nothing to say, nobody to hear it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, JaxosimError) as error:
        return _complain(str(error), 1)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            return _complain(_out_of_memory(arguments), 1)
        raise


def _out_of_memory(arguments: Sequence[str] | None) -> str:
    """What to say, and to do where the command can do with less."""
    words = sys.argv[1:] if arguments is None else arguments
    context = click.Context(commands)
    found = (commands.get_command(context, word) for word in words)
    command = next((command for command in found if command is not None), None)
    options = [] if command is None else [parameter.name for parameter in command.params]
    return "out of memory" + (": give a smaller --batch" if "batch" in options else "")


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any
) -> None:
    """Print a warning about a user's file as one line; others as Python prints them."""
    if issubclass(category, _OUR_WARNINGS):
        _complain(f"warning: {message}", 0)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno), err=True, nl=False)


def _complain(message: str, status: int) -> int:
    """Print a message as one line on standard error; returns the status."""
    first, *rest = (line.strip() for line in message.splitlines() if line.strip())
    click.echo(f"jaxosim: {' '.join([first, '; '.join(rest)]).strip()}", err=True)
    return status


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(jaxosim.__version__, prog_name="jaxosim")
@click.option("--no-cache", is_flag=True, help="Compile anew and keep no compiled code.")
@click.pass_context
def commands(context: click.Context, no_cache: bool) -> None:
    """OpenSim's musculoskeletal mechanics as pure JAX functions."""
    if no_cache:
        os.environ[cache.VARIABLE] = ""
    use_compilation_cache()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_MODELS = "MODEL is a path to an .osim file or a bundled name: " + ", ".join(bundled_models()) + "."


@commands.command(epilog=_MODELS)
@click.argument("model", required=False)
@click.option("--cache", "about_cache", is_flag=True, help="Show where compiled code is kept.")
@click.option("--clear", is_flag=True, help="With --cache: delete all that is kept.")
def info(model: str | None, about_cache: bool, clear: bool) -> None:
    """Print the parts of MODEL as tables, or, with --cache, what compiled code is kept."""
    if clear and not about_cache:
        raise click.UsageError("--clear goes with --cache.")
    if model is None and not about_cache:
        raise click.MissingParameter(param_hint="'MODEL'", param_type="argument")
    if model is not None and about_cache:
        raise click.UsageError("expected either MODEL or --cache, not both.")
    console = report.output_console()
    if model is None:
        if clear:
            cache.clear()
        console.print(report.cache_table())
        return
    structure, params = load_model(model)
    console.print(report.summary_table(structure, params))
    for table in report.part_tables(structure, params):
        if table.row_count:
            console.print(table)


def _seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not a positive number of seconds.")
    return value


def _control_signal(
    context: click.Context, parameter: click.Parameter, value: str
) -> ControlSignal:
    try:
        return ControlSignal.parse(value)
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


@commands.command(epilog=_MODELS, short_help="Roll out a batch of worlds of MODEL.")
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
    "--controls",
    metavar="random|constant:X|sine",
    default="random",
    show_default=True,
    callback=_control_signal,
    help="random: uniform in [0, 1], held 50 ms; sine: 1 Hz over [0, 1], controls out of phase.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Of the random controls.",
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
    controls: ControlSignal,
    seed: int,
    dtype: str,
    out: pathlib.Path | None,
) -> int:
    """Roll out a batch of worlds of MODEL and report how fast and how far they went."""
    with contextlib.suppress(RuntimeError):  # a program that has used JAX keeps its devices
        use_cpu_devices()
    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    structure, params = load_model(model)
    job = Job(batch, seconds, controls, seed, dtype)
    _check_size(structure, job, keep=out is not None)
    console = report.output_console()
    console.print(report.summary_table(structure, params))
    with replacing(out) if out else contextlib.nullcontext() as unfinished:
        result = _simulate(structure, params, job, console, keep=out is not None)
        if unfinished:
            _write(unfinished, structure, params, job, result)
    if out:
        which = f" (world 0 of {batch})" if out.suffix == ".sto" and batch > 1 else ""
        console.print(f"wrote {out}{which}")
    failed_count = int(np.sum(~result.finite))
    return _complain(f"{failed_count} of {batch} worlds diverged", 1) if failed_count else 0


def _check_size(model: Model, job: Job, keep: bool) -> None:
    """Refuse what cannot move, and what cannot fit into memory, before an hour is spent on it.

    Raises:
      ClickException: it is one of the two.
    """
    if not len(model.tree.body):
        raise click.ClickException(f"nothing in {model.source} can move")
    row = 1 + 2 * len(model.coordinate_names) + 3 * len(model.muscle_names)
    row += len(model.control_names)
    chunk_rows = job.chunk + (2 * job.step_count if keep else 0)  # kept in parts, then as a whole
    numbers = job.batch * (row * chunk_rows + 6 * job.step_count)
    needed = numbers * np.dtype(job.dtype).itemsize
    try:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # not on this system
        return
    if needed > available:
        raise click.ClickException(
            f"this needs about {needed / 2**30:.3g} GiB of memory and there are "
            f"{available / 2**30:.3g}: give a smaller --batch or fewer --seconds"
        )


def _simulate(
    model: Model, params: Params, job: Job, console: rich.console.Console, keep: bool
) -> Result:
    """Compile, roll out under a progress bar, and print what came of it."""
    errors = report.error_console()
    with errors.status("compiling"):
        compiled = prepare(model, params, job)
    device = jax.devices()[0].device_kind
    console.print(f"compiled in {compiled.seconds:.1f} s for {device}, {fused.description()}")
    columns = rich.progress.Progress.get_default_columns()
    counter = rich.progress.MofNCompleteColumn()
    with rich.progress.Progress(*columns, counter, console=errors) as progress:
        task = progress.add_task("control steps", total=job.step_count)
        result = run(compiled, keep, lambda count: progress.advance(task, count))
    step_count = job.batch * job.step_count
    console.print(
        f"{step_count} control steps in {result.seconds:.2f} s: "
        f"{step_count / result.seconds:.0f} control steps per second"
    )
    console.print(f"{int(np.sum(result.finite))} of {job.batch} worlds stayed finite")
    if np.any(result.finite):
        name = model.body_names[root_body(model)]
        console.print(report.travel_table(name, result.root_position[:, result.finite]))
    return result


def _write(path: pathlib.Path, model: Model, params: Params, job: Job, result: Result) -> None:
    """Write the result in the format that the path's suffix names."""
    states = result.states
    if states is None or result.controls is None:
        raise AssertionError("a result that is written has been kept")
    if path.suffix == ".sto":
        one = jax.tree.map(lambda leaf: leaf[:, 0], states)
        sto.write_states(path, model, dataclasses.replace(one, time=result.time))
        return
    metadata = {
        "source": model.source,
        "batch": job.batch,
        "seed": job.seed,
        "controls": dataclasses.asdict(job.controls),
        "dtype": job.dtype,
        "options": dataclasses.asdict(job.options),
        "device": jax.devices()[0].device_kind,
        "versions": {"jaxosim": jaxosim.__version__, "jax": jax.__version__},
    }
    timed = dataclasses.replace(states, time=result.time)
    motion = Motion(path.name, model, params, timed, result.controls)
    write_motion(path, motion, metadata, root_position=result.root_position, finite=result.finite)
