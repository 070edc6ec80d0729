"""How long until the first step: import, first reset, first step, and how many programs?

    python benchmarks/first_use.py [ENV] [--repeats 3]

Each repetition is two processes: "cold" with an empty cache of compiled code, then "warm" with what
the cold one has left there. The functional environment and osim-rl's class are timed apart;
"second" is the same call again with other numbers. Two tables of medians, two JSON lines in
benchmarks/results/first_use.jsonl.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def session(name):
    """Seconds of one process's first use, printed as JSON."""
    times, compiled = {}, []

    def timed(label, call):
        start, before = time.perf_counter(), len(compiled)
        result = call()
        times[f"{label} (s)"] = time.perf_counter() - start
        times[f"{label}: programs compiled or loaded"] = len(compiled) - before
        return result

    timed("import, with JAX", lambda: __import__("jaxosim").make)  # names come when asked for
    import jax
    import numpy as np

    import jaxosim.osim_rl

    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    jaxosim.use_compilation_cache()
    env = timed("make", lambda: jaxosim.make(name))
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    keys = jax.random.split(jax.random.key(0), 2)
    actions = np.random.default_rng(0).random((2, env.action_size), np.float32)
    for number, label in enumerate(("first", "second")):
        es = timed(
            f"functional: {label} reset", lambda k=keys[number]: jax.block_until_ready(reset(k))
        )
        timed(
            f"functional: {label} step",
            lambda s=es, a=actions[number]: jax.block_until_ready(step(s, a)),
        )
    same = timed("osim-rl's class: make", getattr(jaxosim.osim_rl, name))
    for number, label in enumerate(("first", "second")):
        timed(f"osim-rl's class: {label} reset", same.reset)
        timed(f"osim-rl's class: {label} step", lambda a=actions[number]: same.step(a))
    print(json.dumps(times))


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("environment", nargs="?", default="ProstheticsEnv")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--session", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.session:
        return session(given.environment)
    from record import record, show  # which imports jaxosim, so not before the sessions' own

    command = [sys.executable, __file__, given.environment, "--session"]
    rows = {"cold": [], "warm": []}
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory() as directory:
            environment = {**os.environ, "JAXOSIM_CACHE_DIR": directory}
            environment.pop("JAX_COMPILATION_CACHE_DIR", None)
            for cache in rows:
                done = subprocess.run(
                    command, capture_output=True, text=True, check=True, env=environment
                )
                rows[cache].append(json.loads(done.stdout.splitlines()[-1]))
    for cache, lines in rows.items():
        row = {"environment": given.environment, "cache": cache, "repeats": given.repeats}
        row |= {name: statistics.median(line[name] for line in lines) for name in lines[0]}
        show(row)
        record("first_use", row)


if __name__ == "__main__":
    main()
