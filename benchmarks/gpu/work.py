"""One of the processes of `check.py`: python work.py STAGE DIRECTORY END [--quick]."""

import concurrent.futures
import contextlib
import fcntl
import importlib.metadata
import json
import os
import re
import statistics
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _stand_in_for_defusedxml() -> None:
    """Where defusedxml is missing, Python's own reader: the models that are read here are ours."""
    import xml.sax

    package, common, sax = (types.ModuleType(f"defusedxml{x}") for x in ("", ".common", ".sax"))
    vars(common)["DefusedXmlException"] = type("DefusedXmlException", (ValueError,), {})
    vars(sax)["make_parser"] = xml.sax.make_parser
    vars(package).update(common=common, sax=sax, __path__=[])
    for module in (package, common, sax):
        sys.modules[module.__name__] = module


try:
    import defusedxml  # noqa: F401
except ImportError:
    _stand_in_for_defusedxml()

import cases  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
from timing import Program, compiled  # noqa: E402

import jaxosim  # noqa: E402
from jaxosim.fused import using  # noqa: E402

_AT_ONCE = min(4, os.cpu_count() or 1)  # programs that compile at the same time
_ROUNDS, _ROUND_SECONDS, _MOST_SECONDS = 5, 0.2, 6.0
_NO_KERNEL = frozenset(
    "parameter constant tuple get-tuple-element bitcast while conditional call after-all".split()
)


