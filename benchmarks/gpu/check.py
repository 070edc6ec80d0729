"""Are the fused kernels right on this GPU, and how fast are they beside XLA's?

    benchmarks/gpu/check.sh [--minutes 8] [--wheels DIR] [--out FILE]
    benchmarks/gpu/check.sh --device cpu --quick   # a dry run where there is no GPU

It ends by itself within the minutes it is given. Three processes work at once: `reference` works
out results in float64 on the CPU; `fused` and `xla` compile, check and time programs on the GPU in
the order of their importance (`cases.TASKS`) and take turns to measure. What there is no time for
stands in the result as skipped, what goes wrong as an error. Compile times are of several programs
compiled at once; the kernels that a program starts are counted in its text, bodies of loops once.

The machine needs Python with NumPy and JAX for CUDA. Where llvmlite is missing and pip cannot get
it, only XLA is measured, and the result says so. To bring it along, here with a network:

    python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d wheels llvmlite

and there `--wheels wheels` (for the Python that is there). The same serves for defusedxml; without
it the XML reader of the standard library reads our own models.

The result is one JSON file: --out, else $OUT/gpu-check.json, else
benchmarks/results/gpu-check.json. It is written anew after each stage, so a killed run leaves what
it had; its last line of output is the same JSON.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
_PACKAGES = ("llvmlite", "defusedxml")
_RESERVE = 12  # seconds before the end at which workers stop
_POLL = 2  # seconds
_STAGES = ("reference", "fused", "xla")


def provide(packages: tuple[str, ...], wheels: str | None, directory: Path) -> dict[str, str]:
    """How each package is had: installed, from wheels, by pip, or missing."""
    site, answer = directory / "site", {}
    for package in packages:
        if importlib.util.find_spec(package) is not None:
            answer[package] = "installed"
            continue
        sources = [["--no-index", "--find-links", wheels]] if wheels else []
        answer[package] = "missing"
        for source in [*sources, ["--retries", "0", "--timeout", "8"]]:
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
            try:
                done = subprocess.run(
                    [*command, str(site), *source, package], capture_output=True, timeout=40
                )
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0:
                answer[package] = "from wheels" if "--no-index" in source else "by pip"
                break
    return answer


def start(stage: str, given: argparse.Namespace, directory: Path, end: float) -> subprocess.Popen:
    """A worker."""
    environment = dict(os.environ)
    paths = [str(ROOT), str(HERE), str(ROOT / "benchmarks"), str(directory / "site")]
    environment["PYTHONPATH"] = os.pathsep.join([*paths, environment.get("PYTHONPATH", "")])
    environment["JAXOSIM_CACHE_DIR"] = str(directory / "kernels")  # compile times are cold
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # two processes share the GPU
    on_cpu = given.device == "cpu" or stage == "reference"
    environment["JAX_PLATFORMS"] = "cpu" if on_cpu else "cuda,cpu"
    environment["JAX_ENABLE_X64"] = "1" if stage == "reference" else "0"
    command = [sys.executable, str(HERE / "work.py"), stage, str(directory), str(end)]
    log = (directory / f"{stage}.log").open("w")
    return subprocess.Popen(
        command + (["--quick"] if given.quick else []),
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
    )


def rows_of(directory: Path, stage: str) -> list[dict]:
    """What a worker has written so far."""
    try:
        lines = (directory / f"{stage}.jsonl").read_text().splitlines()
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def parity(directory: Path) -> list[dict]:
    """Errors of every result that there is against float64 on the CPU."""
    import numpy as np

    rows = []
    for path in sorted(directory.glob("result-*.npz")):
        _, kernel, program, batch = path.stem.split("-")
        try:
            right = np.load(directory / f"reference-{program}.npz")
            found = np.load(path)
            names = [name for name in right.files if name in found.files]
        except (OSError, ValueError):
            continue
        errors, wrong = [], 0
        for name in names:
            a, b = found[name].astype(float), right[name].astype(float)
            known = np.isfinite(b)
            wrong += int((np.isfinite(a) != known).sum())
            size = np.maximum(1.0, np.abs(b))
            if program == "gradient":  # by the largest entry of a world's
                axes = tuple(range(1, b.ndim))
                top = np.max(np.where(known, np.abs(b), 0), axis=axes, keepdims=True)
                size = np.maximum(1e-6, np.broadcast_to(top, b.shape))
            fine = known & np.isfinite(a)
            errors.append((np.abs(a - b) / size)[fine].ravel())
        every = np.concatenate(errors)
        rows.append(
            {
                "kernel": kernel,
                "program": program,
                "batch": int(batch),
                "numbers": int(every.size),
                "median": float(np.median(every)),
                "99.9 %": float(np.percentile(every, 99.9)),
                "largest": float(every.max()),
                "finite in one only": wrong,
            }
        )
    return rows


def gather(given: argparse.Namespace, directory: Path, facts: dict) -> dict:
    """The whole result as far as there is one."""
    result = {"benchmark": "gpu-check", **facts}
    for stage in _STAGES:
        rows = rows_of(directory, stage)
        result[stage] = {
            "facts": {k: v for row in rows if "facts" in row for k, v in row["facts"].items()},
            "rows": [row for row in rows if "facts" not in row],
            "end of its log": (directory / f"{stage}.log").read_text()[-1500:]
            if (directory / f"{stage}.log").exists()
            else "",
        }
    result["parity with CPU float64"] = parity(directory)
    out = Path(given.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def show(result: dict) -> None:
    """Tables for the eye, and the whole in one line."""
    for stage in _STAGES[1:]:
        for row in result[stage]["rows"]:
            figures = ", ".join(
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            )
            print(f"{stage:6s} {figures}")
    for row in result["parity with CPU float64"]:
        print("parity", ", ".join(f"{k} {v}" for k, v in row.items()))
    print(json.dumps(result))


def main() -> None:
    """Run the workers, and gather what they find."""
    begin = time.time()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=None, help="8, or 4 for --quick")
    parser.add_argument("--wheels", help="directory of wheels for what is missing")
    folder = os.environ.get("OUT") or str(ROOT / "benchmarks" / "results")
    parser.add_argument("--out", default=str(Path(folder) / "gpu-check.json"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="two small batches, a dry run")
    given = parser.parse_args()
    minutes = given.minutes or (4 if given.quick else 8)
    end = begin + 60 * minutes
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        facts = {
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin)),
            "minutes": minutes,
            "device asked for": given.device,
            "quick": given.quick,
            "python": sys.version.split()[0],
            "cores": os.cpu_count(),
            "packages": provide(_PACKAGES, given.wheels, directory),
        }
        has_llvm = facts["packages"]["llvmlite"] != "missing"
        stages = [stage for stage in _STAGES if stage != "fused" or has_llvm]
        if not has_llvm:
            facts["left out"] = "fused kernels: llvmlite is missing and could not be had"
        workers = [start(stage, given, directory, end - _RESERVE) for stage in stages]
        while any(w.poll() is None for w in workers) and time.time() < end - _RESERVE / 2:
            time.sleep(_POLL)
            gather(given, directory, facts)
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
        facts["exit codes"] = {s: w.wait() for s, w in zip(stages, workers, strict=True)}
        facts["seconds"] = time.time() - begin
        show(gather(given, directory, facts))


if __name__ == "__main__":
    main()
