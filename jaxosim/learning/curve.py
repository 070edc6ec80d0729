"""The learning curve: a row for every update, as a table and as a picture."""

import csv
import math
import os
import pathlib
from collections.abc import Sequence

from jaxosim.errors import TableFormatError
from jaxosim.host.files import replacing
from jaxosim.host.optional import require

Row = dict[str, float]
_DRAWN = {  # label and columns
    "reward of a decision": ("reward",),
    # Training has rewards of its own, and its episodes begin anywhere: the two do not compare.
    "return of an evaluated episode": ("eval_return",),
    "terminations per decision": ("falls",),
    "speed (m/s)": ("speed", "eval_speed"),
}


def write_curve(path: str | os.PathLike[str], rows: Sequence[Row]) -> None:
    """Write the rows as CSV, a column for every name that occurs; empty where a row lacks it.

    Raises:
      OSError: the file cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: repr(float(x)) for name, x in row.items()} for row in rows)


def read_curve(path: str | os.PathLike[str]) -> list[Row]:
    """Read what `write_curve` wrote.

    Raises:
      TableFormatError: a cell is no number.
      OSError: the file cannot be read.
    """
    with pathlib.Path(path).open(newline="") as file:
        try:
            return [
                {name: float(cell) for name, cell in row.items() if cell}
                for row in csv.DictReader(file)
            ]
        except (TypeError, ValueError, AttributeError) as error:
            raise TableFormatError(f"{path}: expected numbers: {error}") from error


def draw_curve(path: str | os.PathLike[str], rows: Sequence[Row]) -> None:
    """Draw return, reward, terminations and speed over decisions as an image.

    Raises:
      MissingExtraError: matplotlib is not installed.
      OSError: the file cannot be written.
    """
    figure = require("matplotlib.figure", "plot").Figure(figsize=(9, 6), layout="constrained")
    for axes, (label, names) in zip(figure.subplots(2, 2).flat, _DRAWN.items(), strict=True):
        for name in names:
            drawn = [(row["decisions"], row[name]) for row in rows if _is_number(row, name)]
            if drawn:
                style = "o-" if name.startswith("eval_") else "-"
                legend = "evaluation" if name.startswith("eval_") else "training"
                axes.plot(*zip(*drawn, strict=True), style, markersize=3, label=legend)
        axes.set(xlabel="decisions", ylabel=label)
        if len(axes.lines) > 1:
            axes.legend()
    with replacing(path) as part:
        figure.savefig(part, dpi=120)


def _is_number(row: Row, name: str) -> bool:
    return name in row and math.isfinite(row[name])
