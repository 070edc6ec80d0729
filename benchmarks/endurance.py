"""Does memory grow over many resets of one environment and many steps of a batch?

    python benchmarks/endurance.py [--resets 100000] [--steps 10000] [--worlds 256]

The oldest complaint about osim-rl: every reset leaked. Here an osim-rl class is reset again and
again, each time drawing a new target, then a batch with auto-reset is stepped with random
excitations. Memory is the peak of the process, read after a tenth of the work as the start and at
the end; programs compiled in between are counted and have to be none. One table, and one JSON line
in benchmarks/results/endurance.jsonl.
"""

import argparse
import resource
import sys

import jax
import numpy as np
from record import record, show
from rich.progress import track

import jaxosim
from jaxosim.osim_rl import Arm2DEnv

_UNIT = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss counts bytes there, KiB here
_compiled = []


def peak():
    """Largest memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNIT


def count_compiled(event, duration_secs, **_):
    """Hears of everything that JAX times."""
    if "backend_compile" in event:
        _compiled.append(event)


def growth(work, count, label):
    """Growth of the peak (MiB) and programs compiled over the last nine tenths of the work."""
    start, compiled = peak(), len(_compiled)
    for number in track(range(count), label):
        work(number)
        if number == count // 10:
            start, compiled = peak(), len(_compiled)
    return peak() - start, len(_compiled) - compiled


def measure(resets, steps, worlds):
    """All figures."""
    jax.monitoring.register_event_duration_secs_listener(count_compiled)
    arm = Arm2DEnv()
    reset_growth, reset_compiled = growth(lambda _: arm.reset(), resets, "resets")
    batch = jaxosim.BatchEnv(jaxosim.make("ProstheticsEnv"), worlds)
    size = batch.env.action_size
    step, draw = jax.jit(batch.step), np.random.default_rng(0)
    world = [jax.jit(batch.reset)(jax.random.key(0))]
    episodes = [0]

    def act(_):
        world[0] = step(world[0], draw.random((worlds, size), np.float32))
        episodes[0] += int(world[0].done.sum())

    step_growth, step_compiled = growth(act, steps, "steps")
    return {
        "resets of Arm2DEnv": resets,
        "growth over them (MiB)": reset_growth,
        "programs compiled meanwhile": reset_compiled,
        "control steps of ProstheticsEnv": steps,
        "worlds": worlds,
        "episodes ended": episodes[0],
        "growth over the steps (MiB)": step_growth,
        "programs compiled over the steps": step_compiled,
        "peak memory (MiB)": peak(),
        "all finite": bool(np.isfinite(world[0].obs).all()),
    }


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resets", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--worlds", type=int, default=256)
    given = parser.parse_args()
    row = measure(given.resets, given.steps, given.worlds)
    show(row)
    record("endurance", row)


if __name__ == "__main__":
    main()
