"""How do time, memory and compile time grow with the batch and the model?

    python benchmarks/scaling.py [--batches 1 4 16 …] [--worlds 1024] [--repeats 7] [--plot]

First the whole env step of osim-rl's prosthetic walker at every batch, by fused kernels on one
device, whose threads take the worlds, and by XLA alone on a CPU device per core, 128 worlds at a
time; beside it what the step with auto-reset and a scan over env steps need. Then `jaxosim.step` of
every bundled model and of several walkers side by side in one model. Compile times are without any
kernel kept on disk, tracing apart; one kernel serves all batches, so what an earlier program of the
run has compiled is not compiled again. Memory is what XLA says that a program needs, kernels' own
included (temporary), and its arguments and results (held), per world. Medians; all alternate. Last,
whether a world's result depends on its batch, to the bit. One JSON line in
benchmarks/results/scaling.jsonl.
"""

import argparse
import functools
import os
import pathlib
import statistics
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from kernels import KERNELS, LABELS, batched, mesh_of, placed
from larger import side_by_side
from plots import add_plot_option, panels
from record import record
from tables import Target, record_of, show_table, show_targets
from timing import Program, compiled, medians
from workload import MODEL, TASK, actions, start, walker

import jaxosim
from jaxosim.host.cores import core_count

_SAMPLE = 4096  # world-steps in a timed call, at least
_LARGE = 256  # worlds from which on the time per world is to be flat
_ROLLOUT = 10  # control steps in a scan
_EQUAL = (1, 7, 8, 1023, 65536)  # batches whose worlds are compared
_MEMORY = {"fused": 8.0, "xla": 20.0}  # kB a world, at most
_COMMON = ("temporary (kB)", "held (kB)", "trace (s)", "compile (s)")
BATCH_COLUMNS = ("program", "batch", "kernel", "µs a world-step", "env steps/s", "× XLA", *_COMMON)
MODEL_COLUMNS = (
    *("model", "coordinates", "muscles", "kernel", "µs a world-step", "control steps/s", "× XLA"),
    *_COMMON,
)


def cold(kernel: str, function, *arguments) -> Program:
    """The program, JAX knowing nothing of it from one before."""
    jax.clear_caches()
    return compiled(function, *arguments, kernel=kernel)


def devices_of(kernel: str) -> int:
    """Devices on which its programs run."""
    mesh = mesh_of(kernel)
    return 1 if mesh is None else mesh.size


def common(program: Program, share: int) -> dict[str, float]:
    """Memory per world and compile time of a program with so many worlds on a device."""
    return {
        "temporary (kB)": program.temporary / share / 1e3,
        "held (kB)": program.held / share / 1e3,
        "trace (s)": program.trace,
        "compile (s)": program.compile,
    }


