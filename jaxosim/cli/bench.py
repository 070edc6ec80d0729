"""`jaxosim bench`: how fast this machine steps the prosthetic walker."""

import statistics
import time
from collections.abc import Callable

import click
import jax
import jax.numpy as jnp
import rich.table

import jaxosim
from jaxosim import fused
from jaxosim.cli import report
from jaxosim.cli.rollout import ControlSignal
from jaxosim.host.cores import core_count, use_cpu_devices
from jaxosim.types import Options

_TASK = "ProstheticsEnv"
_SETTINGS = {
    "fast": Options.fast(),
    "default": Options(),
    "fine": Options.fine(),
    "accurate": Options.accurate(),
}
_STEPS = 50  # control steps of an episode
_BLOCK = 128  # worlds that XLA takes at a time, which fit a core's cache
_CAPTION = """\
Medians over {rounds} episodes of {steps} env steps of 10 ms, with observation and reward.
benchmarks/against_opensim.py compares with OpenSim."""


@click.command(short_help="Measure the speed of environment steps.")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    type=click.Choice(list(_SETTINGS)),
    default=("default", "fine", "accurate"),
    show_default=True,
    help="Integrator options; may be given several times.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), default=1024, show_default=True, help="Worlds."
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Timed episodes of each setting, interleaved, after one to warm up.",
)
def bench(settings: tuple[str, ...], batch: int, rounds: int) -> None:
    """Step osim-rl's prosthetic walker under random actions in float32, on all cores.

    Most of the time is spent compiling; `--setting default` measures one setting only.
    """
    use_cpu_devices()
    devices, cores = jax.devices(), core_count()
    if batch % len(devices):
        raise click.BadParameter(
            f"{batch} is not a multiple of {len(devices)}, the number of devices.",
            param_hint="'--batch'",
        )
    with report.quiet_status("resetting") as status:
        start = jax.jit(jaxosim.make(_TASK, difficulty=0).reset)(jax.random.key(0))
        episodes, compile_seconds = {}, {}
        for setting in settings:
            status.update(f"compiling {setting}")
            episodes[setting], compile_seconds[setting] = _episode(setting, start, batch)
        rates: dict[str, list[float]] = {setting: [] for setting in settings}
        for round_ in range(rounds + 1):
            for setting, episode in episodes.items():
                status.update(f"round {round_} of {rounds}: {setting}")
                seconds = episode()
                if round_:  # the first one warms up
                    rates[setting].append(batch * _STEPS / seconds)
    console = report.output_console()
    title = (
        f"{_TASK}, {batch:,} worlds, {cores} cores, {devices[0].device_kind}, float32, "
        f"{fused.description()}"
    )
    console.print(_speed_table(title, rates, compile_seconds, cores))
    console.print(_CAPTION.format(rounds=rounds, steps=_STEPS))


def _episode(
    setting: str, start: jaxosim.EnvState, batch: int
) -> tuple[Callable[[], float], float]:
    """A function that steps an episode and returns its seconds, and the seconds to compile it."""
    env = jaxosim.make(_TASK, difficulty=0, options=_SETTINGS[setting])
    mesh = None if fused.is_available() else jaxosim.world_mesh()
    sharding = None if mesh is None else jaxosim.world_sharding(mesh)
    place = sharding or jax.devices()[0]
    worlds = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], batch, axis=0), start)
    worlds = jax.device_put(worlds, place)
    like = jnp.zeros((batch, env.action_size), start.state.q.dtype)
    signal, key = ControlSignal("random"), jax.random.key(1)
    draw = jax.jit(lambda step: signal.during(step, key, env.options.step_size, like))
    actions = [jax.device_put(draw(step), place) for step in range(_STEPS)]
    step = jaxosim.batched(env.step, mesh=mesh, batch_size=None if mesh is None else _BLOCK)
    begin = time.perf_counter()
    # The program takes its own results; without the sharding, JAX replicates those of size zero.
    program = jax.jit(step, out_shardings=sharding).lower(worlds, actions[0]).compile()
    compile_seconds = time.perf_counter() - begin

    def episode() -> float:
        begin, es = time.perf_counter(), worlds
        for action in actions:
            es = program(es, action)
        jax.block_until_ready(es)
        return time.perf_counter() - begin

    return episode, compile_seconds


def _speed_table(
    title: str, rates: dict[str, list[float]], compile_seconds: dict[str, float], cores: int
) -> rich.table.Table:
    """One row for each setting; `rates` are env steps per second (1/s) of each round."""
    headings = "env steps/s", "per core", "compile (s)"
    table = report.plain_table(title, ("", "left"), *((name, "right") for name in headings))
    for setting, own in rates.items():
        rate = statistics.median(own)
        seconds = compile_seconds[setting]
        table.add_row(setting, f"{rate:,.0f}", f"{rate / cores:,.0f}", f"{seconds:.1f}")
    return table
