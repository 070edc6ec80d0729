"""One JSON line per measurement, with when, where and with what it was made."""

import json
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import jax

import jaxosim

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"  # where the lines behind the README's table are kept
SOURCES = ("jaxosim", "benchmarks", ":!benchmarks/results")  # what a measurement is made with
PACKAGES = ("jax", "jaxlib", "numpy")


def record(name: str, row: dict, packages: tuple[str, ...] = PACKAGES) -> None:
    """Append a measurement to `benchmarks/results/NAME.jsonl`."""
    versions = {package: version(package) for package in packages}
    line = {
        "benchmark": name,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _git("rev-parse", "--short", "HEAD") or "none",
        "changed": bool(_git("status", "--porcelain", "--", *SOURCES)),
        "machine": platform.machine(),
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {"jaxosim": jaxosim.__version__, **versions},
        **row,
    }
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def show(row: dict) -> None:
    """Print a measurement, a line per figure."""
    width = max(map(len, row))
    for name, value in row.items():
        text = f"{value:,.2f}" if isinstance(value, float) else str(value)
        print(f"{name:{width}s}  {text}")


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else ""
