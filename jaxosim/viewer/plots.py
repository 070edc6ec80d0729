"""What biomechanists plot of a motion: angles, ground reaction forces, activations, fiber lengths.

Several motions are overlaid, each in its color; the worlds of one motion share its color. With a
reference, the difference from it is plotted instead. Needs the extra `plot`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxosim.errors import ModelMismatchError
from jaxosim.host.files import replacing
from jaxosim.host.optional import require
from jaxosim.types import Model
from jaxosim.viewer.motion import Motion
from jaxosim.viewer.scene_frame import scene_frames_function

QUANTITIES = ("angles", "forces", "activations", "fibers")
SUFFIXES = (".png", ".svg")
MAX_WORLDS = 8  # of one motion: more lines hide one another
_COLUMNS = 4
_COLORS = ("#1f4fd8", "#d8341f", "#1f9e4a", "#8a3fc2", "#c98a00", "#008b9e", "#7a4a21", "#555555")
_STYLES = ("-", "--", "-.", ":")  # so that one motion can be seen beneath the next

Series = dict[str, np.ndarray]  # label → [time, world]


def plot_motions(
    motions: Sequence[Motion],
    out: str | Path,
    quantities: Sequence[str] = QUANTITIES,
    reference: Motion | None = None,
) -> Path:
    """Draw motions against time and save the figure.

    Args:
      motions: of models that share at least one coordinate.
      out: the file, `.png` or `.svg`; one that is there is replaced when all is written.
      quantities: which of `QUANTITIES`.
      reference: if given, what is drawn is each motion minus this.

    Raises:
      ModelMismatchError: the motions have nothing in common.
      MissingExtraError: matplotlib is not installed.
      OSError: the file cannot be written.
    """
    figure_class = require("matplotlib.figure", "plot").Figure
    panels = [
        (f"{title} ({unit})", label, of) for label, title, unit, of in _panels(motions, quantities)
    ]
    if not panels:
        raise ModelMismatchError("the motions have nothing in common to plot")
    rows = -(-len(panels) // _COLUMNS)
    figure = figure_class(figsize=(3.6 * _COLUMNS, 2.1 * rows + 0.8), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, _COLUMNS, squeeze=False)).ravel()
    for axis, (title, label, of) in zip(axes, panels, strict=False):
        for number, motion in enumerate(motions):
            _draw(axis, motion, of(motion).get(label), number, reference, label, of)
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
    motion: Motion,
    values: np.ndarray | None,
    number: int,
    reference: Motion | None,
    label: str,
    of: Callable[[Motion], Series],
) -> None:
    """The worlds of one motion in one panel."""
    if values is None:
        return
    if reference is not None:
        base = of(reference).get(label)
        if base is None:
            return
        values = values - np.interp(motion.time, reference.time, base[:, 0])[:, None]
    style = {"color": _COLORS[number % len(_COLORS)], "linestyle": _STYLES[number % len(_STYLES)]}
    for world in range(min(values.shape[1], MAX_WORLDS)):
        name = motion.name if world == 0 else None
        axis.plot(motion.time, values[:, world], lw=1.1, alpha=0.9, label=name, **style)


def _panels(
    motions: Sequence[Motion], quantities: Sequence[str]
) -> list[tuple[str, str, str, Callable[[Motion], Series]]]:
    """Label, title, unit and series of every panel, those of all motions together."""
    found: dict[tuple[str, str], tuple[str, str, str, Callable[[Motion], Series]]] = {}
    for quantity in quantities:
        of = _SERIES[quantity]
        for motion in motions:
            for label in of(motion):
                title, unit = _title(motion.model, quantity, label)
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


def coordinate_series(motion: Motion) -> Series:
    """Values of the coordinates that are not locked, in degrees where they are angles."""
    q = np.asarray(motion.states.q, float)
    return {
        name: np.rad2deg(q[..., i]) if motion.model.rotational[i] else q[..., i]
        for i, name in enumerate(motion.model.coordinate_names)
        if not motion.model.locked[i]
    }


def ground_reaction_series(motion: Motion) -> Series:
    """Forces (N) of the ground on the model along x, y, z, by body side: right z > 0."""
    model, params = motion.model, motion.params
    contacts = model.contacts
    if not contacts.pair_count:
        return {}
    dtype = params.gravity.dtype
    realize = scene_frames_function(model)
    forces = []
    for world in range(min(motion.world_count, MAX_WORLDS)):
        states = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), motion.world(world))
        forces.append(np.asarray(realize(params, states).contact_force, float))
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


def activation_series(motion: Motion) -> Series:
    """Activations (1) by muscle."""
    return _by_muscle(motion, motion.states.activation)


def fiber_series(motion: Motion) -> Series:
    """Fiber lengths (m) by muscle."""
    return _by_muscle(motion, motion.states.fiber_length)


def _by_muscle(motion: Motion, values: object) -> Series:
    array = np.asarray(values, float)
    return {name: array[..., index] for index, name in enumerate(motion.model.muscle_names)}


_SERIES: dict[str, Callable[[Motion], Series]] = {
    "angles": coordinate_series,
    "forces": ground_reaction_series,
    "activations": activation_series,
    "fibers": fiber_series,
}
