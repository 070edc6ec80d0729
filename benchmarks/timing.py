"""Compile times of cold programs, and medians of interleaved warm ones."""

import functools
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
from jax.sharding import NamedSharding

from jaxosim import fused
from jaxosim.fused.kernel import scratch_bytes

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class Program(NamedTuple):
    """A compiled function, its compile time and its memory."""

    call: Callable[..., Any]
    trace: float  # s
    compile: float  # s
    temporary: int  # bytes that one device needs beside arguments and results, kernels' included
    held: int  # bytes of its arguments and results, those it shares with them counted once

    @property
    def memory(self) -> int:
        """Bytes that one device needs while it runs."""
        return self.temporary + self.held


def compiled(
    function: Callable[..., Any],
    *arguments: Any,
    kernel: str = "auto",
    out_shardings: NamedSharding | None = None,
) -> Program:
    """Trace and compile a function for these arguments.

    Args:
      function: of arrays.
      arguments: as it takes them.
      kernel: what runs it, as for `jaxosim.fused.using`.
      out_shardings: of the results, for a program that takes its own results again: without it JAX
        replicates those of size zero.

    Raises:
      RuntimeError: the program is not of the chosen kind, or its memory is unknown.
    """

    def one_path(*given: Any) -> Any:  # jit keeps traces by function, whatever the kernel
        return function(*given)

    start = time.perf_counter()
    with fused.using(kernel):
        lowered = jax.jit(one_path, out_shardings=out_shardings).lower(*arguments)
    traced = time.perf_counter()
    call = lowered.compile()
    seconds = time.perf_counter() - traced
    targets = kernels_in(call)
    if kernel != "auto" and bool(targets) != (kernel == "fused"):
        raise RuntimeError(f"a program for kernel={kernel!r} calls the kernels {targets}")
    used = call.memory_analysis()
    if used is None:
        raise RuntimeError(f"memory of a program: {jax.default_backend()} does not report it")
    held = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    scratch = max(map(scratch_bytes, targets), default=0)
    return Program(call, traced - start, seconds, used.temp_size_in_bytes + scratch, held)


def kernels_in(program: Any) -> list[str]:
    """Names of the fused kernels that a compiled program calls."""
    return sorted({part for part in program.as_text().split('"') if part.startswith("jaxosim_")})


def interleaved(
    measures: Mapping[Name, Callable[[int], Value]], rounds: int
) -> dict[Name, list[Value]]:
    """Results of each measure in each round, after one to warm up; interleaved, they share noise.

    Args:
      measures: of the number of the round, 0 in the warm-up round.
      rounds: number of recorded rounds.
    """
    results: dict[Name, list[Value]] = {name: [] for name in measures}
    for round_ in range(rounds + 1):
        for name, measure in measures.items():
            value = measure(round_)
            if round_:
                results[name].append(value)
    return results


def medians(calls: Mapping[Name, Callable[[], Any]], repeats: int) -> dict[Name, float]:
    """Median seconds of each call, measured `interleaved`."""
    measures = {name: functools.partial(_seconds, call) for name, call in calls.items()}
    times = interleaved(measures, repeats)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def _seconds(call: Callable[[], Any], _: int) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start
