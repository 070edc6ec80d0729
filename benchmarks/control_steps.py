"""How much accuracy do long control steps cost: a decision of 40 ms in one step, or in four?

    python benchmarks/control_steps.py [--model gait14dof22musc_pros] [--worlds 32] [--decisions 25]

Worlds begin in poses of the textbook gait, in motion, and are under random controls, uniform in
[0, 0.5] and drawn anew for each decision. The reference is the error-controlled method at accuracy
1e-8, in steps of 10 ms. For each setting: the largest error of any coordinate (rad | m) after a
single decision that begins in a state of the reference, over all worlds and decisions; and after so
many decisions from the same start, over all worlds. Float64. One table, one JSON line in
benchmarks/results/control_steps.jsonl.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from record import record
from tables import show_table

import jaxosim
from jaxosim.envs.training_options import walking_starts
from jaxosim.osim_rl.constants import OSIM_RL_STEP

DECISION = 4  # of osim-rl's control steps
SETTINGS = {
    "40 ms, 10 substeps": jaxosim.Options(step_size=DECISION * OSIM_RL_STEP, substeps=10),
    "40 ms, 16 substeps": jaxosim.Options(step_size=DECISION * OSIM_RL_STEP, substeps=16),
    "40 ms, 24 substeps": jaxosim.Options(step_size=DECISION * OSIM_RL_STEP, substeps=24),
    "10 ms, 4 substeps (fast)": jaxosim.Options.fast(),
    "10 ms, 6 substeps (default)": jaxosim.Options(),
}
REFERENCE = jaxosim.Options.reference(1e-8)
COLUMNS = (
    "setting",
    "substeps",
    "decision: median",
    "99 %",
    "largest",
    "end: median",
    "90 %",
)
Decide = Callable[[jaxosim.State, jax.Array], jaxosim.State]


def decider(model: jaxosim.Model, params: jaxosim.Params, options: jaxosim.Options) -> Decide:
    """A function of one world and its controls: the state after a decision."""
    steps = round(DECISION * OSIM_RL_STEP / options.step_size)

    def decide(state: jaxosim.State, controls: jax.Array) -> jaxosim.State:
        rows = jnp.tile(controls[None], (steps, 1))
        after = jaxosim.rollout(model, params, state, rows, options)
        return jax.tree.map(lambda leaf: leaf[-1], after)

    return decide


def run(decide: Decide, start: jaxosim.State, controls: jax.Array) -> jaxosim.State:
    """States of all worlds after each decision, `[decision, world, ...]`."""

    def one(state: jaxosim.State, now: jax.Array) -> tuple[jaxosim.State, jaxosim.State]:
        after = jaxosim.batched(decide)(state, now)
        return after, after

    return jax.jit(lambda start, controls: jax.lax.scan(one, start, controls)[1])(start, controls)


def largest(errors: np.ndarray) -> np.ndarray:
    """The largest of the coordinates' errors."""
    return np.abs(errors).max(axis=-1)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="gait14dof22musc_pros")
    parser.add_argument("--worlds", type=int, default=32)
    parser.add_argument("--decisions", type=int, default=25)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    model, params = jaxosim.load_model(given.model)
    env = jaxosim.make("ProstheticsEnv", model=(model, params))
    start = walking_starts(env, count=given.worlds, rest=0.0)
    shape = (given.decisions, len(start.time), len(model.control_names))
    controls = jnp.asarray(np.random.default_rng(0).uniform(0.0, 0.5, shape))
    exact = run(decider(model, params, REFERENCE), start, controls)
    before = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b[:-1]]), start, exact)
    count = given.decisions * len(start.time)  # the rows of a field may be empty
    flat = jax.tree.map(
        lambda leaf: leaf.reshape(count, *leaf.shape[2:]), (before, controls, exact)
    )
    rows = []
    for name, options in SETTINGS.items():
        decide = decider(model, params, options)
        once = jax.jit(jaxosim.batched(decide))(*flat[:2])
        single = largest(np.asarray(once.q - flat[2].q))
        end = largest(np.asarray(run(decide, start, controls).q[-1] - exact.q[-1]))
        substeps = options.substeps * round(DECISION * OSIM_RL_STEP / options.step_size)
        numbers = [*np.percentile(single, (50, 99, 100)), *np.percentile(end, (50, 90))]
        rows.append([name, substeps, *map(float, numbers)])
    title = f"error of coordinates (rad | m), {len(start.time)} worlds, {given.decisions} decisions"
    show_table(title, COLUMNS, rows)
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    record("control_steps", {**vars(given), "rows": found})


if __name__ == "__main__":
    main()
