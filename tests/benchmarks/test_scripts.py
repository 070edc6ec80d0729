"""The benchmarks of speed run from end to end at the smallest sizes, and record what they print."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = {
    "control_steps": "--worlds 2 --decisions 1",
    "against_mujoco": "--worlds 4 --seconds 0.05 --repeats 1",
    "gradient_cost": "--steps 1 --worlds 4 --repeats 1",
    "first_order": "--worlds 4 --decisions 2 --repeats 1",
    "learners": "--out runs --tasks planar --learners ppo --seeds 0 --seconds 0.1 --interval 0.1",
    "learning": "--horizons 1 --repeats 1",
    "reference_batches": "--worlds 2 9 --steps 1 --repeats 1 --against .",
    "roofline": "--worlds 128 --repeats 1",
    "scaling": "--batches 4 --worlds 4 --repeats 1 --equal 1 7 18",
    "throughput": "--batch 4 --repeats 1 --starts 1",
}
TABLES_ONLY = (  # no --plot
    *("control_steps", "first_order", "learners", "learning", "reference_batches", "throughput"),
)
# All others compare fused kernels with XLA.
ONE_KERNEL = ("control_steps", "learners", "learning", "reference_batches")


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_measures_prints_and_records(name, tmp_path):
    if name == "against_mujoco":
        pytest.importorskip("myo_sim", reason="myo-sim is not installed (extra `mujoco`)")
    if name not in TABLES_ONLY:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    copied = tmp_path / "benchmarks"  # so that the clone's own results stay as they are
    shutil.copytree(ROOT / "benchmarks", copied, ignore=shutil.ignore_patterns("results"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    drawing = [] if name in TABLES_ONLY else ["--plot"]
    command = [sys.executable, str(copied / f"{name}.py"), *SCRIPTS[name].split(), *drawing]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (line,) = (copied / "results" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert row["benchmark"] == name and row["versions"]["jax"]
    if drawing:
        assert (copied / "results" / f"{name}.png").stat().st_size > 10_000
    targets = row.get("targets", {})
    printed = " ".join(done.stdout.split())
    assert all(target in printed for target in targets)
    assert name in ONE_KERNEL or ("fused" in printed and "XLA" in printed)
