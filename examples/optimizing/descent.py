"""Many starts at once down the gradient of a rollout, and a check of that gradient."""

import functools
from collections.abc import Callable
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
import optax
import rich.console
import rich.progress
from jax.flatten_util import ravel_pytree
from optimizing.task import Outcome, Task, Terms, Variables

import jaxosim
from jaxosim.pytree import tree_where

console = rich.console.Console(highlight=False)


class Optimizer:
    """Adam over a batch of worlds, each of which has its own variables and goes its own way.

    The gradient comes from one compiled call, the worlds spread over the cores. Adam takes steps of
    one size whether the objective is steep (at first) or flat (at the end); the learning rate falls
    so that they become small. Clipping the gradient of a world keeps a steep beginning from ruling
    Adam's average of squares, and with it the steps that follow.

    Attributes:
      rows: of `history.csv`, one for each iteration.
    """

    def __init__(self, task: Task, variables: Variables) -> None:
        """Compile for so many worlds as the variables are of, `[world, ...]`."""
        mesh = jaxosim.world_mesh()
        self._spread = jaxosim.world_sharding(mesh)
        spread = jax.device_put(variables, self._spread)

        def compiled(function: Callable[[Variables], Any]) -> Callable[[Variables], Any]:
            return jax.jit(jaxosim.batched(function, mesh=mesh)).lower(spread).compile()

        accurate = functools.partial(task.objective, options=jaxosim.Options.accurate())
        self._gradient = compiled(jax.value_and_grad(task.objective, has_aux=True))
        self._replay = compiled(accurate)
        self.rows: list[dict[str, Any]] = []

    def gradient(self, variables: Variables) -> tuple[tuple[jax.Array, Outcome], Variables]:
        """Objective `[world]` and outcome, and the objective's gradient, of every world."""
        return self._gradient(jax.device_put(variables, self._spread))

    def replay(self, variables: Variables) -> tuple[jax.Array, Outcome]:
        """Objective `[world]` and outcome of every world at the accurate setting."""
        return self._replay(jax.device_put(variables, self._spread))

    def run(
        self, part: str, variables: Variables, free: np.ndarray, iterations: int, rate: float
    ) -> tuple[Variables, np.ndarray]:
        """Descend, and add rows to the history.

        Args:
          part: name of this descent in the history.
          variables: `[world, ...]` to begin with.
          free: `[world]` whether the stiffness is optimized too.
          iterations: how many.
          rate: of learning, at first; it falls to a twentieth along a cosine.

        Returns:
          The best variables of each world, and the objective of all, `[iteration, world]`.

        Raises:
          click.ClickException: a gradient is not finite.
        """
        schedule = optax.cosine_decay_schedule(rate, iterations, alpha=0.05)
        adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule, b2=0.99))

        @jax.jit
        def descend(variables: Variables, slope: Variables, memory: Any) -> Any:
            held = slope._replace(log_stiffness=jnp.where(free[:, None], slope.log_stiffness, 0.0))
            change, memory = jax.vmap(adam.update)(held, memory)
            return optax.apply_updates(variables, change), memory, jax.vmap(length)(held)

        best, lowest, totals = variables, np.full(len(free), np.inf), []
        memory = jax.vmap(adam.init)(variables)
        with progress() as bar:
            for count in bar.track(range(iterations), description=part):
                (total, outcome), slope = self.gradient(variables)
                better, lowest = total < lowest, np.minimum(total, lowest)
                best = tree_where(better, variables, best)
                variables, memory, norm = descend(variables, slope, memory)
                if not np.isfinite(norm).all():
                    raise click.ClickException("a gradient is not finite: try a smaller --rate")
                totals.append(np.asarray(total))
                self.rows.append(row(part, count, totals[-1], outcome.terms, np.asarray(norm)))
                bar.update(bar.task_ids[0], description=f"{part}: {totals[-1].min():.2f}")
        return best, np.stack(totals)


def length(tree: Any) -> jax.Array:
    """Of all numbers in a tree as one vector."""
    return jnp.linalg.norm(ravel_pytree(tree)[0])


def progress() -> rich.progress.Progress:
    """A bar that says what is done and how long it will take."""
    left = rich.progress.TimeRemainingColumn()
    columns = (rich.progress.BarColumn(20), "{task.description}", left)
    return rich.progress.Progress(*columns, console=console)


def row(part: str, count: int, total: np.ndarray, terms: Terms, norm: np.ndarray) -> dict[str, Any]:
    """A row of the history: all worlds, the terms of the best, and how long the gradients are."""
    best = int(total.argmin())
    return {
        "part": part,
        "iteration": count,
        "best": float(total[best]),
        **{name: float(values[best]) for name, values in terms._asdict().items()},
        "median": float(np.median(total)),
        "worst": float(total.max()),
        "gradient_median": float(np.median(norm)),
        "gradient_largest": float(norm.max()),
    }


def slope_check(optimizer: Optimizer, variables: Variables, step: float = 0.001) -> dict[str, Any]:
    """The gradient by the stiffness beside difference quotients.

    Where the motion meets a jump of the contact force (see docs/optimize_excitations.md) within the
    step, the quotient holds the jump and the gradient does not.

    Args:
      optimizer: whose gradient it is.
      variables: `[world, ...]`; worlds 0, 2, 4 and so on are looked at.
      step: (1) change of the stiffness's logarithm, to both sides.
    """
    variables = jax.tree.map(lambda x: jnp.repeat(x[::2], 2, axis=0), variables)
    (total, _), slope = optimizer.gradient(variables)
    sides = jnp.resize(jnp.array([step, -step], jnp.float32), (len(total), 1))
    moved = variables._replace(log_stiffness=variables.log_stiffness + sides)
    beside = np.asarray(optimizer.gradient(moved)[0][0], float)
    quotient = (beside[::2] - beside[1::2]) / (2 * step)
    gradient = np.asarray(slope.log_stiffness)[::2].sum(axis=1)
    return {
        "objective": np.asarray(total)[::2].tolist(),
        "gradient": gradient.tolist(),
        "quotient": quotient.tolist(),
        "median_difference": float(np.median(np.abs(gradient - quotient) / np.abs(quotient))),
    }
