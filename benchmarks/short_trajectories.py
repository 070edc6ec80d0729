"""Do models of any folder follow OpenSim for a fifth of a second under random controls?

    python benchmarks/short_trajectories.py MODEL … [--steps 20] [--accuracy 1e-8]

From the default pose at rest, muscles in equilibrium; every control, those of actuators included,
is uniform in [0, 1] and drawn anew every 50 ms. Both programs integrate by Runge-Kutta-Merson at
this accuracy, starting anew in each step of 10 ms. The error is the largest of any coordinate
(rad | m); tolerance 1e-5. Beside it wall-clock seconds: of loading the file in jaxosim, of the
starting state, and of the trajectory in both programs. The last two include tracing and
compilation, but for kernels that earlier runs left on disk. Float64. Each model has a process of
its own: OpenSim keeps a file's defaults for the next one. One table, one JSON line in
benchmarks/results/short_trajectories.jsonl.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import jax
from record import PACKAGES, record
from tables import show_table

TOLERANCE = 1e-5  # rad | m
PATTERN = "random"
COLUMNS = ("model", "error", "within 1e-5", "where", "load (s)", "start (s)", "trajectory (s)")


def measured(path: str, steps: int, accuracy: float) -> list:
    """A row of the table; the reason in place of the error where there is none."""
    jax.config.update("jax_enable_x64", True)
    from opensim_comparison.trajectories import trajectory_error

    import jaxosim
    from jaxosim.models.catalog import resolve
    from jaxosim.opensim.model import OpenSimModel

    seconds = [time.perf_counter()]
    name = pathlib.Path(path).stem
    try:
        model, params = jaxosim.load_model(path)
        seconds.append(time.perf_counter())
        jax.block_until_ready(jaxosim.initial_state(model, params))
        seconds.append(time.perf_counter())
        error = trajectory_error(OpenSimModel(resolve(path)), path, PATTERN, accuracy, steps)
    except (jaxosim.JaxosimError, OSError, RuntimeError) as reason:
        return [name, str(reason).splitlines()[0][:80], None, None, None, None, None]
    seconds.append(time.perf_counter())
    spent = [after - before for before, after in zip(seconds, seconds[1:], strict=False)]
    return [name, error.value, error.value <= TOLERANCE, error.place, *spent]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--steps", type=int, default=20, help="of 10 ms, at most 100")
    parser.add_argument("--accuracy", type=float, default=1e-8)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    plan = ["--steps", str(given.steps), "--accuracy", str(given.accuracy)]
    if given.alone:
        print(json.dumps(measured(given.models[0], given.steps, given.accuracy)))
        return
    rows = []
    for path in given.models:
        command = [sys.executable, __file__, path, "--alone", *plan]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        failed = [pathlib.Path(path).stem, f"exit {done.returncode}", *[None] * 5]
        rows.append(json.loads(lines[-1]) if done.returncode == 0 else failed)
        print(dict(zip(COLUMNS, rows[-1], strict=True)), file=sys.stderr, flush=True)
    title = f"{given.steps} control steps of random controls at accuracy {given.accuracy:g}"
    show_table(title, COLUMNS, rows)
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    row = {"steps": given.steps, "accuracy": given.accuracy, "rows": found}
    record("short_trajectories", row, (*PACKAGES, "opensim"))


if __name__ == "__main__":
    main()