def described(name: str, worlds: int, kernel: str, program: Program) -> dict:
    """A row of the first table, without its speed."""
    devices = devices_of(kernel)
    row = {"program": name, "batch": worlds, "kernel": kernel, "devices": devices}
    return row | common(program, worlds // devices)


def repeated(call, first, *others, count: int):
    """A state carried through `count` calls of a step."""
    for _ in range(count):
        first = call(first, *others)
    return first


def timed(rows: list[dict], jobs: list, rate: str, repeats: int) -> None:
    """Add the speeds of jobs (worlds, program, arguments) to their rows."""
    counts = [max(1, _SAMPLE // worlds) for worlds, _, _ in jobs]
    calls = {
        str(place): functools.partial(repeated, program.call, *arguments, count=count)
        for place, ((_, program, arguments), count) in enumerate(zip(jobs, counts, strict=True))
    }
    seconds = medians(calls, repeats).values()
    for row, (worlds, _, _), count, time in zip(rows, jobs, counts, seconds, strict=True):
        row["µs a world-step"] = 1e6 * time / (count * worlds)
        row[rate] = count * worlds / time
    keys = [(row.get("model"), row.get("batch")) for row in rows]
    alone = {k: row[rate] for k, row in zip(keys, rows, strict=True) if row["kernel"] == "xla"}
    for key, row in zip(keys, rows, strict=True):
        row["× XLA"] = row[rate] / alone[key] if key in alone else None


def measure_batches(batches: list[int], repeats: int) -> list[dict]:
    """The env step at every batch by both kernels; by XLA where the devices divide the batch."""
    rows, jobs = [], []
    for worlds in batches:
        for kernel in KERNELS:
            if worlds % devices_of(kernel):
                continue
            env = walker()  # another one, so that it is traced anew
            given = placed(kernel, (start(env, worlds), actions(env, worlds, 1)[0]))
            program = cold(kernel, batched(kernel, env.step), *given)
            rows.append(described("env step", worlds, kernel, program))
            jobs.append((worlds, program, given))
    timed(rows, jobs, "env steps/s", repeats)
    return rows


def measure_programs(worlds: int, kernel: str) -> list[dict]:
    """Memory and compile time of what else goes through a batch."""
    env, mesh = walker(), mesh_of(kernel)
    block = None if kernel == "fused" else 128
    batch = jaxosim.BatchEnv(env, worlds, mesh=mesh, batch_size=block)
    held = actions(env, worlds, _ROLLOUT)
    es = jax.jit(batch.reset)(jax.random.key(0))
    with_reset = cold(kernel, batch.step, es, placed(kernel, held[0]))
    if mesh is not None:
        spec = PartitionSpec(None, *jaxosim.world_sharding(mesh).spec)
        held = jax.device_put(held, NamedSharding(mesh, spec))

    def rollout(es, held):
        step = batched(kernel, env.step)
        return jax.lax.scan(lambda at, action: (step(at, action), None), es, held)[0]

    scanned = cold(kernel, rollout, placed(kernel, start(env, worlds)), held)
    return [
        described("env step with auto-reset", worlds, kernel, with_reset),
        described(f"{_ROLLOUT} env steps in a scan", worlds, kernel, scanned),
    ]


def measure_models(worlds: int, repeats: int, walkers: int) -> list[dict]:
    """A control step of every bundled model, and of several walkers in one model."""
    rows, jobs = [], []
    with tempfile.TemporaryDirectory() as folder:
        larger = side_by_side(MODEL, walkers, pathlib.Path(folder))
        for name in (*jaxosim.bundled_models(), larger):
            model, params = jaxosim.load_model(name)
            one = jax.jit(jaxosim.initial_state)(model, params)
            states = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
            muscles = len(model.muscle_names)
            excitation = jax.random.uniform(jax.random.key(0), (worlds, muscles))
            step = functools.partial(jaxosim.step, model, params)
            label = name if isinstance(name, str) else name.stem
            coordinates = len(model.coordinate_names)
            for kernel in KERNELS:
                given = placed(kernel, (states, excitation))
                program = cold(kernel, batched(kernel, step), *given)
                row = {"model": label, "coordinates": coordinates, "muscles": muscles}
                row |= {"kernel": kernel, **common(program, worlds // devices_of(kernel))}
                rows.append(row)
                jobs.append((worlds, program, given))
    timed(rows, jobs, "control steps/s", repeats)
    return rows


def differing_worlds(batches: tuple[int, ...]) -> dict[int, int]:
    """Worlds of each batch whose env step by kernels is not that of the largest, to the bit."""
    env, most = walker(), max(batches)
    es, drawn = start(env, most), actions(env, most, 2)
    step = compiled(batched("fused", env.step), es, drawn[0], kernel="fused").call
    es = step(es, drawn[0])  # so that all worlds are different

    def bits(after) -> np.ndarray:
        leaves = (np.asarray(x) for x in jax.tree.leaves((after.obs, after.reward, after.state)))
        return np.concatenate([x.reshape(len(x), -1).view(np.uint32) for x in leaves], axis=1)

    expected, counts = bits(step(es, drawn[1])), {}
    for worlds in batches:  # from the end, so that their places differ too
        some = jax.tree.map(lambda x, n=worlds: x[-n:], (es, drawn[1]))
        own = compiled(batched("fused", env.step), *some, kernel="fused").call(*some)
        counts[worlds] = int(np.any(bits(own) != expected[-worlds:], axis=1).sum())
    return counts


def targets_of(
    rows: list[dict],
    others: list[dict],
    models: list[dict],
    walkers: int,
    differing: dict[int, int],
) -> list[Target]:
    """Targets, of the batches that are large enough."""
    targets = []
    for kernel in KERNELS:
        own = [row for row in rows if row["kernel"] == kernel]
        where, most = f"{LABELS[kernel]}: ", _MEMORY[kernel]
        if own:
            once = statistics.median(row["trace (s)"] + row["compile (s)"] for row in own)
            targets.append(Target(f"{where}trace and compile, median over batches (s)", once, 20.0))
        scanned = [row for row in others if row["kernel"] == kernel][-1]
        memory = scanned["temporary (kB)"] + scanned["held (kB)"]
        targets.append(Target(f"{where}{scanned['program']}: memory per world (kB)", memory, most))
        some = [row for row in own if row["batch"] >= _LARGE]
        if not some:
            continue
        times = [row["µs a world-step"] for row in some]
        memory = max(row["temporary (kB)"] + row["held (kB)"] for row in some)
        where += f"batch ≥ {_LARGE}, "
        targets.append(
            Target(where + "slowest over fastest world-step", max(times) / min(times), 1.5)
        )
        targets.append(Target(where + "memory per world (kB)", memory, most))
    name = f"worlds that differ by batch: {', '.join(map(str, differing))}"
    return [*targets, *_proportions(models, walkers), Target(name, sum(differing.values()), 0)]


def _proportions(models: list[dict], walkers: int) -> list[Target]:
    """How far the larger model is from as many times the walker's time, kernels only."""
    small, large = (
        next(row for row in models if (row["model"], row["kernel"]) == (name, "fused"))
        for name in (MODEL, f"{MODEL}_{walkers}")
    )
    seconds = [row["trace (s)"] + row["compile (s)"] for row in (small, large)]
    times = [row["µs a world-step"] for row in (small, large)]
    title = f"fused: {walkers} walkers in one model, over {walkers} × one: "
    return [
        Target(title + "time of a step", times[1] / times[0] / walkers, 1.5),
        Target(title + "trace and compile", seconds[1] / seconds[0] / walkers, 1.5),
    ]


def draw(batch_rows: list[dict], model_rows: list[dict]) -> None:
    """Time and memory against the batch, speed against the model's size."""
    titles = ("env step of the walker", "memory of an env step", "bundled models")
    with panels("scaling", titles) as (time, memory, models):
        for kernel in KERNELS:
            some = [row for row in batch_rows if row["kernel"] == kernel]
            batches, label = [row["batch"] for row in some], LABELS[kernel]
            time.loglog(batches, [row["µs a world-step"] for row in some], "o-", label=label)
            total = [row["temporary (kB)"] + row["held (kB)"] for row in some]
            memory.loglog(batches, total, "o-", label=label)
        for axis, label in ((time, "µs a world-step"), (memory, "kB a world")):
            axis.set(xlabel="batch", ylabel=label)
            axis.legend()
        labels = [f"{r['model']} ({r['muscles']}), {LABELS[r['kernel']]}" for r in model_rows]
        models.barh(labels, [row["control steps/s"] for row in model_rows])
        models.set(xlabel="control steps/s; muscles in brackets")


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    powers = [4**power for power in range(8)]
    parser.add_argument("--batches", type=int, nargs="+", default=powers)
    parser.add_argument("--worlds", type=int, default=1024)
    parser.add_argument("--equal", type=int, nargs="+", default=_EQUAL, help="batches compared")
    parser.add_argument("--walkers", type=int, default=2, help="in the larger model")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--devices", type=int, default=core_count(), help="of XLA alone")
    add_plot_option(parser)
    given = parser.parse_args()
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are without kernels kept on disk
    jaxosim.use_cpu_devices(given.devices)
    batch_rows = measure_batches(given.batches, given.repeats)
    other_rows = [row for kernel in KERNELS for row in measure_programs(given.worlds, kernel)]
    model_rows = measure_models(given.worlds, given.repeats, given.walkers)
    differing = differing_worlds(tuple(given.equal))
    targets = targets_of(batch_rows, other_rows, model_rows, given.walkers, differing)
    rows = [[row.get(name) for name in BATCH_COLUMNS] for row in (*batch_rows, *other_rows)]
    show_table(TASK, BATCH_COLUMNS, rows)
    title = f"control step of every bundled model, batch {given.worlds}"
    rows = [[row[name] for name in MODEL_COLUMNS] for row in model_rows]
    show_table(title, MODEL_COLUMNS, rows)
    show_targets(targets)
    measured: dict[str, Any] = {"batches": batch_rows, "programs": other_rows, "models": model_rows}
    measured["worlds that differ"] = differing
    record("scaling", {**measured, "worlds": given.worlds, "targets": record_of(targets)})
    if given.plot:
        draw(batch_rows, model_rows)


if __name__ == "__main__":
    main()
