"""Compile times of cold programs, and medians of warm ones that take turns."""

import functools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax


class Program(NamedTuple):
    """A compiled function and what it took to get it."""

    call: Callable[..., Any]
    trace: float  # s
    compile: float  # s
    temporary: int  # bytes that one device needs beside arguments and results
    held: int  # bytes of its arguments and results, those it shares with them counted once

    @property
    def memory(self) -> int:
        """Bytes that one device needs while it runs."""
        return self.temporary + self.held


def compiled(function: Callable[..., Any], *arguments: Any) -> Program:
    """Trace and compile a function for these arguments."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    call = lowered.compile()
    seconds = time.perf_counter() - traced
    used = call.memory_analysis()
    if used is None:
        raise RuntimeError(f"memory of a program: {jax.default_backend()} does not tell it")
    held = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return Program(call, traced - start, seconds, used.temp_size_in_bytes, held)


def in_turns(measures: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """What each measure gives in each round, after one to warm up; taking turns, they share noise.

    Args:
      measures: of the number of the round, which is 0 in the one that does not count.
      rounds: that count.
    """
    results: dict[str, list[float]] = {name: [] for name in measures}
    for round_ in range(rounds + 1):
        for name, measure in measures.items():
            value = measure(round_)
            if round_:
                results[name].append(value)
    return results


def medians(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, measured `in_turns`."""
    measures = {name: functools.partial(_seconds, call) for name, call in calls.items()}
    times = in_turns(measures, repeats)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def _seconds(call: Callable[[], Any], _: int) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start
