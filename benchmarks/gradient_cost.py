"""What does a gradient through a rollout cost, forward and reverse, and is it right?

    python benchmarks/gradient_cost.py [--steps 1 10 100] [--worlds 256] [--repeats 5] [--plot]

The pelvis's forward speed after so many control steps, by the excitations of every step: the value
alone, with its derivative along one direction (forward mode), and with the whole gradient (reverse
mode), float32; by fused kernels on one device, whose threads take the worlds, and by XLA alone on a
CPU device per core, 128 worlds at a time, 64 in reverse mode. Compile times are without any kernel
kept on disk, tracing apart (a kernel that an earlier program of the run has is not compiled again);
memory per world is what XLA says that a program needs beside its arguments and results, with the
kernels' own. Medians; all programs of one length alternate.

Whether they are right is asked of a second process, in float64: along a random direction, both
modes against a central difference. Where central differences of two step sizes disagree there is a
kink between them and nothing to compare with; such worlds are counted apart. One JSON line in
benchmarks/results/gradient_cost.jsonl.
"""

import argparse
import functools
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from kernels import KERNELS, LABELS, batched, mesh_of, placed
from plots import add_plot_option, panels
from record import record
from tables import Target, record_of, show_table, show_targets
from timing import compiled, medians
from workload import MODEL

import jaxosim
from jaxosim.cli.rollout import HELD_STEPS
from jaxosim.host.cores import core_count

COLUMNS = (
    *("control steps", "mode", "kernel", "ms", "of the value's time", "speed over XLA's"),
    *("temporary (kB)", "trace (s)", "compile (s)", "finite"),
)
MODES = ("value", "forward", "reverse")
_BLOCKS = {"reverse": 64}  # worlds at a time: what reverse mode keeps is the larger by far
_CHECKED = 16  # worlds
_JUDGED, _LONG = 10, 100  # control steps to which the targets of speed and of memory apply
_QUOTIENT_STEPS = (1e-5, 2e-6)  # of excitation
_KNOWN = 1e-4  # quotients of the two that disagree by more say nothing


def programs():
    """The modes, functions of one world: start, excitations and direction `[step, muscle]`."""
    model, params = jaxosim.load_model(MODEL)
    forward = model.coordinate_names.index("pelvis_tx")

    def speed(state, excitations):
        return jaxosim.rollout(model, params, state, excitations).u[-1, forward]

    def value(state, excitations, _):
        return speed(state, excitations)

    def along(state, excitations, direction):
        return jax.jvp(functools.partial(speed, state), (excitations,), (direction,))

    def gradient(state, excitations, _):
        return jax.value_and_grad(speed, argnums=1)(state, excitations)

    return dict(zip(MODES, (value, along, gradient), strict=True))


