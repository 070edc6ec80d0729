"""What does auto-reset cost, beside the step itself?

    python benchmarks/autoreset.py [ENV] [--worlds 256] [--steps 150] [--chunk N]

A batch is driven with random excitations, every episode with a pose and muscles of its own.
Episodes end as they do early in training: all worlds begin at once, and most of the first falls
come in a burst. At every control step the same states are given to the plain vmapped step and to
the step with auto-reset. For comparison, the cost of resetting every world at every step. One
table, and one JSON line in benchmarks/results/autoreset.jsonl.
"""

import argparse
import time

import jax
import numpy as np
from record import record, show

import jaxosim
from jaxosim import randomize


def timed(program, *arguments):
    """Result and seconds of a call."""
    start = time.perf_counter()
    result = jax.block_until_ready(program(*arguments))
    return result, time.perf_counter() - start


def measure(name, worlds, steps, chunk):
    """All figures of one environment."""
    env = jaxosim.make(name, randomize_pose=randomize.pose(), randomize=randomize.strength())
    batch = jaxosim.BatchEnv(env, worlds, chunk)
    reset, with_reset = jax.jit(batch.reset), jax.jit(batch.step)
    plain, whole_reset = jax.jit(jax.vmap(env.step)), jax.jit(jax.vmap(env.reset))
    key = jax.random.key(0)
    es = reset(key)
    actions = jax.random.uniform(key, (steps, worlds, env.action_size))

    def own(es):
        info = {name: es.info[name] for name in ("terminated", "truncated", "finite")}
        return jaxosim.EnvState(**{**vars(es), "info": info})

    jax.block_until_ready((plain(own(es), actions[0]), with_reset(es, actions[0])))
    keys = jax.random.split(key, worlds)
    jax.block_until_ready(whole_reset(keys))
    plain_times, auto_times, finished, lengths = [], [], [], []
    for action in actions:
        _, plain_time = timed(plain, own(es), action)
        es, auto_time = timed(with_reset, es, action)
        plain_times.append(plain_time)
        auto_times.append(auto_time)
        done = np.asarray(es.done)
        finished.append(int(done.sum()))
        lengths += np.asarray(es.info["final_length"])[done].tolist()
    whole = np.median([timed(whole_reset, keys)[1] for _ in range(9)])
    # Medians, since other work on the machine comes in bursts.
    ended, plain_time = np.array(finished) > 0, np.median(plain_times)
    quiet, busy = (np.median(np.array(auto_times)[mask]) for mask in (~ended, ended))
    auto_time = np.mean(np.where(ended, busy, quiet))
    return {
        "environment": name,
        "worlds": worlds,
        "chunk": batch.reset_batch_size,
        "control steps": steps,
        "episodes ended": sum(finished),
        "mean length of those": float(np.mean(lengths)) if lengths else None,
        "most ends in one step": max(finished),
        "steps in which one ended": int(ended.sum()),
        "plain step (ms)": 1e3 * plain_time,
        "with auto-reset, none ended (ms)": 1e3 * quiet,
        "with auto-reset, some ended (ms)": 1e3 * busy,
        "ratio": auto_time / plain_time,
        "reset of every world (ms)": 1e3 * whole,
        "ratio if done at every step": 1 + whole / plain_time,
    }


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("environment", nargs="?", default="L2RunEnv")
    parser.add_argument("--worlds", type=int, default=256)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--chunk", type=int)
    given = parser.parse_args()
    row = measure(given.environment, given.worlds, given.steps, given.chunk)
    show(row)
    record("autoreset", row)


if __name__ == "__main__":
    main()
