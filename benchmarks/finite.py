"""Do worlds of any model stay finite under random controls at the default setting?

    python benchmarks/finite.py MODEL … [--worlds 1000] [--seconds 5] [--controls muscles|all]

Every world starts in the default pose, muscles in equilibrium, and gets controls that are uniform
in [0, 1] and drawn anew every 50 ms: those of muscles, or all, where actuators of coordinates turn
joints that nothing damps. Counted are the worlds all of whose numbers are finite at the end, and
those in which no coordinate has ever moved faster than 200 rad/s or m/s. The largest speed is that
of any coordinate in any finite world after any control step. Float32, `Options()`. One table, one
JSON line in benchmarks/results/finite.jsonl.
"""

import argparse
import pathlib
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from kernels import batched
from record import record
from tables import show_table
from timing import compiled

import jaxosim
from jaxosim.arrays.safe import largest
from jaxosim.cli.rollout import HELD_STEPS

FAST = 200.0  # rad/s | m/s
COLUMNS = (
    *("model", "worlds", "finite", "never fast", "largest speed"),
    *("compile (s)", "run (s)"),
)


def world_of(
    model: jaxosim.Model, params: jaxosim.Params, steps: int, muscles_only: bool
) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """A function of a key: whether a world is finite at the end, and its largest speed.

    Args:
      model: static structure.
      params: model parameters.
      steps: control steps.
      muscles_only: controls of muscles are random and all others zero; otherwise all are random.
    """
    start = jax.jit(jaxosim.initial_state)(model, params)
    driven = np.zeros(len(model.control_names))
    driven[model.muscle_control if muscles_only else slice(None)] = 1.0

    def world(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def held(state: jaxosim.State, key: jax.Array) -> tuple[jaxosim.State, jax.Array]:
            drawn = jax.random.uniform(key, driven.shape, start.q.dtype)
            controls = drawn * jnp.asarray(driven, drawn.dtype)

            def step(at: jaxosim.State, _: Any) -> tuple[jaxosim.State, jax.Array]:
                after = jaxosim.step(model, params, at, controls)
                return after, largest(jnp.abs(after.u))

            return jax.lax.scan(step, state, None, HELD_STEPS)

        end, speed = jax.lax.scan(held, start, jax.random.split(key, steps // HELD_STEPS))
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(end)]
        return jnp.all(jnp.stack(finite)), largest(speed)

    return world


def finite_worlds(
    model: jaxosim.Model, params: jaxosim.Params, count: int, steps: int, muscles_only: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Whether each world is finite at the end, its largest speed (rad/s | m/s), `[world]`.

    Last are the seconds of tracing and compiling. Arguments are those of `world_of` and the number
    of worlds.
    """
    keys = jax.random.split(jax.random.key(0), count)
    program = compiled(batched("auto", world_of(model, params, steps, muscles_only)), keys)
    finite, speed = program.call(keys)
    return np.asarray(finite), np.asarray(speed), program.trace + program.compile


def row_of(path: str, worlds: int, seconds: float, muscles_only: bool) -> list:
    """A row of the table."""
    model, params = jaxosim.load_model(path)
    steps = round(seconds / jaxosim.Options().step_size)
    start = time.perf_counter()
    finite, speed, compile_seconds = finite_worlds(model, params, worlds, steps, muscles_only)
    run_seconds = time.perf_counter() - start - compile_seconds
    slow = int((speed <= FAST).sum())
    counts = [
        pathlib.Path(path).stem,
        worlds,
        int(finite.sum()),
        slow,
        float(np.nanmax(speed, initial=0.0)),
    ]
    return [*counts, compile_seconds, run_seconds]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="a multiple of 0.05")
    parser.add_argument("--controls", choices=("muscles", "all"), default="muscles")
    given = parser.parse_args()
    rows = []
    for path in given.models:
        rows.append(row_of(path, given.worlds, given.seconds, given.controls == "muscles"))
        print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
    show_table(f"{given.seconds:g} s of random controls of {given.controls}", COLUMNS, rows)
    plan = {key: value for key, value in vars(given).items() if key != "models"}
    record("finite", {**plan, "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
