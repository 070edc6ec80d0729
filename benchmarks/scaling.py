"""How do time, memory and compile time grow with the batch, the devices and the model?

    python benchmarks/scaling.py [--batches 1 4 16 …] [--worlds 1024] [--repeats 7] [--plot]

First the whole env step of osim-rl's prosthetic walker at every batch, on one CPU device, whose
threads share every operation, and on one per core; beside it what the step with auto-reset and a
scan over env steps need. Then `jaxosim.step` of every bundled model, `--worlds` worlds on all
devices. Compile times are of cold programs, tracing apart; memory is what XLA says that a program
needs (temporary) and is given and gives (held), per world. Medians; all sizes take turns. One JSON
line in benchmarks/results/scaling.jsonl.
"""

import argparse
import functools
import statistics

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from plots import add_plot_option, panels
from record import record
from tables import Bar, record_of, show_bars, show_table

import jaxosim
from jaxosim.bench.timing import Program, compiled, medians
from jaxosim.bench.workload import TASK, actions, start, step_of, walker
from jaxosim.cores import core_count

_SAMPLE = 4096  # world-steps in a timed call, at least
_LARGE = 256  # worlds from which on the time per world is to be flat
_ROLLOUT = 10  # control steps in a scan
_COMMON = ("temporary (kB)", "held (kB)", "trace (s)", "compile (s)")
BATCH_COLUMNS = ("program", "batch", "devices", "µs a world-step", "env steps/s", *_COMMON)
MODEL_COLUMNS = ("model", "coordinates", "muscles", "µs a world-step", "control steps/s", *_COMMON)


def cold(function, *arguments) -> Program:
    """The program, nothing of it known from one before."""
    jax.clear_caches()
    return compiled(function, *arguments)


def common(program: Program, share: int) -> dict[str, float]:
    """Memory per world and compile time of a program with so many worlds on a device."""
    return {
        "temporary (kB)": program.temporary / share / 1e3,
        "held (kB)": program.held / share / 1e3,
        "trace (s)": program.trace,
        "compile (s)": program.compile,
    }


def described(name: str, worlds: int, devices: int, program: Program) -> dict:
    """A row of the first table, without its speed."""
    row = {"program": name, "batch": worlds, "devices": devices}
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


def measure_batches(batches: list[int], repeats: int) -> list[dict]:
    """The env step at every batch, on one device and on all."""
    env, rows, jobs = walker(), [], []
    for devices in sorted({1, jax.device_count()}):
        mesh = jaxosim.world_mesh(jax.devices()[:devices])
        place = jaxosim.world_sharding(mesh)
        for worlds in batches:
            if worlds % devices:
                continue
            given = start(env, worlds, mesh), jax.device_put(actions(env, worlds, 1)[0], place)
            program = cold(step_of(env, mesh), *given)
            rows.append(described("env step", worlds, devices, program))
            jobs.append((worlds, program, given))
    timed(rows, jobs, "env steps/s", repeats)
    return rows


def measure_programs(worlds: int) -> list[dict]:
    """Memory and compile time of what else goes through a batch, on all devices."""
    env, mesh = walker(), jaxosim.world_mesh()
    batch = jaxosim.BatchEnv(env, worlds, mesh=mesh)
    held = actions(env, worlds, _ROLLOUT)
    action = jax.device_put(held[0], jaxosim.world_sharding(mesh))
    es = jax.jit(batch.reset)(jax.random.key(0))
    with_reset = cold(batch.step, es, action)
    place = NamedSharding(mesh, PartitionSpec(None, *jaxosim.world_sharding(mesh).spec))

    def rollout(es, held):
        step = step_of(env, mesh)
        return jax.lax.scan(lambda at, action: (step(at, action), None), es, held)[0]

    scanned = cold(rollout, start(env, worlds, mesh), jax.device_put(held, place))
    return [
        described("env step with auto-reset", worlds, mesh.size, with_reset),
        described(f"{_ROLLOUT} env steps in a scan", worlds, mesh.size, scanned),
    ]


