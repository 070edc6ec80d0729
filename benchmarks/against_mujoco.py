"""How fast is a walker of jaxosim beside a leg model in MuJoCo, per core and simulated second?

    pip install 'jaxosim[mujoco]'
    python benchmarks/against_mujoco.py [--model myolegs26] [--worlds 1024] [--seconds 1] [--plot]

Both simulate the same number of worlds for the same time from standing, with random controls held
50 ms, falls carried on: jaxosim whole env steps of 10 ms (observation and reward with them) by its
default method, by fused kernels (one device, all cores) and by XLA alone (a CPU device per core,
128 worlds at a time); MuJoCo bare `mj_step`s of the model's own time step from its C++ `rollout` on
one thread per core. Rounds of the three alternate; medians. The models are those of the PyPI
package myo-sim: legs with 26 or 80 muscles, `osl` with a prosthesis and 54. `taskset -c 0 python …`
measures one core alone. One JSON line in benchmarks/results/against_mujoco.jsonl.
"""

import argparse
import os
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from kernels import batched, placed, sharding_of
from plots import add_plot_option, panels
from record import PACKAGES, record
from tables import Target, record_of, show_table, show_targets
from timing import compiled, medians
from workload import MODEL, actions, start, walker

import jaxosim
from jaxosim.cli.rollout import HELD_STEPS
from jaxosim.errors import MissingExtraError
from jaxosim.host.cores import core_count
from jaxosim.host.optional import require

_STEP = 0.01  # s, a control step
_PART = 64  # worlds of MuJoCo that are rolled out in one call, which keeps every state
MODELS = ("myolegs26", "myolegs", "osl")
SIDES = {"jaxosim": "fused", "jaxosim, XLA": "xla", "MuJoCo": None}
SPEED = "env steps of 10 ms a second and core"
PER_MUSCLE = "the same times muscles"
NOTE = """\
{name} of myo-sim in MuJoCo is larger than {model}, and its tendons are rigid: it integrates no
fibers, and equations hold its moving path points and knees. MuJoCo computes in double precision and
gives no observation or reward. It broke off {broken} of {worlds} worlds as unstable."""


class Side(NamedTuple):
    """One of the two simulators, ready to run a round."""

    run: Callable[[], Any]
    facts: dict[str, Any]


