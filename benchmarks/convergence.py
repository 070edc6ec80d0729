"""How does the error of the fixed-step method of a model fall with its substeps, and where is it?

    python benchmarks/convergence.py MODEL … [--seed 0] [--halvings 5]

Half a second from rest, random excitations of the muscles held 50 ms, all other controls zero, as
in benchmarks/models_against_opensim.py. `ros3w` with 6 substeps (the default) of a control step of
10 ms, then with 12, 24, …; the finest is the reference of the others. Errors are the largest of any
coordinate (rad | m) until 0.1 and 0.5 s, and the three coordinates in which they are largest. The
last row is the distance of a start 1e-7 aside, at the finest but one: how fast motions part by
themselves. Float64. A table and a JSON line in benchmarks/results/convergence.jsonl per model.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from opensim_comparison.trajectory_error import largest_errors
from patterns import SEED, STEP_SIZE, random_held
from record import record
from tables import show_table

jax.config.update("jax_enable_x64", True)

import jaxosim  # noqa: E402
from jaxosim.fused import fused  # noqa: E402
from jaxosim.integrators.local_coordinates import from_local, to_local  # noqa: E402
from jaxosim.integrators.problem import ModelProblem  # noqa: E402
from jaxosim.integrators.ros3w import ros3w_steps  # noqa: E402
from jaxosim.system import StepContext  # noqa: E402

SUBSTEPS = 6
STEPS = 50  # control steps
ASIDE = 1e-7  # rad | m
COLUMNS = ("substeps", "error until 0.1 s", "until 0.5 s", "largest in")

Step = Callable[[jaxosim.State, np.ndarray, jax.Array], jaxosim.State]


@fused(static_argnums=(0,), constant_argnums=(1,))
def _advance(model, params, state, controls, duration):
    """Six substeps within a duration (s), which is an argument: one program for all."""
    local, reference = to_local(model, params, state)
    problem = ModelProblem(model, params, controls, StepContext.of(model, params, reference))
    end = ros3w_steps(problem, local, duration, SUBSTEPS)
    end = from_local(model, params, reference, end, state)
    return dataclasses.replace(end, time=state.time + duration)


def trajectory(step: Step, state: jaxosim.State, controls: np.ndarray, parts: int) -> np.ndarray:
    """Coordinates `[step, coordinate]` after each control step, which is done in equal parts."""
    duration, samples = jnp.asarray(STEP_SIZE / parts), []
    for row in controls:
        for _ in range(parts):
            state = step(state, row, duration)
        samples.append(np.asarray(state.q))
    return np.stack(samples)


def measured(path: str, seed: int, halvings: int) -> list[list]:
    """Rows of the table of one model."""
    model, params = jaxosim.load_model(path)
    start = jaxosim.initial_state(model, params, u=jnp.zeros(len(model.coordinate_names)))
    controls = np.zeros((STEPS, len(model.control_names)))
    muscles = model.muscle_control
    controls[:, muscles] = random_held(len(muscles), SEED + seed)[:STEPS]
    step = jax.jit(lambda *given: _advance(model, params, *given))
    parts = [2**k for k in range(halvings + 1)]
    found = {count: trajectory(step, start, controls, count) for count in parts}
    moved = jnp.where(model.locked | model.dependent, 0.0, ASIDE)
    aside = dataclasses.replace(start, q=start.q + moved)
    rows = [_row(model, SUBSTEPS * p, found[p], found[parts[-1]]) for p in parts[:-1]]
    other = trajectory(step, aside, controls, parts[-2])
    return [*rows, _row(model, f"{SUBSTEPS * parts[-2]}, aside", other, found[parts[-2]])]


def _row(model: jaxosim.Model, name: int | str, q: np.ndarray, reference: np.ndarray) -> list:
    largest = np.abs(q - reference).max(axis=0)
    three = np.argsort(-largest)[:3]
    places = ", ".join(f"{model.coordinate_names[i]} {largest[i]:.1e}" for i in three)
    return [str(name), *largest_errors(q, reference), places]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--seed", type=int, default=0, help="of the excitations")
    parser.add_argument("--halvings", type=int, default=5, help="of the substeps")
    given = parser.parse_args()
    if given.halvings < 2:
        parser.error("expected --halvings of 2 or more")
    for path in given.models:
        rows = measured(path, given.seed, given.halvings)
        name = pathlib.Path(path).stem
        show_table(f"{name}, excitations {given.seed}", COLUMNS, rows)
        table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        record("convergence", {"model": name, "seed": given.seed, "rows": table})


if __name__ == "__main__":
    main()
