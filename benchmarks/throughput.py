"""How fast are a state derivative and an env step, and how long does compiling take?

    python benchmarks/throughput.py [MODEL] [--batch 4096] [--repeats 7] [--starts 3]

Fused kernels and XLA alone, alternating in one run, each at its best setting: kernels on one
device, whose threads take the worlds; XLA on a device per core, 128 worlds at a time. Speeds are
medians after a warm-up. How long the env step takes to trace and compile is measured in fresh
processes: cold with an empty `JAXOSIM_CACHE_DIR`, and from disk with the kernels of the process
before. One table, and one JSON line in benchmarks/results/throughput.jsonl.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile

import jax
import jax.numpy as jnp
from kernels import KERNELS, LABELS, batched, placed
from record import record
from sampling import random_states
from tables import Target, record_of, show_table, show_targets
from timing import compiled, medians
from workload import MODEL, TASK, actions, start, walker

import jaxosim
from jaxosim.host.cores import core_count

_CHAIN = 50  # evaluations per timed call, in one scan
DERIVATIVES, CONTROL, ENV = (
    *("state derivatives per second", "control steps per second"),
    f"env steps per second ({TASK})",
)
COLD, FROM_DISK = "env step, trace and compile: cold (s)", "env step, trace and compile: disk (s)"


def programs_of(name: str, batch: int, kernel: str) -> tuple[dict, dict]:
    """Compile times, and calls by what they are counted in."""
    model, params = jaxosim.load_model(name)
    _, excitation = random_states(model, params, batch, 0)
    one = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch,) + x.shape), one)
    derivative = functools.partial(jaxosim.state_derivative, model, params)

    def chain(state, excitation):
        def body(at, _):
            rates = derivative(at, excitation)
            return jax.tree.map(lambda x, f: x + 1e-6 * f, at, rates), None

        return jax.lax.scan(body, state, None, length=_CHAIN)[0]

    given = placed(kernel, (states, excitation))
    jobs = {
        DERIVATIVES: (chain, given),
        CONTROL: (functools.partial(jaxosim.step, model, params), given),
    }
    if name == MODEL:
        env = walker()
        es = start(env, batch)
        jobs[ENV] = (env.step, placed(kernel, (es, actions(env, batch, 1)[0])))
    alone = compiled(derivative, one, excitation[0], kernel=kernel)
    facts = {
        "state_derivative, one world: trace (s)": alone.trace,
        "state_derivative, one world: compile (s)": alone.compile,
    }
    calls = {}
    for what, (function, arguments) in jobs.items():
        program = compiled(batched(kernel, function), *arguments, kernel=kernel)
        facts[f"{what}: trace (s)"] = program.trace
        facts[f"{what}: compile (s)"] = program.compile
        calls[what] = functools.partial(program.call, *arguments)
    return facts, calls


def measure(name: str, batch: int, repeats: int) -> dict[str, dict]:
    """All figures of one model, by kernel."""
    rows, calls = {}, {}
    for kernel in KERNELS:
        rows[kernel], own = programs_of(name, batch, kernel)
        calls |= {(what, kernel): call for what, call in own.items()}
    calls = dict(sorted(calls.items()))  # so that the two of one figure follow each other
    for (what, kernel), seconds in medians(calls, repeats).items():
        rows[kernel][what] = batch * (_CHAIN if what == DERIVATIVES else 1) / seconds
    return rows


def start_seconds(batch: int, kernel: str) -> float:
    """Seconds to trace and compile the env step in this process."""
    env = walker()
    given = placed(kernel, (start(env, batch), actions(env, batch, 1)[0]))
    jax.clear_caches()
    program = compiled(batched(kernel, env.step), *given, kernel=kernel)
    return program.trace + program.compile


def started(batch: int, kernel: str, directory: str) -> float:
    """`start_seconds` of a fresh process that keeps its kernels in a directory."""
    command = [sys.executable, __file__, "--batch", str(batch), "--start", kernel]
    environment = {**os.environ, "JAXOSIM_CACHE_DIR": directory}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def measure_starts(batch: int, count: int) -> dict[str, dict]:
    """Median times to compile the env step, by kernel; nothing of XLA's program is kept on disk."""
    seconds: dict[str, list[float]] = {"cold": [], "disk": [], "xla": []}
    for _ in range(count):
        with tempfile.TemporaryDirectory() as directory:
            seconds["cold"].append(started(batch, "fused", directory))
            seconds["disk"].append(started(batch, "fused", directory))
        seconds["xla"].append(started(batch, "xla", ""))
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "fused": {COLD: median["cold"], FROM_DISK: median["disk"]},
        "xla": {COLD: median["xla"]},
    }


def targets_of(rows: dict[str, dict]) -> list[Target]:
    """Targets: speeds over XLA's, and the time to compile."""
    fused, xla = (rows[kernel] for kernel in KERNELS)
    targets = [
        Target(f"{what}, fused over XLA", fused[what] / xla[what], bound, True)
        for what, bound in ((DERIVATIVES, 7.0), (ENV, 5.0))
        if what in fused
    ]
    limits = ((COLD, 8.0), (FROM_DISK, 1.5))
    return targets + [Target(name, fused[name], bound) for name, bound in limits if name in fused]


def shown(rows: dict[str, dict]) -> list[tuple]:
    """Figures of both kernels and their ratio."""
    fused, xla = (rows[kernel] for kernel in KERNELS)
    return [
        (name, value, xla.get(name), value / xla[name] if name in xla else None)
        for name, value in fused.items()
    ]


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default=MODEL)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--devices", type=int, default=core_count(), help="of XLA alone")
    parser.add_argument("--starts", type=int, default=3, help="fresh processes of each kind")
    parser.add_argument("--start", choices=KERNELS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    jaxosim.use_cpu_devices(given.devices)
    if given.start:
        print(json.dumps(start_seconds(given.batch, given.start)))
        return
    starts = measure_starts(given.batch, given.starts) if given.model == MODEL else {}
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are those of programs not compiled before
    rows = measure(given.model, given.batch, given.repeats)
    rows = {kernel: row | starts.get(kernel, {}) for kernel, row in rows.items()}
    targets = targets_of(rows)
    columns = ("", *(LABELS[kernel] for kernel in KERNELS), "fused over XLA")
    show_table(f"{given.model}, batch {given.batch}, {given.devices} cores", columns, shown(rows))
    show_targets(targets)
    measured = {"model": given.model, "batch": given.batch, "devices": given.devices, **rows}
    record("throughput", {**measured, "targets": record_of(targets)})


if __name__ == "__main__":
    main()