def ours(worlds: int, steps: int, kernel: str) -> Side:
    """All worlds through an episode of so many control steps."""
    env = walker()
    es = placed(kernel, start(env, worlds))
    held = [placed(kernel, action) for action in actions(env, worlds, steps)[::HELD_STEPS]]
    together, sharding = batched(kernel, env.step), sharding_of(kernel)
    program = compiled(together, es, held[0], kernel=kernel, out_shardings=sharding)
    step = program.call

    def run():
        at = es
        for number in range(steps):
            at = step(at, held[number // HELD_STEPS])
        return at

    facts = {
        "model": MODEL,
        "muscles": env.action_size,
        "degrees of freedom": len(env.model.tree.mobility),
        "tendons": "elastic",
        "precision": "float32",
        "internal step (ms)": 1e3 * env.options.step_size / env.options.substeps,
        "trace and compile (s)": program.trace + program.compile,
    }
    return Side(run, facts)


def leg_model(name: str) -> Any:
    """A model of myo-sim; what it warns of, names, matters only to who saves it."""
    mujoco, myo_sim = require("mujoco", "mujoco"), require("myo_sim", "mujoco")
    mujoco.set_mju_user_warning(lambda _: None)  # else it goes to a file as well
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = myo_sim.load_model(name)
    mujoco.set_mju_user_warning(None)
    return model


def theirs(name: str, worlds: int, steps: int, threads: int) -> tuple[Side, Callable[[], int]]:
    """The same in MuJoCo; and how many worlds it broke off in the last round."""
    mujoco, rollout = require("mujoco", "mujoco"), require("mujoco.rollout", "mujoco")
    model = leg_model(name)
    data = [mujoco.MjData(model) for _ in range(threads)]
    if model.nkey:
        mujoco.mj_resetDataKeyframe(model, data[0], 0)
    full = mujoco.mjtState.mjSTATE_FULLPHYSICS
    first = np.empty(mujoco.mj_stateSize(model, full))
    mujoco.mj_getState(model, data[0], first, full)
    inner = round(_STEP / model.opt.timestep)
    part = min(_PART, worlds)
    drawn = np.random.default_rng(0).random((worlds, -(-steps // HELD_STEPS), model.nu))
    controls = np.repeat(drawn, HELD_STEPS * inner, axis=1)[:, : steps * inner]
    states = np.empty((part, steps * inner, len(first)))
    sensors = np.empty((part, steps * inner, model.nsensordata))
    pool, broken = rollout.Rollout(nthread=threads), []

    def run():
        broken.clear()
        for begin in range(0, worlds, part):
            some = controls[begin : begin + part]
            kept = states[: len(some)], sensors[: len(some)]
            pool.rollout(model, data, first[None], some, state=kept[0], sensordata=kept[1])
            late = kept[0][:, -1, 0] < first[0] + steps * _STEP - model.opt.timestep / 2
            broken.append(int(late.sum()))

    facts = {
        "model": name,
        "muscles": int(np.sum(model.actuator_dyntype == mujoco.mjtDyn.mjDYN_MUSCLE)),
        "degrees of freedom": f"{model.nv - model.neq} ({model.nv}, {model.neq} equations)",
        "tendons": "rigid",
        "precision": "float64",
        "internal step (ms)": 1e3 * model.opt.timestep,
        "trace and compile (s)": None,
    }
    return Side(run, facts), lambda: sum(broken)


def measure(name: str, worlds: int, seconds: float, repeats: int) -> dict:
    """Facts and speeds of both."""
    cores, steps = jax.device_count(), round(seconds / _STEP)
    mujoco, broken = theirs(name, worlds, steps, cores)
    sides = {label: ours(worlds, steps, kernel) for label, kernel in SIDES.items() if kernel}
    sides["MuJoCo"] = mujoco
    times = medians({label: side.run for label, side in sides.items()}, repeats)
    for label, side in sides.items():
        rate = worlds * steps / times[label] / cores
        side.facts[SPEED] = rate
        side.facts[PER_MUSCLE] = rate * side.facts["muscles"]
        side.facts["simulated s a second and core"] = rate * _STEP
    setting = {"worlds": worlds, "seconds": seconds, "cores used": cores, "broken off": broken()}
    return {**setting, **{label: side.facts for label, side in sides.items()}}


def draw(row: dict) -> None:
    """Two targets, per core and per core and muscle."""
    names = (SPEED, PER_MUSCLE)
    with panels("against_mujoco", names) as axes:
        for axis, name in zip(axes, names, strict=True):
            labels = [f"{side}\n{row[side]['model']}" for side in SIDES]
            axis.target(labels, [row[side][name] for side in SIDES])


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODELS[0], choices=MODELS)
    parser.add_argument("--worlds", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    add_plot_option(parser)
    given = parser.parse_args()
    os.environ["JAXOSIM_CACHE_DIR"] = ""  # compile times are without kernels kept on disk
    jaxosim.use_cpu_devices(core_count())
    try:
        row = measure(given.model, given.worlds, given.seconds, given.repeats)
    except MissingExtraError as error:
        parser.error(str(error))
    us, xla, them = (row[side] for side in SIDES)
    title = f"{given.worlds} worlds, {given.seconds:g} s each, {row['cores used']} cores"
    show_table(title, ("", *SIDES), [(name, us[name], xla[name], them[name]) for name in us])
    print(NOTE.format(name=given.model, model=MODEL, broken=row["broken off"], worlds=given.worlds))
    row["fused over XLA"] = us[SPEED] / xla[SPEED]
    print(f"fused over XLA, env steps/s: {row['fused over XLA']:.2f}")
    over = "over MuJoCo, per core and simulated second"
    targets = [
        Target(f"jaxosim {over}", us[SPEED] / them[SPEED], 20, True),
        Target(f"jaxosim, XLA, {over}", xla[SPEED] / them[SPEED], 2, True),
    ]
    show_targets(targets)
    row["targets"] = record_of(targets)
    record("against_mujoco", row, (*PACKAGES, "mujoco", "myo-sim"))
    if given.plot:
        draw(row)


if __name__ == "__main__":
    main()
