"""Comparison of jaxosim with a live OpenSim: speed, and the error of both against one reference.

Every entry simulates the same random episodes; their measurements are interleaved, and idle
processes block on a pipe: OpenSim in a process per core, jaxosim's batches on all cores of this
process (`kernels`: fused kernels, XLA alone), and its single world in a process that may use one
core. Resets are not timed, and compile times are reported separately.
"""

import contextlib
import dataclasses
import functools
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from kernels import LABELS
from timing import interleaved
from workload import MODEL, actions, reset_world, walker

from jaxosim.envs.episode import EnvState
from jaxosim.types import Options
from opensim_comparison.many_worlds import ManyWorlds
from opensim_comparison.opensim_world import OpenSimWorld
from opensim_comparison.processes import Worker, call_all
from opensim_comparison.single_world import SingleWorld
from opensim_comparison.trajectory_error import Errors, excitations, largest_errors

OSIM_RL_ACCURACY = 5e-5
REFERENCE_ACCURACY = 1e-9
SETTINGS = {
    "fast": Options.fast(),
    "default": Options(),
    "fine": Options.fine(),
    "accurate": Options.accurate(),
    "reference": Options.reference(OSIM_RL_ACCURACY),
}
WAYS = {"call": "one world", "scan": "one world, scan"}  # a call per step, or per episode


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
      cores: number of OpenSim processes, and the divisor of the speed of batches.
      settings: of jaxosim's batches, from `SETTINGS`.
      single_world: settings of its single world, from `SETTINGS`.
      batches: numbers of worlds.
      kernels: what runs jaxosim's programs, as `Options.kernel`; every batch and single world of
        each.
      accuracies: of OpenSim's integrator; osim-rl's is always among them.
      rounds: timed rounds, after one to warm up.
      steps: control steps of an episode.
      error_steps: control steps over which errors are measured; 0 for none.
      seeds: number of random control patterns among those.
    """

    cores: int
    settings: tuple[str, ...] = ("default", "fine", "accurate")
    single_world: tuple[str, ...] = ("default",)
    batches: tuple[int, ...] = (1024,)
    kernels: tuple[str, ...] = ("auto",)
    accuracies: tuple[float, ...] = (1e-3, OSIM_RL_ACCURACY, 1e-6)
    rounds: int = 5
    steps: int = 50
    error_steps: int = 100
    seeds: int = 8


@dataclasses.dataclass(frozen=True)
class Entry:
    """The measurements of one entry.

    Attributes:
      name: label in the table.
      worlds: stepped at once.
      cores: at work.
      setting: of jaxosim, from `SETTINGS`; None for OpenSim.
      kernel: what runs jaxosim's program, as `Options.kernel`; None for OpenSim.
      accuracy: of OpenSim's integrator; None for jaxosim.
      compile_seconds: of its step or episode; None for OpenSim.
      rates: env steps per second in each round.
      errors: largest coordinate error (rad | m) by pattern, at each of `TIMES` reached.
      baseline: rates of OpenSim at osim-rl's accuracy on as many cores; None without OpenSim.
    """

    name: str
    worlds: int
    cores: int
    setting: str | None = None
    kernel: str | None = None
    accuracy: float | None = None
    compile_seconds: float | None = None
    rates: list[float] = dataclasses.field(default_factory=list)
    errors: Errors = dataclasses.field(default_factory=dict)
    baseline: list[float] | None = None

    @property
    def rate(self) -> float:
        """Median env steps per second."""
        return statistics.median(self.rates)

    @property
    def times_opensim(self) -> float | None:
        """Its rate over that of OpenSim at osim-rl's accuracy on as many cores."""
        return self.rate / statistics.median(self.baseline) if self.baseline else None


