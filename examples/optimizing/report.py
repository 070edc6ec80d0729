"""What the descents found: motions in files, and a picture."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from optimizing.descent import Optimizer, console
from optimizing.task import Outcome, Task, Variables

import jaxosim
from jaxosim import sto
from jaxosim.host.files import replacing
from jaxosim.viewer.motion import Motion, write_motion


@dataclasses.dataclass(frozen=True)
class Found:
    """The variables that a descent ended with, best world first, and the motion they make.

    Both at the accurate setting: a descent is drawn to motions that the learning setting flatters.

    Attributes:
      name: of its files.
      totals: `[world]` objective of each.
      outcomes: `[world, ...]`.
      excitations: `[world, time, muscle]` (1).
    """

    name: str
    task: Task
    variables: Variables
    totals: np.ndarray
    outcomes: Outcome
    excitations: np.ndarray

    @classmethod
    def of(cls, name: str, task: Task, optimizer: Optimizer, variables: Variables) -> "Found":
        """Move once more with these variables, and sort."""
        totals, outcomes = optimizer.replay(variables)
        excitations = jax.jit(jax.vmap(task.excitations_of))(variables)
        order = np.argsort(totals)
        found = (variables, totals, outcomes, excitations)
        return cls(name, task, *jax.tree.map(lambda x: np.asarray(x)[order], found))

    @property
    def best(self) -> tuple[jaxosim.Params, Outcome]:
        """Numbers and motion of the best world."""
        first = jax.tree.map(lambda x: x[0], (self.variables, self.outcomes))
        return self.task.params_of(first[0]), first[1]

    def save(self, folder: pathlib.Path) -> None:
        """Write the motion of all worlds, and motion and controls of the best."""
        model, start = self.task.model, self.task.start
        worlds = len(self.totals)

        def joined(first: jax.Array, rest: np.ndarray) -> np.ndarray:
            beginning = np.broadcast_to(first, (1, worlds, *np.shape(first)))
            return np.concatenate([beginning, np.moveaxis(rest, 0, 1)])

        states = jax.tree.map(joined, start, self.outcomes.states)
        time = np.round(np.asarray(states.time[:, 0], float), 6)
        states = dataclasses.replace(states, time=time)
        excitation = np.moveaxis(self.excitations, 0, 1)
        motion = Motion(self.name, model, self.task.params, states, excitation)
        log_stiffness = self.variables.log_stiffness
        write_motion(
            folder / f"{self.name}.npz",
            motion,
            logits=self.variables.logits,
            log_stiffness=log_stiffness,
        )
        sto.write_states(folder / f"{self.name}.sto", model, motion.world(0))
        sto.write_controls(
            folder / f"{self.name}_controls.sto", model, time[:-1], self.excitations[0]
        )


def stiffness_of(task: Task, variables: Variables) -> np.ndarray:
    """`[world]` (N·m/rad) of the ankle, the first spring."""
    return np.asarray(jax.vmap(task.params_of)(variables).springs.stiffness)[:, 0]


def draw(
    path: pathlib.Path,
    totals: np.ndarray,
    found: Found,
    ankle: dict[str, Any],
    played: dict[str, Any],
) -> None:
    """Draw both descents and what was found, if matplotlib is there.

    Args:
      path: of the picture.
      totals: `[iteration, world]` of the first descent.
      found: by it.
      ankle: from `ankle_report`.
      played: in OpenSim, by name of what was found; may be empty.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return console.print("no picture: pip install 'jaxosim[plot]'")
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    (descent, spring), (muscles, motion) = figure.subplots(2, 2)
    descent.semilogy(totals, color="tab:blue", alpha=0.3)
    descent.semilogy(totals.min(axis=1), color="tab:blue", label="best of the starts")
    descent.set(title="Excitations", xlabel="iteration", ylabel="objective")
    descent.legend()
    draw_stiffness(spring, ankle)
    draw_muscles(figure, muscles, found)
    draw_motion(motion, found, played.get(found.name, {}).get("q_in_opensim"))
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_stiffness(axes: Any, ankle: dict[str, Any]) -> None:
    """The objective over the ankle's stiffness; strokes are the gradients."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    stroke = np.exp([-0.15, 0.15])
    looks = {"excitations_kept": "tab:gray", "excitations_adapted": "tab:blue"}
    said = {"excitations_kept": "excitations kept", "excitations_adapted": "adapted"}
    for name, color in looks.items():
        found = ankle[name]
        axes.loglog(ankle["stiffness"], found["objective"], "o", color=color, label=said[name])
        for k, value, slope in zip(
            ankle["stiffness"], found["objective"], found["gradient"], strict=True
        ):
            axes.loglog(k * stroke, value * stroke ** (slope / value), color=color)
    free = ankle["both_free"]
    axes.loglog(
        free["stiffness"], free["objective"], "*", ms=10, color="tab:red", label="both free"
    )
    shown = [free["objective"], *(ankle[name]["objective"] for name in looks)]
    axes.set_ylim(np.min(shown) / 1.5, np.max(shown) * 1.5)  # whatever a stroke next to a jump does
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(ScalarFormatter())
    ticks = [
        t for t in (1, 2, 3, 5, 10, 20, 50, 100) if axes.get_ylim()[0] < t < axes.get_ylim()[1]
    ]
    axes.set_yticks(ticks)
    axes.set(title="Prosthetic ankle (strokes: gradients)", ylabel="objective")
    axes.set_xlabel("stiffness (N·m/rad)")
    axes.legend()


def draw_muscles(figure: Any, axes: Any, found: Found) -> None:
    """The best excitations, muscle by muscle."""
    excitations, names = found.excitations[0], found.task.model.muscle_names
    extent = (0, 0.01 * len(excitations), len(names) - 0.5, -0.5)
    image = axes.imshow(excitations.T, aspect="auto", vmin=0, vmax=1, extent=extent)
    axes.set(title="Best excitations", xlabel="time (s)")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    figure.colorbar(image, ax=axes)


def draw_motion(axes: Any, found: Found, theirs: list | None) -> None:
    """The legs' joint angles, as lines; in OpenSim, as dots."""
    model, states = found.task.model, found.best[1].states
    for index, name in enumerate(model.coordinate_names):
        if name.startswith(("hip_flexion", "knee", "ankle")):
            (line,) = axes.plot(states.time, np.rad2deg(states.q[:, index]), label=name)
            if theirs is not None:
                dots = np.rad2deg(np.array(theirs)[::2, index])
                axes.plot(states.time[::2], dots, "o", ms=4, color=line.get_color())
    axes.set(title="Motion (dots: OpenSim)", xlabel="time (s)", ylabel="angle (°)")
    axes.legend(fontsize=7)
