"""How fast does a first-order learner update, and how long does its update take to compile?

    python benchmarks/first_order.py [--worlds 128] [--decisions 16] [--repeats 7]

An update is the gradient of the mean reward of 128 worlds over 16 decisions of 40 ms (10 substeps)
by the weights of a policy (two layers of 64, tanh), reverse mode through policy and `env.step` of
ProstheticsEnv, float32, and a step along it. Fused kernels run on one device, whose threads take
the worlds; XLA alone on a CPU device per core, 64 worlds at a time. Rates are per processor second,
as learners share a machine. Medians; the two alternate. Compile times are without any kernel kept
on disk, tracing included. One JSON line in benchmarks/results/first_order.jsonl.
"""

import argparse
import functools
import os
import time

import jax
import jax.numpy as jnp
from kernels import KERNELS, LABELS, batched, placed
from record import record
from tables import Target, record_of, show_table, show_targets
from timing import compiled, interleaved
from workload import TASK, start, walker

import jaxosim
from jaxosim.host.cores import core_count

_WIDTH = 64
_RATE = 1e-4
_BLOCK = 64  # worlds, XLA alone: reverse mode keeps a lot
_OPTIONS = jaxosim.Options(step_size=0.04, substeps=10)
FIGURES = (
    *("updates/s", "updates/processor s", "env steps/s", "env steps/processor s"),
    *("trace (s)", "compile (s)", "temporary (kB a world)", "finite"),
)


def policy(weights: list[tuple[jax.Array, jax.Array]], observation: jax.Array) -> jax.Array:
    """Excitations `[action]` (1) for an observation `[entry]`."""
    hidden = observation
    for matrix, bias in weights[:-1]:
        hidden = jnp.tanh(hidden @ matrix + bias)
    matrix, bias = weights[-1]
    return jax.nn.sigmoid(hidden @ matrix + bias)


def initial_weights(env: jaxosim.Env) -> list[tuple[jax.Array, jax.Array]]:
    """Random matrices, biases of zero."""
    sizes = (env.observation_size, _WIDTH, _WIDTH, env.action_size)
    keys = jax.random.split(jax.random.key(0), len(sizes) - 1)
    pairs = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return [(jax.random.normal(k, (m, n)) / m**0.5 / 4, jnp.zeros(n)) for k, m, n in pairs]


def update_of(env: jaxosim.Env, decisions: int, kernel: str):
    """The update, of weights and the worlds' EnvStates: new weights and the mean return."""

    def gradient(es, weights):
        def loss(weights):
            def decide(at, _):
                after = env.step(at, policy(weights, at.obs))
                return after, after.reward

            return -jnp.sum(jax.lax.scan(decide, es, None, length=decisions)[1])

        return jax.value_and_grad(loss)(weights)

    def update(weights, es):
        loss, slope = batched(kernel, gradient, _BLOCK, in_axes=(0, None))(es, weights)
        after = jax.tree.map(lambda w, g: w - _RATE * jnp.mean(g, axis=0), weights, slope)
        return after, -jnp.mean(loss)

    return update


def seconds_of(call, _: int) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    processor, wall = time.process_time(), time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - wall, time.process_time() - processor


def measure(worlds: int, decisions: int, repeats: int) -> dict[str, dict]:
    """Figures by kernel."""
    rows, calls = {}, {}
    for kernel in KERNELS:
        env = walker(_OPTIONS)
        weights, es = initial_weights(env), placed(kernel, start(env, worlds))
        jax.clear_caches()
        program = compiled(update_of(env, decisions, kernel), weights, es, kernel=kernel)
        results = jax.tree.leaves(program.call(weights, es))
        calls[kernel] = functools.partial(program.call, weights, es)
        devices = 1 if kernel == "fused" else jax.device_count()
        rows[kernel] = {
            "trace (s)": program.trace,
            "compile (s)": program.compile,
            "temporary (kB a world)": program.temporary * devices / worlds / 1e3,
            "finite": all(bool(jnp.all(jnp.isfinite(x))) for x in results),
        }
    rounds = interleaved(
        {k: functools.partial(seconds_of, call) for k, call in calls.items()}, repeats
    )
    for kernel, pairs in rounds.items():
        wall, processor = (sorted(times)[len(times) // 2] for times in zip(*pairs, strict=True))
        for unit, seconds in (("s", wall), ("processor s", processor)):
            rows[kernel][f"updates/{unit}"] = 1 / seconds
            rows[kernel][f"env steps/{unit}"] = worlds * decisions / seconds
    return rows


def targets_of(rows: dict[str, dict]) -> list[Target]:
    """Targets: speed over XLA's, and the time to compile."""
    fused, xla = (rows[kernel] for kernel in KERNELS)
    rate = "updates/processor s"
    return [
        Target("updates a processor second, fused over XLA", fused[rate] / xla[rate], 5.0, True),
        Target("trace and compile, fused (s)", fused["trace (s)"] + fused["compile (s)"], 30.0),
        Target("programs that are finite", sum(row["finite"] for row in rows.values()), 2, True),
    ]


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=128)
    parser.add_argument("--decisions", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are without kernels kept on disk
    jaxosim.use_cpu_devices(core_count())
    rows = measure(given.worlds, given.decisions, given.repeats)
    fused, xla = (rows[kernel] for kernel in KERNELS)
    shown = [
        (name, fused[name], xla[name], None if name == "finite" else fused[name] / xla[name])
        for name in FIGURES
    ]
    title = f"update of {TASK}, {given.worlds} worlds, {given.decisions} decisions of 40 ms"
    columns = ("", *(LABELS[kernel] for kernel in KERNELS), "fused over XLA")
    show_table(title, columns, shown)
    targets = targets_of(rows)
    show_targets(targets)
    setting = {"worlds": given.worlds, "decisions": given.decisions}
    record("first_order", {**setting, **rows, "targets": record_of(targets)})


if __name__ == "__main__":
    main()