@contextlib.contextmanager
def opensim_processes(count: int) -> Iterator[list[Worker]]:
    """Idle processes that hold the walker in OpenSim, `count` of them.

    Raises:
      MissingExtraError: OpenSim is not installed, or does not load.
    """
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(OpenSimWorld, MODEL)) for _ in range(count)]
        for worker in workers:
            worker.receive()
        yield workers


def compare(plan: Plan, opensim: Sequence[Worker], log: Callable[[str], object]) -> list[Entry]:
    """Measure every entry of the plan.

    Args:
      plan: what to measure.
      opensim: from `opensim_processes`; without any, jaxosim is measured alone, and no errors.
      log: receives progress messages.
    """
    log("resetting")
    env = walker()
    start = reset_world(env)
    episodes = _episodes(plan, env)
    with Worker(SingleWorld) as single:
        single.receive()
        runners = _opensim_runners(plan, opensim, episodes)
        runners |= _batch_runners(plan, start, episodes, log)
        runners |= _single_runners(plan, single, start, episodes, log)

        def measure(name: str, round_: int) -> float:
            log(f"round {round_} of {plan.rounds}: {name}" if round_ else f"warming up: {name}")
            return runners[name].run(round_)

        rates = interleaved(
            {name: functools.partial(measure, name) for name in runners}, plan.rounds
        )
    errors = _errors(plan, runners, opensim, log) if opensim and plan.error_steps else {}
    return _entries(runners, rates, errors)


@dataclasses.dataclass(frozen=True)
class _Runner:
    """How an entry is measured."""

    entry: Entry
    run: Callable[[int], float]  # round → env steps per second
    follow: Callable[[list[np.ndarray]], list[np.ndarray]] | None = None  # patterns → coordinates


def _episodes(plan: Plan, env: Any) -> list[np.ndarray]:
    """Random actions `[step, world, action]` of each round; smaller batches take the first."""
    count, worlds = plan.rounds + 1, max(*plan.batches, plan.cores)
    drawn = np.asarray(actions(env, worlds, count * plan.steps))
    return np.split(drawn, count)


def _opensim_runners(
    plan: Plan, workers: Sequence[Worker], episodes: list[np.ndarray]
) -> dict[str, _Runner]:
    def run(own: Sequence[Worker], accuracy: float, round_: int) -> float:
        call_all(own, "reset", [accuracy] * len(own))
        seconds = call_all(own, "run", list(episodes[round_].swapaxes(0, 1)[: len(own)]))
        return sum(plan.steps / value for value in seconds)

    def follow(accuracy: float, patterns: list[np.ndarray]) -> list[np.ndarray]:
        return opensim_trajectories(workers, patterns, accuracy)

    runners = {}
    for accuracy in plan.accuracies if workers else ():
        name = f"OpenSim {accuracy:g}"
        entry = Entry(name, worlds=len(workers), cores=len(workers), accuracy=accuracy)
        runners[name] = _Runner(
            entry,
            functools.partial(run, workers, accuracy),
            functools.partial(follow, accuracy),
        )
    if workers:
        name = f"OpenSim {OSIM_RL_ACCURACY:g}, one process"
        entry = Entry(name, worlds=1, cores=1, accuracy=OSIM_RL_ACCURACY)
        runners[name] = _Runner(entry, functools.partial(run, workers[:1], OSIM_RL_ACCURACY))
    return runners


def opensim_trajectories(
    workers: Sequence[Worker], patterns: Sequence[np.ndarray], accuracy: float, fresh: bool = False
) -> list[np.ndarray]:
    """OpenSim's coordinates after each control step, `[step, coordinate]` for each pattern.

    Args:
      workers: from `opensim_processes`.
      patterns: `[step, muscle]` (1) each.
      accuracy: as for `OpenSimWorld.reset`.
      fresh: as for `OpenSimWorld.reset`.
    """
    followed: list[np.ndarray] = []
    for first in range(0, len(patterns), len(workers)):
        some = patterns[first : first + len(workers)]
        arguments = ([value] * len(some) for value in (accuracy, fresh))
        followed += call_all(workers[: len(some)], "trajectory", some, *arguments)
    return followed


