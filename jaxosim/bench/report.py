"""What `jaxosim bench` and `benchmarks/against_opensim.py` print: one table."""

import dataclasses
from collections.abc import Mapping, Sequence

import rich.table

from jaxosim.bench.contest import Entry
from jaxosim.bench.drift import TIMES, summary
from jaxosim.bench.paths import LABELS
from jaxosim.cli.report import plain_table

_JUDGED = 0.5  # s, the time to which bars of errors apply


@dataclasses.dataclass(frozen=True)
class Bar:
    """What an entry has to reach; None where nothing is asked.

    Attributes:
      times_opensim: at least.
      compile_seconds: at most.
      errors: at most at 0.5 s (rad | m), by group of patterns.
    """

    times_opensim: float | None = None
    compile_seconds: float | None = None
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)


def contest_table(
    title: str, entries: Sequence[Entry], bars: Mapping[str, Bar] | None = None
) -> rich.table.Table:
    """A row per contender; errors on a line for each time.

    Args:
      title: of the table.
      entries: from `compete`.
      bars: by name of the entry: the figures' bars stand beside them, `!` where one is missed.
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
    table.collapse_padding, table.pad_edge = True, False  # it is wide enough
    for entry in entries:
        bar = (bars or {}).get(entry.name, Bar())
        cells = _figure_cells(entry, bar)
        if beside_xla:
            xla = beside_xla.get(_job(entry))
            cells.insert(-1, "" if xla is None else f"{entry.rate / xla:.1f}")
        cells += _error_cells(entry, bar, groups) if groups else []
        table.add_row(entry.name, *cells)
    return table


def _job(entry: Entry) -> tuple[str | None, str]:
    """What an entry does, whichever kernel runs it."""
    return entry.setting, entry.name.removesuffix(f", {LABELS[entry.kernel or 'auto']}")


def _rates_of_xla(entries: Sequence[Entry]) -> dict[tuple[str | None, str], float]:
    """Rates by job of the entries that XLA runs alone."""
    return {_job(entry): entry.rate for entry in entries if entry.kernel == "xla"}


def _figure_cells(entry: Entry, bar: Bar) -> list[str]:
    times, seconds = entry.times_opensim, entry.compile_seconds
    return [
        f"{entry.rate:,.0f}",
        f"{entry.rate / entry.cores:,.0f}",
        "" if times is None else _at_least(times, bar.times_opensim),
        "" if seconds is None else _at_most(seconds, bar.compile_seconds, "{:.1f}"),
    ]


def _error_cells(entry: Entry, bar: Bar, groups: Sequence[str]) -> list[str]:
    if not entry.errors:
        return [""] * (1 + len(groups))
    errors = summary(entry.errors)
    times = TIMES[: len(next(iter(errors.values())))]
    columns = [[f"{time:g}" for time in times]]
    for group in groups:
        judged = [bar.errors.get(group) if time == _JUDGED else None for time in times]
        pairs = zip(errors[group], judged, strict=True)
        columns.append([_at_most(error, most, "{:.1e}") for error, most in pairs])
    return ["\n".join(column) for column in columns]


def _at_least(value: float, bar: float | None) -> str:
    text = f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
    if bar is None:
        return text
    return f"{text} ≥ {bar:g}" if value >= bar else f"{text} < {bar:g} !"


def _at_most(value: float, bar: float | None, form: str) -> str:
    text = form.format(value).replace("e-0", "e-")
    if bar is None:
        return text
    limit = f"{bar:.0e}".replace("e-0", "e-") if bar < 1 else f"{bar:g}"
    return f"{text} ≤ {limit}" if value <= bar else f"{text} > {limit} !"
