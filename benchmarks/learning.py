"""How long does an update of each learner take, and what are the gradients of its worlds like?

    python benchmarks/learning.py [--recipe walk_prosthetic] [--policy walk_prosthetic]
        [--horizons 1 4 16 32] [--repeats 5]

Updates of the learners that the recipe has (SHAC, PPO), with its settings: medians of wall and
processor seconds, and the decisions of all worlds per second; two alternate. Then, if it has SHAC,
for each horizon the norms of the gradients of its worlds by their logits, under the recipe's
untrained policy or a given one: median, 99th percentile and largest in medians, the share of worlds
beyond 100 medians or not finite, and the norm of the mean over the spread (signal), raw and with
each world's bounded at two medians.
One JSON line in benchmarks/results/learning.jsonl.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from record import record
from tables import show_table
from timing import interleaved

from jaxosim.learning.policy import load_policy
from jaxosim.learning.recipes import LEARNERS, load_recipe, plan_of
from jaxosim.learning.shac import SHAC, bounded
from jaxosim.learning.state import TrainState
from jaxosim.learning.training import Trainer

_BOUND = 2.0  # medians
_FAR = 100  # medians


def trainers_of(recipe: str) -> dict[str, Trainer]:
    """The trainer of the recipe's first stage of each learner that it has."""
    plan = plan_of(load_recipe(recipe))
    kinds = [type(stage.learner).__name__.lower() for stage in plan.stages]
    return {learner: plan.trainer(kinds.index(learner)) for learner in LEARNERS if learner in kinds}


def updater(trainer: Trainer) -> tuple[Callable[[int], tuple[float, float]], float]:
    """A function that times one update: wall and processor seconds; and the seconds to compile."""
    state = trainer.init(jax.random.key(0))
    begun = time.perf_counter()
    update = jax.jit(trainer.update).lower(state).compile()
    compiled = time.perf_counter() - begun
    held = [state]

    def one(_: int) -> tuple[float, float]:
        processor, wall = time.process_time(), time.perf_counter()
        held[0] = jax.block_until_ready(update(held[0])[0])
        return time.perf_counter() - wall, time.process_time() - processor

    return one, compiled


def update_rows(trainers: dict[str, Trainer], repeats: int) -> dict[str, dict[str, float]]:
    """Figures of each learner's update."""
    rows, timed = {}, {}
    for learner, trainer in trainers.items():
        timed[learner], compile_seconds = updater(trainer)
        decisions = trainer.decisions_per_update
        rows[learner] = {"decisions": decisions, "trace and compile (s)": compile_seconds}
    for learner, pairs in interleaved(timed, repeats).items():
        wall, processor = (sorted(times)[len(times) // 2] for times in zip(*pairs, strict=True))
        for unit, seconds in (("s", wall), ("processor s", processor)):
            rows[learner][f"update ({unit})"] = seconds
            rows[learner][f"decisions/{unit}"] = rows[learner]["decisions"] / seconds
    return rows


def gradient_row(adjoints: np.ndarray) -> dict[str, float]:
    """Statistics of the worlds' gradients, `[decision, world, action]`."""
    norm = np.sqrt(np.sum(np.square(adjoints, dtype=float), axis=(0, 2)))
    finite = np.isfinite(norm)
    median = float(np.median(np.where(finite, norm, np.inf)))
    clipped = np.asarray(bounded(jnp.asarray(adjoints), _BOUND)[0])
    return {
        "median": median,
        "p99 (medians)": float(np.quantile(norm[finite], 0.99)) / median,
        "largest (medians)": float(norm[finite].max()) / median,
        "beyond 100 medians (%)": 100 * float(np.mean(~finite | (norm > _FAR * median))),
        "not finite (%)": 100 * float(np.mean(~finite)),
        "signal": signal(adjoints[:, finite]),
        "signal, bounded": signal(clipped[:, finite]),
    }


def signal(gradients: np.ndarray) -> float:
    """Norm of the mean of the worlds' gradients over that of their standard deviation."""
    return float(np.linalg.norm(gradients.mean(1)) / np.linalg.norm(gradients.std(1)))


def gradient_rows(own: Trainer, policy: str | None, horizons: list[int]) -> dict[str, dict]:
    """Statistics by horizon."""
    if not horizons:
        return {}
    state = own.init(jax.random.key(1))
    if policy is not None:
        state = dataclasses.replace(state, policy=load_policy(policy))
    # Episodes that are not about to end, so that a horizon passes no restart but by a fall.
    steps = jnp.zeros_like(state.worlds.es.step_count)
    es = dataclasses.replace(state.worlds.es, step_count=steps)
    state = dataclasses.replace(state, worlds=dataclasses.replace(state.worlds, es=es))
    rows = {}
    for horizon in horizons:
        unroll = dataclasses.replace(own.learner.unroll, horizon=horizon)
        learner = dataclasses.replace(own.learner, unroll=unroll)
        assert isinstance(learner, SHAC)

        def gradients(state: TrainState, learner: SHAC = learner) -> jax.Array:
            return learner.adjoints(own.env, state, jax.random.key(2), None)[0]

        rows[str(horizon)] = gradient_row(np.asarray(jax.jit(gradients)(state)))
    return rows


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipe", default="walk_prosthetic")
    parser.add_argument("--policy", help="a file or a name; the untrained policy if absent")
    parser.add_argument("--horizons", type=int, nargs="*", default=[1, 4, 16, 32])
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    trainers = trainers_of(given.recipe)
    updates = update_rows(trainers, given.repeats)
    names = list(next(iter(updates.values())))
    table = [(name, *(own[name] for own in updates.values())) for name in names]
    show_table(f"an update, {given.recipe}", ("", *updates), table)
    gradients = {}
    if "shac" in trainers:
        gradients = gradient_rows(trainers["shac"], given.policy, given.horizons)
    if gradients:
        names = list(next(iter(gradients.values())))
        table = [(name, *(row[name] for row in gradients.values())) for name in names]
        columns = ("decisions", *gradients)
        show_table(f"gradients, policy {given.policy or 'untrained'}", columns, table)
    record("learning", {**vars(given), "updates": updates, "gradients": gradients})


if __name__ == "__main__":
    main()