def _options(setting: str, kernel: str) -> Options:
    return dataclasses.replace(SETTINGS[setting], kernel=kernel)


def _name(setting: str, text: str, kernel: str) -> str:
    """Label of an entry."""
    return ", ".join(filter(None, (f"jaxosim {setting}", text, LABELS[kernel])))


def _batch_runners(
    plan: Plan, start: EnvState, episodes: list[np.ndarray], log: Callable[[str], object]
) -> dict[str, _Runner]:
    def run(many: ManyWorlds, worlds: int, round_: int) -> float:
        return plan.steps * worlds / many.run(episodes[round_][:, :worlds])

    runners = {}
    for setting, kernel in itertools.product(plan.settings, plan.kernels):
        for worlds in plan.batches:
            name = _name(setting, f"{worlds:,} worlds", kernel)
            log(f"compiling {name}")
            many = ManyWorlds(_options(setting, kernel), start, worlds)
            entry = Entry(
                name,
                worlds,
                plan.cores,
                setting=setting,
                kernel=kernel,
                compile_seconds=many.compile_seconds,
            )
            largest = worlds == max(plan.batches)  # errors do not depend on the batch
            runners[name] = _Runner(
                entry,
                functools.partial(run, many, worlds),
                many.trajectories if largest else None,
            )
    return runners


def _single_runners(
    plan: Plan,
    single: Worker,
    start: EnvState,
    episodes: list[np.ndarray],
    log: Callable[[str], object],
) -> dict[str, _Runner]:
    keyless = dataclasses.replace(start, key=None)  # a typed key cannot be sent, nothing draws
    sent = jax.tree.map(np.asarray, keyless)

    def run(options: Options, way: str, round_: int) -> float:
        return plan.steps / single.call("run", options, way, episodes[round_][:, 0])

    runners = {}
    for setting, kernel in itertools.product(plan.single_world, plan.kernels):
        options = _options(setting, kernel)
        log(f"compiling {_name(setting, 'one world', kernel)}")
        seconds = single.call("prepare", options, sent, episodes[0][:, 0])
        for way, text in WAYS.items():
            name = _name(setting, text, kernel)
            entry = Entry(name, 1, 1, setting=setting, kernel=kernel, compile_seconds=seconds[way])
            runners[name] = _Runner(entry, functools.partial(run, options, way))
    return runners


def _errors(
    plan: Plan,
    runners: dict[str, _Runner],
    opensim: Sequence[Worker],
    log: Callable[[str], object],
) -> dict[str, Errors]:
    """Errors by entry and pattern."""
    patterns = excitations(walker().action_size, plan.seeds, plan.error_steps)
    controls = list(patterns.values())
    log(f"following {len(controls)} patterns in OpenSim at {REFERENCE_ACCURACY:g}")
    reference = opensim_trajectories(opensim, controls, REFERENCE_ACCURACY, fresh=True)
    errors = {}
    for name, runner in runners.items():
        if runner.follow:
            log(f"following {len(controls)} patterns: {name}")
            followed = map(largest_errors, runner.follow(controls), reference)
            errors[name] = dict(zip(patterns, followed, strict=True))
    return errors


def _entries(
    runners: dict[str, _Runner], rates: dict[str, list[float]], errors: dict[str, Errors]
) -> list[Entry]:
    """The runners' entries with their measurements."""
    baselines = {
        entry.cores: rates[name]  # on one core, the single process is the later one and the same
        for name, entry in ((name, runner.entry) for name, runner in runners.items())
        if entry.accuracy == OSIM_RL_ACCURACY
    }
    return [
        dataclasses.replace(
            runner.entry,
            rates=rates[name],
            errors=errors.get(name, {}),
            baseline=baselines.get(runner.entry.cores),
        )
        for name, runner in runners.items()
    ]
