"""Tables that the benchmarks print: measurements, and their targets."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import rich.console

from jaxosim.cli.report import plain_table

_WIDTH = None if sys.stdout.isatty() else 150
_CONSOLE = rich.console.Console(highlight=False, markup=False, width=_WIDTH)


class Target(NamedTuple):
    """A measurement and its bound; NaN misses every target."""

    name: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the measurement keeps the bound."""
        return bool(self.value >= self.bound if self.at_least else self.value <= self.bound)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows of names and figures; the first column is a name, None an empty cell."""
    justified = ((name, "right" if number else "left") for number, name in enumerate(columns))
    drawn = plain_table(title, *justified)
    for row in rows:
        drawn.add_row(*map(text_of, row))
    _CONSOLE.print(drawn)


def show_markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table in Markdown."""
    for row in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |")


def show_targets(targets: Sequence[Target]) -> None:
    """Print the bounds beside the measurements."""
    rows = [
        (
            target.name,
            f"{'≥' if target.at_least else '≤'} {text_of(target.bound)}",
            target.value,
            target.met,
        )
        for target in targets
    ]
    show_table("targets", ("", "target", "measured", "met"), rows)


def record_of(targets: Sequence[Target]) -> dict[str, dict]:
    """The same for the JSON line."""
    return {target.name: {**target._asdict(), "met": target.met} for target in targets}


def text_of(value: Any) -> str:
    """A cell: counts in full, other numbers with three digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"
    return str(value)
