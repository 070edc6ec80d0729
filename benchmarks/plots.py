"""The figure that a benchmark plots with `--plot`, in benchmarks/results. Needs extra `plot`."""

import argparse
import contextlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from record import RESULTS

from jaxosim.errors import MissingExtraError
from jaxosim.host.files import replacing
from jaxosim.host.optional import require


class _Plot(argparse.Action):
    """Refuses a missing matplotlib before anything is measured."""

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            require("matplotlib.figure", "plot")
        except MissingExtraError as error:
            parser.error(str(error))
        setattr(namespace, self.dest, True)


def add_plot_option(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark the option `--plot`."""
    parser.add_argument(
        "--plot", action=_Plot, nargs=0, default=False, help="draw benchmarks/results/NAME.png"
    )


@contextlib.contextmanager
def panels(
    name: str, titles: Sequence[str], width: float = 4.2, folder: pathlib.Path = RESULTS
) -> Iterator[Sequence[Any]]:
    """Axes side by side, `width` inches each, saved as NAME.png in a folder afterwards."""
    figure_class = require("matplotlib.figure", "plot").Figure
    figure = figure_class(figsize=(1 + width * len(titles), 4), layout="constrained")
    axes = figure.subplots(1, len(titles), squeeze=False)[0]
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    yield axes
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{name}.png") as unfinished:
        figure.savefig(unfinished, dpi=120)
    print(f"drawn: {folder / name}.png")
