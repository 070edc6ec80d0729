"""Do models of any folder follow OpenSim for a fifth of a second, and what do they cost to load?

    python benchmarks/trajectories.py MODEL … [--steps 20] [--accuracy 1e-8] [--timeout 600]

From the default pose at rest, muscles in equilibrium; every control, those of actuators included,
is uniform in [0, 1] and drawn anew every 50 ms from a fixed seed. Both programs integrate by
Runge-Kutta-Merson at this accuracy, starting anew in each step of 10 ms. The error is the largest
of any coordinate (rad | m); tolerance 1e-5. Beside it how far OpenSim is from itself when it starts
1e-15 (rad | m) aside: no other program can be expected to be nearer. Then processor seconds: of
reading and building the model, median of three; of tracing and compiling `step` of one world with
the default options, no kernels on disk. Float64.

Each model has a process of its own, since OpenSim keeps a file's defaults for the next one, and is
given up after the timeout. Each appends a line to benchmarks/results/trajectories.jsonl; a model
that has a line of the same steps and accuracy is not measured again unless `--again` is given. At
the end, the table of docs/fidelity.md in Markdown.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import jax
from record import PACKAGES, RESULTS, record

NAME = "trajectories"
TOLERANCE = 1e-5
PATTERN = "random"
LOADS = 3
COLUMNS = ("model", "error", "where", "OpenSim from itself", "load (s)", "compile (s)")


def measured(path: str, steps: int, accuracy: float) -> dict:
    """The figures of one model, or under `failed` the reason why there are none."""
    jax.config.update("jax_enable_x64", True)
    from opensim_comparison.trajectories import repeatability, trajectory_error

    import jaxosim
    from jaxosim.models.catalog import resolve
    from jaxosim.opensim.model import OpenSimModel

    try:
        model, params = jaxosim.load_model(path)
        costs = {"load (s)": _load_seconds(path), "compile (s)": _compile_seconds(model, params)}
        oracle = OpenSimModel(resolve(path))
        error = trajectory_error(oracle, path, PATTERN, accuracy, steps)
        scatter = repeatability(oracle, PATTERN, accuracy, steps)
    except (jaxosim.JaxosimError, OSError, RuntimeError) as reason:
        return {"failed": str(reason).splitlines()[0][:160]}
    return {"error": error.value, "where": error.place, "OpenSim from itself": scatter, **costs}


def _load_seconds(path: str) -> float:
    """Median processor seconds of reading and building a model anew."""
    from jaxosim.models.catalog import resolve
    from jaxosim.models.compile import compile_model
    from jaxosim.models.osim.reader import parse_model
    from jaxosim.models.osim.xml import read_bytes

    source, seconds = resolve(path), []
    for _ in range(LOADS):
        start = time.process_time()
        compile_model(parse_model(read_bytes(source), os.fspath(source), None, source.parent))
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def _compile_seconds(model, params) -> float:
    """Processor seconds of tracing and compiling a step of one world."""
    import numpy as np
    from timing import compiled

    import jaxosim

    state = jaxosim.initial_state(model, params)
    controls = np.zeros(len(model.control_names))
    start = time.process_time()
    compiled(lambda at, row: jaxosim.step(model, params, at, row), state, controls)
    return time.process_time() - start


def _ask(path: str, plan: list[str], timeout: float) -> dict:
    """The figures of one model from a process of its own, which keeps no kernels."""
    command = [sys.executable, __file__, path, "--alone", *plan]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "JAXOSIM_CACHE_DIR": folder}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"more than {timeout:g} s"}
    if done.returncode:
        return {"failed": f"exit {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def recorded(plan: dict) -> dict[str, dict]:
    """The latest figures of each model that were measured by the same plan."""
    path = RESULTS / f"{NAME}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {row["model"]: row for row in rows if plan.items() <= row.items()}


def cells(row: dict) -> list[str]:
    """A row of the table."""
    if "failed" in row:
        return [row["model"], row["failed"], *[""] * (len(COLUMNS) - 2)]
    return [
        row["model"],
        f"{row['error']:.1e}" + ("" if row["error"] <= TOLERANCE else " (above)"),
        row["where"],
        f"{row['OpenSim from itself']:.1e}",
        f"{row['load (s)']:.2f}",
        f"{row['compile (s)']:.1f}",
    ]


def main() -> None:
    """Measure, record, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--steps", type=int, default=20, help="of 10 ms, at most 100")
    parser.add_argument("--accuracy", type=float, default=1e-8)
    parser.add_argument("--timeout", type=float, default=600.0, help="(s) for one model")
    parser.add_argument("--again", action="store_true", help="also what has been measured")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(measured(given.models[0], given.steps, given.accuracy)))
        return
    plan = {"steps": given.steps, "accuracy": given.accuracy}
    options = ["--steps", str(given.steps), "--accuracy", str(given.accuracy)]
    names = {path: "/".join(pathlib.Path(path).parts[-2:]) for path in given.models}
    for path, name in names.items():
        if given.again or name not in recorded(plan):
            row = {"model": name, **plan, **_ask(path, options, given.timeout)}
            record(NAME, row, (*PACKAGES, "opensim"))
            print(" | ".join(cells(row)), file=sys.stderr, flush=True)
    found = recorded(plan)
    for line in (COLUMNS, ["---"] * len(COLUMNS), *(cells(found[name]) for name in names.values())):
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