def measure_models(worlds: int, repeats: int) -> list[dict]:
    """A control step of every bundled model."""
    mesh, rows, jobs = jaxosim.world_mesh(), [], []
    for name in jaxosim.bundled_models():
        model, params = jaxosim.load_model(name)
        one = jax.jit(functools.partial(jaxosim.initial_state, model))(params)
        states = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
        muscles = len(model.muscle_names)
        excitation = jax.random.uniform(jax.random.key(0), (worlds, muscles))
        given = jax.device_put((states, excitation), jaxosim.world_sharding(mesh))
        step = functools.partial(jaxosim.step, model, params)
        program = cold(jaxosim.over_worlds(step, mesh=mesh), *given)
        row = {"model": name, "coordinates": len(model.coordinate_names), "muscles": muscles}
        rows.append(row | common(program, worlds // mesh.size))
        jobs.append((worlds, program, given))
    timed(rows, jobs, "control steps/s", repeats)
    return rows


def bars_of(rows: list[dict], others: list[dict]) -> list[Bar]:
    """What was asked, of the batches that are large enough."""
    bars = []
    for devices in sorted({row["devices"] for row in rows}):
        where = f"{devices} device{'s' * (devices > 1)}: "
        seconds = [r["trace (s)"] + r["compile (s)"] for r in rows if r["devices"] == devices]
        once = statistics.median(seconds)
        bars.append(Bar(f"{where}trace and compile, median over batches (s)", once, 20.0))
        some = [row for row in rows if row["devices"] == devices and row["batch"] >= _LARGE]
        if not some:
            continue
        times = [row["µs a world-step"] for row in some]
        memory = max(row["temporary (kB)"] + row["held (kB)"] for row in some)
        where += f"batch ≥ {_LARGE}, "
        bars.append(Bar(where + "slowest over fastest world-step", max(times) / min(times), 1.5))
        bars.append(Bar(where + "memory per world (kB)", memory, 20.0))
    scanned = others[-1]
    memory = scanned["temporary (kB)"] + scanned["held (kB)"]
    return [*bars, Bar(f"{scanned['program']}: memory per world (kB)", memory, 20.0)]


def draw(batch_rows: list[dict], model_rows: list[dict]) -> None:
    """Time and memory against the batch, speed against the model's size."""
    titles = ("env step of the walker", "memory of an env step", "bundled models")
    with panels("scaling", titles) as (time, memory, models):
        for devices in sorted({row["devices"] for row in batch_rows}):
            some = [row for row in batch_rows if row["devices"] == devices]
            batches = [row["batch"] for row in some]
            label = f"{devices} device{'s' * (devices > 1)}"
            time.loglog(batches, [row["µs a world-step"] for row in some], "o-", label=label)
            total = [row["temporary (kB)"] + row["held (kB)"] for row in some]
            memory.loglog(batches, total, "o-", label=label)
        for axis, label in ((time, "µs a world-step"), (memory, "kB a world")):
            axis.set(xlabel="batch", ylabel=label)
            axis.legend()
        labels = [f"{row['model']} ({row['muscles']})" for row in model_rows]
        models.barh(labels, [row["control steps/s"] for row in model_rows])
        models.set(xlabel="control steps/s; muscles in brackets")


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    powers = [4**power for power in range(8)]
    parser.add_argument("--batches", type=int, nargs="+", default=powers)
    parser.add_argument("--worlds", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--devices", type=int, default=core_count())
    add_plot_option(parser)
    given = parser.parse_args()
    jaxosim.use_cores(given.devices)
    batch_rows = measure_batches(given.batches, given.repeats)
    other_rows = measure_programs(given.worlds)
    model_rows = measure_models(given.worlds, given.repeats)
    bars = bars_of(batch_rows, other_rows)
    rows = [[row.get(name) for name in BATCH_COLUMNS] for row in (*batch_rows, *other_rows)]
    show_table(TASK, BATCH_COLUMNS, rows)
    title = f"control step of every bundled model, batch {given.worlds}, all devices"
    rows = [[row[name] for name in MODEL_COLUMNS] for row in model_rows]
    show_table(title, MODEL_COLUMNS, rows)
    show_bars(bars)
    measured = {"batches": batch_rows, "programs": other_rows, "models": model_rows}
    record("scaling", {**measured, "worlds": given.worlds, "asked": record_of(bars)})
    if given.plot:
        draw(batch_rows, model_rows)


if __name__ == "__main__":
    main()
