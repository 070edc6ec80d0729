"""What biomechanists plot of a motion: angles, ground reaction forces, activations, fiber lengths.

Several runs lie over one another, each in its color; worlds of one run share its color. With a
reference, the difference to it is drawn instead. Needs the extra `plot`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxosim.errors import ModelMismatchError
from jaxosim.files import replacing
from jaxosim.optional import require
from jaxosim.types import Model
from jaxosim.viewer.instant import instants_function
from jaxosim.viewer.run import Run

QUANTITIES = ("angles", "forces", "activations", "fibers")
SUFFIXES = (".png", ".svg")
MAX_WORLDS = 8  # of one run: more lines hide one another
_COLUMNS = 4
_COLORS = ("#1f4fd8", "#d8341f", "#1f9e4a", "#8a3fc2", "#c98a00", "#008b9e", "#7a4a21", "#555555")
_STYLES = ("-", "--", "-.", ":")  # so that one run can be seen beneath the next

Series = dict[str, np.ndarray]  # label → [time, world]


def plot_runs(
    runs: Sequence[Run],
    out: str | Path,
    quantities: Sequence[str] = QUANTITIES,
    reference: Run | None = None,
) -> Path:
    """Draw runs against time and save the picture.

    Args:
      runs: of models that share at least one coordinate.
      out: the file, `.png` or `.svg`; one that is there is replaced when all is written.
      quantities: which of `QUANTITIES`.
      reference: if given, what is drawn is each run minus this.

    Raises:
      ModelMismatchError: the runs have nothing in common.
      MissingExtraError: matplotlib is not installed.
      OSError: the file cannot be written.
    """
    figure_class = require("matplotlib.figure", "plot").Figure
    panels = [
        (f"{title} ({unit})", label, of) for label, title, unit, of in _panels(runs, quantities)
    ]
    if not panels:
        raise ModelMismatchError("the runs have nothing in common to plot")
    rows = -(-len(panels) // _COLUMNS)
    figure = figure_class(figsize=(3.6 * _COLUMNS, 2.1 * rows + 0.8), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, _COLUMNS, squeeze=False)).ravel()
    for axis, (title, label, of) in zip(axes, panels, strict=False):
        for number, run in enumerate(runs):
            _draw(axis, run, of(run).get(label), number, reference, label, of)
        axis.set_title(f"{'difference of ' if reference else ''}{title}", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis in axes[max(len(panels) - _COLUMNS, 0) : len(panels)]:
        axis.set_xlabel("time (s)", fontsize=7)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, fontsize=8)
    with replacing(out) as unfinished:
        figure.savefig(unfinished, dpi=110)
    return Path(out)


def _draw(
    axis: Any,
    run: Run,
    values: np.ndarray | None,
    number: int,
    reference: Run | None,
    label: str,
    of: Callable[[Run], Series],
) -> None:
    """The worlds of one run in one panel."""
    if values is None:
        return
    if reference is not None:
        base = of(reference).get(label)
        if base is None:
            return
        values = values - np.interp(run.time, reference.time, base[:, 0])[:, None]
    style = {"color": _COLORS[number % len(_COLORS)], "linestyle": _STYLES[number % len(_STYLES)]}
    for world in range(min(values.shape[1], MAX_WORLDS)):
        name = run.name if world == 0 else None
        axis.plot(run.time, values[:, world], lw=1.1, alpha=0.9, label=name, **style)


def _panels(
    runs: Sequence[Run], quantities: Sequence[str]
) -> list[tuple[str, str, str, Callable[[Run], Series]]]:
    """Label, title, unit and series of every panel, those of all runs together."""
    found: dict[tuple[str, str], tuple[str, str, str, Callable[[Run], Series]]] = {}
    for quantity in quantities:
        of = _SERIES[quantity]
        for run in runs:
            for label in of(run):
                title, unit = _title(run.model, quantity, label)
                found.setdefault((quantity, label), (label, title, unit, of))
    return list(found.values())


def _title(model: Model, quantity: str, label: str) -> tuple[str, str]:
    if quantity == "angles":
        rotational = model.rotational[model.coordinate_names.index(label)]
        return label, "°" if rotational else "m"
    return {
        "forces": (f"ground reaction {label}", "N"),
        "activations": (f"activation {label}", "1"),
        "fibers": (f"fiber length {label}", "m"),
    }[quantity]


def coordinate_series(run: Run) -> Series:
    """Values of the coordinates that are not locked, in degrees where they are angles."""
    q = np.asarray(run.states.q, float)
    return {
        name: np.rad2deg(q[..., i]) if run.model.rotational[i] else q[..., i]
        for i, name in enumerate(run.model.coordinate_names)
        if not run.model.locked[i]
    }


def ground_reaction_series(run: Run) -> Series:
    """Forces (N) of the ground on the model along x, y, z, by body side: right z > 0."""
    model, params = run.model, run.params
    contacts = model.contacts
    if not contacts.pair_count:
        return {}
    dtype = params.gravity.dtype
    instants = instants_function(model)
    forces = []
    for world in range(min(run.world_count, MAX_WORLDS)):
        states = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), run.world(world))
        forces.append(np.asarray(instants(params, states).contact_force, float))
    force = np.stack(forces, axis=1)  # [time, world, pair, 3]
    force = force[:, :, contacts.geometry_body[contacts.first] < 0]
    names = [model.body_names[b] for b in contacts.geometry_body[contacts.second]]
    names = [n for n, b in zip(names, contacts.geometry_body[contacts.first], strict=True) if b < 0]
    series = {}
    for side, ending in (("right", "_r"), ("left", "_l")):
        own = [i for i, name in enumerate(names) if name.endswith(ending)]
        for axis, letter in enumerate("xyz") if own else ():
            series[f"{side} {letter}"] = force[:, :, own, axis].sum(axis=2)
    if not series:
        series = {
            f"all {letter}": force[..., axis].sum(axis=2) for axis, letter in enumerate("xyz")
        }
    return series


def activation_series(run: Run) -> Series:
    """Activations (1) by muscle."""
    return _by_muscle(run, run.states.activation)


def fiber_series(run: Run) -> Series:
    """Fiber lengths (m) by muscle."""
    return _by_muscle(run, run.states.fiber_length)


def _by_muscle(run: Run, values: object) -> Series:
    array = np.asarray(values, float)
    return {name: array[..., index] for index, name in enumerate(run.model.muscle_names)}


_SERIES: dict[str, Callable[[Run], Series]] = {
    "angles": coordinate_series,
    "forces": ground_reaction_series,
    "activations": activation_series,
    "fibers": fiber_series,
}
