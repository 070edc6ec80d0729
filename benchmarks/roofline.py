"""How far from the limit of this machine are a state derivative and an env step?

    python benchmarks/roofline.py [--worlds 4096] [--repeats 7] [--plot]

Operations, transcendental functions and bytes per world are XLA's own cost analysis of the compiled
program of one block. XLA counts the body of a loop once, so an env step is that of `env.step` plus
that of `jaxosim.step` for every substep but the first; beside it stands a count from the jaxpr,
which knows how often loops run. The limits are measured here: multiply-adds, exponentials, bytes
read and written in cache and in memory (`benchmarks/peaks.py`), on all CPU devices, one per core.
Both kernels alternate: fused ones on one device, whose threads take the worlds, and XLA alone on a
device per core, 128 worlds at a time. The operations are those of XLA's program for both: a share
of the limit says how much of that arithmetic is done, not how. A kernel hands numbers on in
registers and a few kB of its own, so the bytes in cache are a limit of XLA alone. XLA's bytes are
what its fused loops hand to one another, so the cache has to carry them; through memory only
arguments and results must go. One JSON line in benchmarks/results/roofline.jsonl.
"""

import argparse
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from kernels import KERNELS, LABELS, batched, placed
from operations import Operations, count_operations
from peaks import bandwidth, exponential_rate, multiply_add_rate
from plots import add_plot_option, panels
from record import record
from tables import show_table
from timing import compiled, medians
from workload import actions, start, walker

import jaxosim
from jaxosim import fused
from jaxosim.host.cores import core_count

_BLOCK = 128  # worlds; one block, of which there is no loop
_CHAIN = 50  # evaluations per timed call, in one scan
_OF_XLA = "bytes in cache"  # which kernels do not read and write
PER_WORLD = ("operations", "transcendental functions", "bytes in cache", "bytes in memory")


class Work(NamedTuple):
    """What one world costs, by XLA's analysis, and the same counted from the jaxpr."""

    operations: float
    transcendentals: float
    cache: float  # bytes
    memory: float  # bytes of arguments and results
    counted: Operations

    def plus(self, other: "Work", times: int) -> "Work":
        """The sum with so many of the other's loop bodies; the jaxpr has counted them already."""
        return self._replace(
            operations=self.operations + times * other.operations,
            transcendentals=self.transcendentals + times * other.transcendentals,
            cache=self.cache + times * other.cache,
        )


def work_of(function, *one_block) -> Work:
    """Work per world of a function of one world, loop bodies once."""
    batch = jax.vmap(function)
    program = compiled(batch, *one_block, kernel="xla")
    cost = program.call.cost_analysis()
    with fused.using("xla"):
        counted = count_operations(lambda *given: batch(*given), *one_block)
    return Work(
        operations=cost["flops"] / _BLOCK,
        transcendentals=cost["transcendentals"] / _BLOCK,
        cache=cost["bytes accessed"] / _BLOCK,
        memory=program.held / _BLOCK,
        counted=Operations().plus(counted, 1 / _BLOCK),
    )


def works(env: jaxosim.Env, es, action) -> dict[str, Work]:
    """Of a state derivative and of an env step by its default method."""
    model, params = env.model, env.params_of(es)
    derivative = work_of(
        functools.partial(jaxosim.state_derivative, model, params), es.state, action
    )
    substep = work_of(functools.partial(jaxosim.step, model, params), es.state, action)
    env_step = work_of(env.step, es, action).plus(substep, env.options.substeps - 1)
    return {"state derivative": derivative, "env step": env_step}


def rates(env: jaxosim.Env, worlds: int, repeats: int) -> dict[tuple[str, str], float]:
    """State derivatives and env steps a second on all cores, by what and by kernel."""
    es, action = start(env, worlds), actions(env, worlds, 1)[0]

    def chain(es, excitation):
        def body(at, _):
            slope = jaxosim.state_derivative(env.model, env.params_of(es), at, excitation)
            return jax.tree.map(lambda x, f: x + 1e-6 * f, at, slope), None

        return jax.lax.scan(body, es.state, None, length=_CHAIN)[0]

    calls = {}
    for what, function in (("state derivative", chain), ("env step", env.step)):
        for kernel in KERNELS:
            given = placed(kernel, (es, action))
            program = compiled(batched(kernel, function), *given, kernel=kernel)
            calls[what, kernel] = functools.partial(program.call, *given)
    return {
        (what, kernel): worlds * (_CHAIN if what == "state derivative" else 1) / seconds
        for (what, kernel), seconds in medians(calls, repeats).items()
    }


