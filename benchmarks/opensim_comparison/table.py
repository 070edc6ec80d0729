"""The table that `benchmarks/against_opensim.py` prints."""

import dataclasses
from collections.abc import Mapping, Sequence

import rich.table
from kernels import LABELS

from jaxosim.cli.report import plain_table
from opensim_comparison.compare import Entry
from opensim_comparison.trajectory_error import TIMES, summary

_ERROR_TIME = 0.5  # s, the time to which tolerances of errors apply


@dataclasses.dataclass(frozen=True)
class Target:
    """Targets and tolerances of an entry; None where there is none.

    Attributes:
      times_opensim: at least.
      compile_seconds: at most.
      errors: at most at 0.5 s (rad | m), by group of patterns.
    """

    times_opensim: float | None = None
    compile_seconds: float | None = None
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)


def comparison_table(
    title: str, entries: Sequence[Entry], targets: Mapping[str, Target] | None = None
) -> rich.table.Table:
    """One row for each entry; its errors have a line for each time.

    Args:
      title: of the table.
      entries: from `compare`.
      targets: by name of the entry; printed beside its figures, `!` marks a missed one.
    """
    groups = list(next((summary(entry.errors) for entry in entries if entry.errors), ()))
    headings = ["env\nsteps/s", "per\ncore", "×\nOpenSim"]
    beside_xla = _rates_of_xla(entries)
    if beside_xla:
        headings.append("×\nXLA")
    headings.append("compile\n(s)")
    if groups:
        headings += ["after\n(s)", *(group.replace(", ", "\n") for group in groups)]
    table = plain_table(title, ("", "left"), *((heading, "right") for heading in headings))
    table.columns[0].no_wrap = True
    table.collapse_padding, table.pad_edge = True, False  # the table is wide
    for entry in entries:
        target = (targets or {}).get(entry.name, Target())
        cells = _figure_cells(entry, target)
        if beside_xla:
            xla = beside_xla.get(_job(entry))
            cells.insert(-1, "" if xla is None else f"{entry.rate / xla:.1f}")
        cells += _error_cells(entry, target, groups) if groups else []
        table.add_row(entry.name, *cells)
    return table


def _job(entry: Entry) -> tuple[str | None, str]:
    """An entry without its kernel, for pairing entries by kernel."""
    return entry.setting, entry.name.removesuffix(f", {LABELS[entry.kernel or 'auto']}")


def _rates_of_xla(entries: Sequence[Entry]) -> dict[tuple[str | None, str], float]:
    """Rates by job of the entries that XLA runs alone."""
    return {_job(entry): entry.rate for entry in entries if entry.kernel == "xla"}


def _figure_cells(entry: Entry, target: Target) -> list[str]:
    times, seconds = entry.times_opensim, entry.compile_seconds
    return [
        f"{entry.rate:,.0f}",
        f"{entry.rate / entry.cores:,.0f}",
        "" if times is None else _at_least(times, target.times_opensim),
        "" if seconds is None else _at_most(seconds, target.compile_seconds, "{:.1f}"),
    ]


def _error_cells(entry: Entry, target: Target, groups: Sequence[str]) -> list[str]:
    if not entry.errors:
        return [""] * (1 + len(groups))
    errors = summary(entry.errors)
    times = TIMES[: len(next(iter(errors.values())))]
    columns = [[f"{time:g}" for time in times]]
    for group in groups:
        tolerances = [target.errors.get(group) if time == _ERROR_TIME else None for time in times]
        pairs = zip(errors[group], tolerances, strict=True)
        columns.append([_at_most(error, most, "{:.1e}") for error, most in pairs])
    return ["\n".join(column) for column in columns]


def _at_least(value: float, target: float | None) -> str:
    text = f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
    if target is None:
        return text
    return f"{text} ≥ {target:g}" if value >= target else f"{text} < {target:g} !"


def _at_most(value: float, target: float | None, form: str) -> str:
    text = form.format(value).replace("e-0", "e-")
    if target is None:
        return text
    limit = f"{target:.0e}".replace("e-0", "e-") if target < 1 else f"{target:g}"
    return f"{text} ≤ {limit}" if value <= target else f"{text} > {limit} !"
