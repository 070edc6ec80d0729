"""How many times faster than a live OpenSim are control steps of models, and at which error?

    python benchmarks/models_against_opensim.py gait10dof18musc path/to/gait2392.osim …
        [--setting default] [--worlds 1024] [--rounds 5] [--steps 10] [--seeds 2] [--reference 1e-7]

A control step sets the controls, integrates 10 ms and, in OpenSim, realizes accelerations. Muscles
get random excitations held 50 ms, all other controls are zero. jaxosim steps a batch in float32 on
all cores, beside an OpenSim process per core at osim-rl's accuracy of 5e-5, all alternating in one
run; ratios are of medians. On a machine that others use too, wall time says little, so the ratio of
steps per processor second is given as well. The error is the largest of any coordinate until half a
second (`--error-steps` 50), relative to OpenSim at the accuracy of the reference with a new
integrator in each step, over several random patterns; OpenSim's own at 5e-5 stands beside it.
Needs OpenSim (extra `opensim`). One table, one JSON line in
benchmarks/results/models_against_opensim.jsonl.
"""

import argparse
import contextlib
import pathlib
import statistics
import time

import jax
import numpy as np
from kernels import batched, placed
from opensim_comparison.compare import SETTINGS
from opensim_comparison.controlled_world import ControlledWorld
from opensim_comparison.processes import Worker, call_all
from opensim_comparison.trajectories import OSIM_RL_ACCURACY
from opensim_comparison.trajectory_error import largest_errors
from patterns import SEED, random_held
from record import PACKAGES, record
from tables import Target, record_of, show_table, show_targets
from timing import compiled, interleaved

import jaxosim
from jaxosim.errors import MissingExtraError
from jaxosim.host.cores import core_count

NAME = "models_against_opensim"
TIMES_OPENSIM = {  # targets by model
    "gait10dof18musc": 150.0,
    "gait2392_millard2012muscle": 60.0,
    "Rajagopal2016": 60.0,
}
COLUMNS = (
    *("model", "coordinates", "muscles", "control steps/s", "OpenSim", "ratio"),
    *("per processor second", "OpenSim", "ratio", "error", "OpenSim's", "compile (s)"),
)


class Batch:
    """Worlds of jaxosim; one compiled call is one control step of all of them."""

    def __init__(
        self,
        model: jaxosim.Model,
        params: jaxosim.Params,
        options: jaxosim.Options,
        q: np.ndarray,
        worlds: int,
    ):
        """Place the worlds at a pose and compile their step."""
        state = jaxosim.initial_state(model, params, q.astype(params.gravity.dtype))
        self._start = jax.tree.map(lambda leaf: np.repeat(leaf[None], worlds, axis=0), state)
        self._start = placed("auto", self._start)
        controls = self._placed(np.zeros((worlds, len(model.control_names))))
        step = batched("auto", lambda state, row: jaxosim.step(model, params, state, row, options))
        program = compiled(step, self._start, controls)
        self._step, self.compile_seconds = program.call, program.trace + program.compile

    def _placed(self, controls: np.ndarray) -> jax.Array:
        return placed("auto", controls.astype(self._start.q.dtype))

    def run(self, controls: np.ndarray) -> tuple[float, float]:
        """Seconds and processor seconds of steps under controls `[step, world, control]`."""
        ready = jax.block_until_ready([self._placed(row) for row in controls])
        states, start, processor = self._start, time.perf_counter(), time.process_time()
        for row in ready:
            states = self._step(states, row)
        jax.block_until_ready(states)
        return time.perf_counter() - start, time.process_time() - processor

    def trajectories(self, controls: np.ndarray) -> np.ndarray:
        """Coordinates `[step, world, coordinate]` of steps under controls."""
        states, samples = self._start, []
        for row in controls:
            states = self._step(states, self._placed(row))
            samples.append(np.asarray(states.q))
        return np.stack(samples)


def excitations(model: jaxosim.Model, steps: int, worlds: int, seed: int = SEED) -> np.ndarray:
    """Random excitations of the muscles, zero for the other controls, `[step, world, control]`."""
    muscles = len(model.muscle_control)
    drawn = [random_held(muscles, seed + world)[:steps] for world in range(worlds)]
    controls = np.zeros((steps, worlds, len(model.control_names)))
    controls[:, :, model.muscle_control] = np.stack(drawn, axis=1)
    return controls


