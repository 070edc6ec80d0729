"""`jaxosim bench`: how fast this machine steps the prosthetic walker, beside a live OpenSim."""

import contextlib

import click
import jax

from jaxosim.bench.contest import SETTINGS, Plan, compete, opensim_processes
from jaxosim.bench.paths import is_fused
from jaxosim.bench.report import contest_table
from jaxosim.bench.workload import MODEL
from jaxosim.cli import report
from jaxosim.cores import core_count, use_cpu_devices
from jaxosim.errors import MissingExtraError

_DRIFT_STEPS, _SEEDS = 50, 3
_WIDTH = 120  # columns that the table takes, also where a terminal has fewer and folds its lines
_CAPTION = """\
An env step is 10 ms with observation and reward. × OpenSim: against OpenSim at 5e-05, all cores
against all and one world against one process. Errors are of any coordinate (rad | m), the largest
until then, against OpenSim at an accuracy of 1e-9. docs/speed.md says how all this is measured."""


@click.command(short_help="Measure speed and error, beside a live OpenSim.")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    type=click.Choice(list(SETTINGS)),
    default=("default", "fine", "accurate"),
    show_default=True,
    help="How jaxosim integrates; may be given several times.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), default=1024, show_default=True, help="Worlds."
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="That count; all take turns, and medians are printed.",
)
def bench(settings: tuple[str, ...], batch: int, rounds: int) -> None:
    """Step osim-rl's prosthetic walker here, and in OpenSim if it is installed.

    About two minutes on two cores, most of them for compiling. `--setting default` is enough to
    compare speeds.
    """
    use_cpu_devices()
    devices, cores = jax.devices(), core_count()
    if batch % len(devices):
        raise click.BadParameter(
            f"{batch} is not a multiple of {len(devices)}, the number of devices.",
            param_hint="'--batch'",
        )
    plan = Plan(
        cores=cores,
        settings=settings,
        alone=settings[:1],
        batches=(batch,),
        rounds=rounds,
        drift_steps=_DRIFT_STEPS,
        seeds=_SEEDS,
    )
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(report.quiet_status("starting OpenSim"))
        try:
            opensim, missing = stack.enter_context(opensim_processes(cores)), None
        except MissingExtraError as error:
            opensim, missing = (), str(error)
        entries = compete(plan, opensim, status.update)
    console = report.output_console()
    console.width = max(console.width, _WIDTH)
    by = "fused kernels" if is_fused("auto") else "XLA alone"
    title = f"{MODEL}, {cores} cores, {devices[0].device_kind}, float32, {by}"
    console.print(contest_table(title, entries))
    console.print(f"without OpenSim: {missing}" if missing else _CAPTION)
