"""How many times faster than a live OpenSim, and at which error?

    python benchmarks/against_opensim.py [--batch 1024 4096] [--rounds 5] [--seeds 8] [--plot]

Whole env steps of osim-rl's prosthetic walker in float32 under random actions held 50 ms, by fused
kernels (one device, all cores) and by XLA alone (a CPU device per core, 128 worlds at a time),
beside as many OpenSim processes as there are cores, all alternating in one run; and the largest
error of any coordinate against OpenSim at an accuracy of 1e-9. docs/speed.md says how. Needs
OpenSim (extra `opensim`). One table, one JSON line in benchmarks/results/against_opensim.jsonl, and
with `--plot` (extra `plot`) error over speed in benchmarks/results/against_opensim.png. Compile
times are without any kernel kept on disk. Fifteen minutes on two cores.
"""

import argparse
import dataclasses
import os

import jax
from kernels import KERNELS
from opensim_comparison.compare import SETTINGS, WAYS, Entry, Plan, compare, opensim_processes
from opensim_comparison.table import Target, comparison_table
from opensim_comparison.trajectory_error import TIMES, summary
from plots import add_plot_option, panels
from record import PACKAGES, record
from workload import MODEL

import jaxosim
from jaxosim.cli import report
from jaxosim.errors import MissingExtraError
from jaxosim.host.cores import core_count

NAME = "against_opensim"
_COMPILE = 20  # s
_SMALLEST_BATCH = 1024  # to which the targets of batches apply


def _target(times: float, smooth: float, random: float) -> Target:
    errors = {"constant": smooth, "sine": smooth, "random, median": random}
    return Target(times, _COMPILE, errors | {"random, largest": random})


_TIMES = {  # OpenSim's speed, by setting and kernel
    "default": {"fused": 1500, "xla": 150},
    "fine": {"fused": 80, "xla": 80},
    "accurate": {"fused": 450, "xla": 40},
}
_ERRORS = {"default": (2e-3, 5e-3), "fine": (3e-4, 2e-3), "accurate": (5e-5, 6e-4)}
TARGETS = {
    (setting, kernel): _target(times, *_ERRORS[setting])
    for setting, by_kernel in _TIMES.items()
    for kernel, times in by_kernel.items()
}
ONE_WORLD = {"fused": Target(times_opensim=10), "xla": Target(times_opensim=10)}
ONE_WORLD_CALL = {"fused": Target(times_opensim=60), "xla": Target(times_opensim=10)}
_WIDTH = 170  # columns of the table
_ERROR_TIME = 0.5  # s, the time whose errors are plotted
_NOTE = """\
× OpenSim: against OpenSim at 5e-05, all cores against all and one world against one process.
× XLA: against the same by XLA alone.
Errors are of any coordinate (rad | m), the largest until then; tolerances apply to 0.5 s, `!` marks
a missed one. Random: {seeds} patterns."""


def targets_of(entries: list[Entry]) -> dict[str, Target]:
    """The targets of each entry that has some."""
    targets = {}
    for entry in entries:
        target = TARGETS.get((entry.setting or "", entry.kernel or ""))
        if target is not None and entry.worlds >= _SMALLEST_BATCH:
            targets[entry.name] = target
        elif entry.setting == "default" and entry.worlds == 1 and entry.kernel:
            scanned = WAYS["scan"] in entry.name
            targets[entry.name] = (ONE_WORLD if scanned else ONE_WORLD_CALL)[entry.kernel]
    return targets


def row_of(plan: Plan, entries: list[Entry]) -> dict:
    """The recorded measurements."""
    figures = []
    for entry in entries:
        figure = dataclasses.asdict(entry) | {"summary": summary(entry.errors)}
        del figure["baseline"]
        figures.append(figure | {"rate": entry.rate, "times_opensim": entry.times_opensim})
    return {"model": MODEL, "plan": dataclasses.asdict(plan), "times": TIMES, "entries": figures}


def plot(entries: list[Entry]) -> None:
    """Plot the error after half a second over env steps per second."""
    at = TIMES.index(_ERROR_TIME)
    largest = max((entry.worlds for entry in entries if entry.setting), default=0)
    with_errors = [entry for entry in entries if entry.errors]
    kinds = {
        "OpenSim": [entry for entry in with_errors if entry.accuracy],
        f"jaxosim, {largest:,} worlds": [e for e in with_errors if e.kernel == KERNELS[0]],
    }
    groups = {"constant": "o", "sine": "s", "random, median": "^"}
    with panels(NAME, (MODEL,), width=6) as (axes,):
        for (kind, some), color in zip(kinds.items(), ("#d8341f", "#1f4fd8"), strict=True):
            rates = [entry.rate for entry in some]
            for group, marker in groups.items():
                errors = [summary(entry.errors)[group][at] for entry in some]
                label = f"{kind}: {group}"
                axes.plot(rates, errors, marker=marker, color=color, linewidth=0.8, label=label)
            for entry, rate in zip(some, rates, strict=True):
                top = max(summary(entry.errors)[group][at] for group in groups)
                text = entry.setting or f"{entry.accuracy:g}"
                offset = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
                axes.annotate(text, (rate, top), fontsize=8, **offset)
        axes.set(xscale="log", yscale="log")
        axes.set_xlabel(f"env steps per second, {entries[0].cores} cores")
        axes.set_ylabel(f"largest coordinate error until {_ERROR_TIME} s (rad | m)")
        axes.legend(fontsize=7)


def parse_arguments() -> tuple[Plan, bool]:
    """The plan of the command line, and whether to plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    settings = list(Plan(1).settings)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=settings)
    parser.add_argument("--batch", nargs="+", type=int, default=[1024], help="worlds")
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one to warm up")
    parser.add_argument("--seeds", type=int, default=8, help="random patterns of the errors")
    add_plot_option(parser)
    given = parser.parse_args()
    if min(given.rounds, given.seeds, *given.batch) < 1:
        parser.error("--batch, --rounds and --seeds: expected positive numbers")
    if any(worlds % core_count() for worlds in given.batch):
        parser.error(f"--batch: expected multiples of {core_count()}, the number of cores")
    settings = tuple(given.settings)
    plan = Plan(
        cores=core_count(),
        settings=settings,
        single_world=settings,
        kernels=KERNELS,
        batches=tuple(given.batch),
        rounds=given.rounds,
        seeds=given.seeds,
    )
    return plan, given.plot


def main() -> None:
    """Measure, print, record, draw."""
    plan, drawing = parse_arguments()
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are without kernels kept on disk
    jaxosim.use_cpu_devices()
    status = report.quiet_status("starting OpenSim")
    with status, opensim_processes(plan.cores) as opensim:
        entries = compare(plan, opensim, status.update)
    console = report.output_console()
    console.width = max(console.width, _WIDTH)
    title = f"{MODEL}, {plan.cores} cores, {jax.devices()[0].device_kind}, float32"
    console.print(comparison_table(title, entries, targets_of(entries)))
    console.print(_NOTE.format(seeds=plan.seeds))
    record(NAME, row_of(plan, entries), (*PACKAGES, "opensim"))
    if drawing:
        plot(entries)


if __name__ == "__main__":
    try:
        main()
    except MissingExtraError as error:
        raise SystemExit(f"{NAME}: {error}") from error