def job(worlds: int, steps: int):
    """Starts, excitations held 50 ms, and directions of a batch."""
    model, params = jaxosim.load_model(MODEL)
    one = jax.jit(jaxosim.initial_state)(model, params)
    states = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
    drawn, directions = jax.random.split(jax.random.key(0))
    shape = (worlds, steps, len(model.muscle_names))
    excitations = jax.random.uniform(
        drawn, (worlds, -(-steps // HELD_STEPS), shape[-1]), one.q.dtype
    )
    excitations = jnp.repeat(excitations, HELD_STEPS, axis=1)[:, :steps]
    return states, excitations, jax.random.normal(directions, shape, one.q.dtype)


def measure(worlds: int, steps: int, repeats: int) -> list[dict]:
    """A row per mode and kernel."""
    rows, calls = [], {}
    for mode in MODES:
        for kernel in KERNELS:
            jax.clear_caches()
            given = placed(kernel, job(worlds, steps))
            batch = batched(kernel, programs()[mode], _BLOCKS.get(mode))
            program = compiled(batch, *given, kernel=kernel)
            results = jax.tree.leaves(program.call(*given))
            calls[mode, kernel] = functools.partial(program.call, *given)
            mesh = mesh_of(kernel)
            devices = 1 if mesh is None else mesh.size
            rows.append(
                {
                    "control steps": steps,
                    "mode": mode,
                    "kernel": kernel,
                    "temporary (kB)": program.temporary * devices / worlds / 1e3,
                    "trace (s)": program.trace,
                    "compile (s)": program.compile,
                    "finite": all(bool(jnp.all(jnp.isfinite(x))) for x in results),
                }
            )
    seconds = medians(calls, repeats)
    for row in rows:
        own = seconds[row["mode"], row["kernel"]]
        row["ms"] = 1e3 * own
        row["gradients/s" if row["mode"] == "reverse" else "values/s"] = worlds / own
        row["of the value's time"] = own / seconds["value", row["kernel"]]
        row["speed over XLA's"] = seconds[row["mode"], "xla"] / own
    return rows


def check(steps: int) -> dict:
    """Both modes against central differences, float64, a few worlds."""
    modes, given = programs(), job(_CHECKED, steps)
    states, excitations, directions = given
    assert excitations.dtype == jnp.float64
    run = {mode: jax.jit(jax.vmap(function)) for mode, function in modes.items()}
    slope = run["forward"](*given)[1]
    product = jnp.sum(run["reverse"](*given)[1] * directions, axis=(1, 2))

    def quotient(h):
        ahead, behind = (
            run["value"](states, excitations + sign * h * directions, directions)
            for sign in (1, -1)
        )
        return np.asarray((ahead - behind) / (2 * h))

    coarse, fine = map(quotient, _QUOTIENT_STEPS)
    size = np.maximum(1.0, np.abs(fine))
    known = np.abs(fine - coarse) <= _KNOWN * size
    errors = {"forward": np.abs(slope - fine) / size, "reverse": np.abs(product - fine) / size}
    row = {"control steps": steps, "worlds": _CHECKED, "of them comparable": int(known.sum())}
    worst = {mode: float(np.max(error[known], initial=0)) for mode, error in errors.items()}
    apart = float(np.max(np.abs(slope - product) / size))
    return row | worst | {"forward from reverse, all worlds": apart}


def checked(steps: list[int]) -> list[dict]:
    """The check in a process of its own, where double precision is on."""
    command = [sys.executable, __file__, "--check", "--steps", *map(str, steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def targets_of(rows: list[dict], checks: list[dict]) -> list[Target]:
    """Targets of the costs, and what has to hold for them to mean anything."""
    targets = []
    reverse = {(r["control steps"], r["kernel"]): r for r in rows if r["mode"] == "reverse"}
    for (steps, kernel), row in reverse.items():
        name = f"{LABELS[kernel]}: reverse over forward time, {steps} steps"
        most = 4.5 if kernel == "fused" and steps == _JUDGED else 6.0
        targets.append(Target(name, row["of the value's time"], most))
    if (_JUDGED, "fused") in reverse:
        speed = reverse[_JUDGED, "fused"]["speed over XLA's"]
        targets.append(Target(f"gradients/s, fused over XLA, {_JUDGED} steps", speed, 5.0, True))
    if (_LONG, "fused") in reverse:
        fused, xla = (reverse[_LONG, kernel]["temporary (kB)"] for kernel in KERNELS)
        targets.append(Target(f"reverse memory, fused over XLA, {_LONG} steps", fused / xla, 0.5))
    targets.append(
        Target("programs that are finite", sum(r["finite"] for r in rows), len(rows), True)
    )
    for mode in MODES[1:]:
        targets.append(Target(f"{mode} mode against quotients", max(c[mode] for c in checks), 1e-4))
    fewest = min(c["of them comparable"] for c in checks)
    return [*targets, Target("worlds of a check that are comparable", fewest, _CHECKED // 2, True)]


def draw(rows: list[dict]) -> None:
    """Time and memory against the length of the rollout."""
    with panels("gradient_cost", ("time of a batch", "memory")) as (time, memory):
        for mode in MODES:
            for kernel, line in zip(KERNELS, ("o-", "s--"), strict=True):
                some = [row for row in rows if (row["mode"], row["kernel"]) == (mode, kernel)]
                steps = [row["control steps"] for row in some]
                label = f"{mode}, {LABELS[kernel]}"
                time.loglog(steps, [row["ms"] for row in some], line, label=label)
                memory.loglog(steps, [row["temporary (kB)"] for row in some], line, label=label)
        time.set(xlabel="control steps", ylabel="ms")
        memory.set(xlabel="control steps", ylabel="temporary kB a world")
        time.legend()


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--worlds", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    add_plot_option(parser)
    given = parser.parse_args()
    if given.check:
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_disable_most_optimizations", True)  # of right, not of speed
        for steps in given.steps:
            print(json.dumps(check(steps)), flush=True)
        return
    jaxosim.use_cpu_devices(core_count())
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are without kernels kept on disk
    checks = checked(given.steps)
    rows = [row for steps in given.steps for row in measure(given.worlds, steps, given.repeats)]
    targets = targets_of(rows, checks)
    title = f"{MODEL}, batch {given.worlds}, {jax.device_count()} devices, float32"
    show_table(title, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
    title = "largest relative error against a central difference, float64"
    show_table(title, list(checks[0]), [list(row.values()) for row in checks])
    show_targets(targets)
    measured = {"worlds": given.worlds, "devices": jax.device_count(), "costs": rows}
    record("gradient_cost", {**measured, "checks": checks, "targets": record_of(targets)})
    if given.plot:
        draw(rows)


if __name__ == "__main__":
    main()