class Work:
    """One process: its rows, and the time it has."""

    def __init__(self, stage: str, directory: str, end: float, quick: bool) -> None:
        """Prepare."""
        self.stage, self.directory, self.end = stage, Path(directory), end
        self.tasks = cases.QUICK_TASKS if quick else cases.TASKS
        self.compared = cases.QUICK_COMPARED if quick else cases.COMPARED
        self.inputs = self.directory / "inputs.npz"
        self.locks = {program: threading.Lock() for program, _ in self.tasks}

    def write(self, row: dict) -> None:
        """One more row."""
        with (self.directory / f"{self.stage}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """While the other process does not measure."""
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # ------------------------------------------------------------------------- reference

    def reference(self) -> None:
        """Results in float64, and the inputs that all use."""
        cases.draw(self.inputs, self.compared)
        with using("xla"):
            cases.env_and_start()
        programs = list(dict.fromkeys(program for program, _ in self.tasks))
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            done = {pool.submit(self._refer, program): program for program in programs}
            for future in concurrent.futures.as_completed(done):
                row: dict[str, Any] = {"program": done[future]}
                try:
                    row |= future.result()
                except Exception as error:
                    row["error"] = repr(error)[:500]
                self.write(row)

    def _refer(self, program: str) -> dict[str, Any]:
        """By XLA; a gradient by a kernel where there can be one, as XLA compiles it for minutes."""
        begin = time.time()
        kernel = "auto" if program == "gradient" else "xla"
        with using(kernel):
            case = cases.case_of(program, self.inputs, self.compared)
            result = jax.jit(jax.vmap(case.function))(*case.arguments)
        arrays = {k: np.asarray(v) for k, v in case.compared(result).items()}
        self._save(f"reference-{program}.npz", arrays)
        return {"kernel": kernel, "seconds": time.time() - begin}

    def _save(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        part = self.directory / f"part-{name}"
        np.savez(part, **arrays)  # pyright: ignore[reportArgumentType]
        part.rename(self.directory / name)

    # ------------------------------------------------------------------------ measurement

    def measure(self) -> None:
        """Every task, as far as there is time: compile several at once, measure one at a time."""
        self.write({"facts": _facts()})
        while not self.inputs.exists() and time.time() < self.end:
            time.sleep(0.2)
        cases.model_and_params()
        cases.env_and_start()
        at_once = 2 * _AT_ONCE if self.stage == "fused" else _AT_ONCE  # some wait for each other
        pool = concurrent.futures.ThreadPoolExecutor(at_once)
        waiting = {pool.submit(self._compile, *task): task for task in self.tasks}
        try:
            left = max(0.0, self.end - time.time())
            for future in concurrent.futures.as_completed(waiting, timeout=left):
                task = waiting.pop(future)
                self._measure(task, future)
        except concurrent.futures.TimeoutError:
            pass
        for program, batch in waiting.values():
            self.write({"program": program, "batch": batch, "skipped": "no time was left"})
        self.write({"facts": {"device memory": _memory(), "kernels": _cuda_kernels()}})
        os._exit(0)  # compilations that go on cannot be stopped

    def _compile(self, program: str, batch: int) -> tuple[cases.Case, Program]:
        if time.time() > self.end:
            raise TimeoutError
        case = cases.case_of(program, self.inputs, batch)
        # Batches of a program share its kernel; XLA compiles each anew.
        own = self.locks[program] if self.stage == "fused" else contextlib.nullcontext()
        with own, using(self.stage):
            return case, compiled(jaxosim.batched(case.function, batch_size=batch), *case.arguments)

    def _measure(self, task: tuple[str, int], future: concurrent.futures.Future) -> None:
        name, batch = task
        row: dict[str, Any] = {"program": name, "batch": batch}
        try:
            case, program = future.result()
            row |= {
                "trace (s)": program.trace,
                "compile (s)": program.compile,
                "temporary (MB)": program.temporary / 1e6,
                "held (MB)": program.held / 1e6,
                "kernels": kernel_count(program.call.as_text()),  # pyright: ignore
            }
            with self.turn():
                result = jax.block_until_ready(program.call(*case.arguments))
                some = jax.tree.map(lambda x: np.asarray(x[: self.compared]), case.compared(result))
                del result
                seconds = self._seconds(program, case.arguments)
            self._save(f"result-{self.stage}-{name}-{batch}.npz", some)
            row |= {"rounds (s)": seconds, "per second": batch / statistics.median(seconds)}
        except Exception as error:
            row["error"] = repr(error)[:500]
        self.write(row)

    def _seconds(self, program: Program, arguments: tuple[Any, ...]) -> list[float]:
        """Seconds of a call, of some rounds of several calls each."""
        begin = time.perf_counter()
        jax.block_until_ready(program.call(*arguments))
        calls = max(1, int(_ROUND_SECONDS / (time.perf_counter() - begin)))
        seconds: list[float] = []
        while len(seconds) < _ROUNDS and time.perf_counter() - begin < _MOST_SECONDS:
            start = time.perf_counter()
            result = None
            for _ in range(calls):
                result = program.call(*arguments)
            jax.block_until_ready(result)
            seconds.append((time.perf_counter() - start) / calls)
        return seconds


def kernel_count(text: str) -> int:
    """Instructions of a compiled program that start kernels; bodies of loops count once."""
    inner = set(re.findall(r"(?:calls|to_apply)=%?([\w.-]+)", text))
    count, counting = 0, False
    for line in text.splitlines():
        head = re.match(r"(?:ENTRY )?%?([\w.-]+) .*\{$", line)
        if head and not line.startswith(" "):
            counting = head.group(1) not in inner
            continue
        found = re.match(r"\s+(?:ROOT )?%?[\w.-]+ = .*?\s([a-z][\w-]*)\(", line)
        if counting and found and found.group(1) not in _NO_KERNEL:
            count += 1
    return count


def _facts() -> dict[str, Any]:
    device = jax.devices()[0]
    versions = {}
    for package in ("jax", "jaxlib", "numpy", "llvmlite", "jax-cuda12-plugin", "jax-cuda13-plugin"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "platform version": device.client.platform_version,
        "versions": versions,
    }


def _memory() -> dict[str, int]:
    """What the device's allocator tells."""
    stats = jax.devices()[0].memory_stats() or {}
    wanted = ("peak_bytes_in_use", "bytes_limit", "largest_alloc_size")
    return {name: stats[name] for name in wanted if name in stats}


def _cuda_kernels() -> list[dict[str, Any]]:
    """Registers and local memory of the kernels that were made, by the driver."""
    try:
        from jaxosim.fused import cuda
    except ImportError:
        return []
    return [
        {
            "target": kernel.target,
            "operations": kernel.program.operations,
            "registers": kernel.registers,
            "local bytes": kernel.local_bytes,
            "scratch in a buffer": not kernel.program.memory.is_local,
        }
        for _, kernel in cuda.registered()
    ]


def main() -> None:
    """Do one stage."""
    stage, directory, end = sys.argv[1:4]
    work = Work(stage, directory, float(end), "--quick" in sys.argv)
    work.reference() if stage == "reference" else work.measure()


if __name__ == "__main__":
    main()