def limits() -> dict[str, float]:
    """The most of each that this machine does in a second, all devices together."""
    mesh = jaxosim.world_mesh()
    arithmetic, bytes_ = multiply_add_rate(mesh), bandwidth(mesh)
    most = (max(arithmetic.values()), exponential_rate(mesh), bytes_["cache"], bytes_["memory"])
    return dict(zip(PER_WORLD, most, strict=True)) | {
        f"operations, {name}": rate for name, rate in arithmetic.items()
    }


def standing(work: Work, rate: float, most: dict[str, float], kernel: str) -> dict:
    """How one thing that is computed compares with the limits."""
    row = dict(zip(PER_WORLD, work[:4], strict=True))
    shares = {name: rate * amount / most[name] for name, amount in row.items()}
    if kernel == "fused":
        del shares[_OF_XLA]
    nearest = max(shares, key=shares.__getitem__)
    return {
        **row,
        "operations, from the jaxpr": work.counted.flops,
        "transcendental functions, from the jaxpr": work.counted.transcendentals,
        "operations, XLA's over the jaxpr's": work.operations / work.counted.flops,
        "operations a byte in cache": work.operations / work.cache,
        "a second, measured": rate,
        "GFLOP/s": rate * work.operations / 1e9,
        "GB/s in cache": rate * work.cache / 1e9 if kernel == "xla" else None,
        **{f"share of the limit: {name}": share for name, share in shares.items()},
        "nearest limit": nearest,
        "a second, at that limit": rate / shares[nearest],
        "limit over measured": 1 / shares[nearest],
    }


def draw(rows: dict[str, dict], most: dict[str, float]) -> None:
    """Operations a second against operations a byte: the roofs, and where we stand."""
    with panels("roofline", ("roofline, all cores",)) as (axis,):
        intensity = jnp.logspace(-2, 2, 50)
        roof = most["operations"] / 1e9
        for name in PER_WORLD[2:]:
            slope = jnp.minimum(roof, intensity * most[name] / 1e9)
            axis.loglog(intensity, slope, label=name.removeprefix("bytes in "))
        for name, row in rows.items():
            axis.plot(row["operations a byte in cache"], row["GFLOP/s"], "o", label=name)
        axis.set(xlabel="operations a byte", ylabel="GFLOP/s")
        axis.legend()


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=7)
    add_plot_option(parser)
    given = parser.parse_args()
    jaxosim.use_cpu_devices(core_count())
    env, most = walker(), limits()
    measured = rates(env, given.worlds, given.repeats)
    cost = works(env, start(env, _BLOCK), actions(env, _BLOCK, 1)[0])
    rows = {
        f"{what}, {LABELS[kernel]}": standing(cost[what], rate, most, kernel)
        for (what, kernel), rate in measured.items()
    }
    ratios = {what: measured[what, "fused"] / measured[what, "xla"] for what in cost}
    title = f"limits of this machine, {jax.device_count()} devices, float32"
    shown = [(name, rate / 1e9, rate / 1e9 / jax.device_count()) for name, rate in most.items()]
    show_table(title, ("", "10⁹ a second", "and device"), shown)
    names = list(next(row for name, row in rows.items() if name.endswith(LABELS["xla"])))
    shown = [(name, *(row.get(name) for row in rows.values())) for name in names]
    show_table(f"per world, batch {given.worlds}", ("", *rows), shown)
    for what, value in ratios.items():
        print(f"{what}s a second, fused over XLA: {value:.2f}")
    measured_row = {"worlds": given.worlds, "limits": most, "fused over XLA": ratios, **rows}
    record("roofline", measured_row)
    if given.plot:
        draw(rows, most)


if __name__ == "__main__":
    main()