def measure(
    path: str,
    worlds: int,
    rounds: int,
    steps: int,
    seeds: int,
    error_steps: int,
    reference: float,
    setting: str,
) -> dict:
    """The figures of one model, and its errors by pattern."""
    model, params = jaxosim.load_model(path)
    cores = core_count()
    with contextlib.ExitStack() as stack:
        opensim = [stack.enter_context(Worker(ControlledWorld, path)) for _ in range(cores)]
        for worker in opensim:
            worker.receive()
        batch = Batch(model, params, SETTINGS[setting], opensim[0].call("start"), worlds)
        controls = excitations(model, steps, worlds)

        def theirs(_: int) -> tuple[float, float]:
            own = [controls[:, core] for core in range(cores)]
            spent = call_all(opensim, "run", own, [OSIM_RL_ACCURACY] * cores)
            return sum(steps / wall for wall, _ in spent), cores * steps / sum(s for _, s in spent)

        def ours(_: int) -> tuple[float, float]:
            wall, processor = batch.run(controls)
            return steps * worlds / wall, steps * worlds / processor

        rates = interleaved({"jaxosim": ours, "OpenSim": theirs}, rounds)
        patterns = excitations(model, error_steps, min(seeds, worlds))
        errors = _errors(batch, opensim, worlds, patterns, reference)
    figures = {
        name: [statistics.median(values) for values in zip(*rates[name], strict=True)]
        for name in rates
    }
    return {
        "coordinates": len(model.coordinate_names),
        "muscles": len(model.muscle_names),
        "rates": rates,
        "steps per second": [figures["jaxosim"][0], figures["OpenSim"][0]],
        "steps per processor second": [figures["jaxosim"][1], figures["OpenSim"][1]],
        "errors": errors,
        "compile (s)": batch.compile_seconds,
    }


def _errors(
    batch: Batch, opensim: list[Worker], worlds: int, controls: np.ndarray, reference: float
) -> dict[str, list[float]]:
    """Largest error of any coordinate of each program, by pattern `[step, pattern, control]`."""
    patterns = list(controls.swapaxes(0, 1))
    obtained = batch.trajectories(controls[:, np.arange(worlds) % len(patterns)])
    exact, rough = (_followed(opensim, patterns, a) for a in (reference, OSIM_RL_ACCURACY))
    return {
        "jaxosim": [largest_errors(obtained[:, i], path)[-1] for i, path in enumerate(exact)],
        "OpenSim": [
            largest_errors(path, right)[-1] for path, right in zip(rough, exact, strict=True)
        ],
    }


def _followed(
    opensim: list[Worker], patterns: list[np.ndarray], accuracy: float
) -> list[np.ndarray]:
    """OpenSim's coordinates `[step, coordinate]` under each pattern, as many at once as workers."""
    found: list[np.ndarray] = []
    for first in range(0, len(patterns), len(opensim)):
        some = patterns[first : first + len(opensim)]
        found += call_all(opensim[: len(some)], "trajectory", some, [accuracy] * len(some))
    return found


def row_of(name: str, figures: dict) -> list:
    """A row of the table."""
    row = [name, figures["coordinates"], figures["muscles"]]
    for key in ("steps per second", "steps per processor second"):
        ours, theirs = figures[key]
        row += [ours, theirs, ours / theirs]
    errors = [max(figures["errors"][program]) for program in ("jaxosim", "OpenSim")]
    return [*row, *errors, figures["compile (s)"]]


def targets_of(results: dict[str, dict]) -> list[Target]:
    """The ratio of each model that has a target, by processor seconds."""
    targets = []
    for name, figures in results.items():
        if name in TIMES_OPENSIM:
            ours, theirs = figures["steps per processor second"]
            targets.append(Target(f"{name} over OpenSim", ours / theirs, TIMES_OPENSIM[name], True))
    return targets


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--setting", choices=SETTINGS, default="default")
    parser.add_argument("--worlds", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one to warm up")
    parser.add_argument("--steps", type=int, default=10, help="control steps of a round")
    parser.add_argument("--seeds", type=int, default=2, help="random patterns of the errors")
    parser.add_argument(
        "--error-steps",
        type=int,
        choices=(10, 50),
        default=50,
        help="control steps of the errors: 10 or 50",
    )
    parser.add_argument("--reference", type=float, default=1e-7, help="accuracy of the reference")
    given = parser.parse_args()
    if given.worlds < core_count() or min(given.rounds, given.steps, given.seeds) < 1:
        parser.error(f"expected --worlds of at least {core_count()} and positive numbers")
    plan = {key: value for key, value in vars(given).items() if key != "models"}
    results = {}
    for path in given.models:
        name = pathlib.Path(path).stem
        results[name] = measure(path, **plan)
        row = row_of(name, results[name])
        print(dict(zip(COLUMNS, row, strict=True)), flush=True)
    title = f"{given.worlds} worlds, {given.setting}, {core_count()} cores"
    title += f", OpenSim at {OSIM_RL_ACCURACY:g}"
    show_table(title, COLUMNS, (row_of(name, results[name]) for name in results))
    targets = targets_of(results)
    show_targets(targets)
    record(NAME, {**plan, "models": results, "targets": record_of(targets)}, (*PACKAGES, "opensim"))


if __name__ == "__main__":
    try:
        main()
    except MissingExtraError as error:
        raise SystemExit(f"{NAME}: {error}") from error
