"""Error of a second of motion against a reference: control patterns, errors, summaries."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from patterns import PATTERNS, SEED, STEP_SIZE, random_held

TIMES = (0.1, 0.5, 1.0)  # s
_RANDOM = "random"
_CONSTANT = ("constant 0.05", "constant 0.5")
Errors = dict[str, list[float]]  # pattern or group of patterns → error at each time


def excitations(muscle_count: int, seeds: int, steps: int) -> dict[str, np.ndarray]:
    """Patterns by name, `[step, muscle]` (1): those of the trajectory tests, random ones by number.

    Args:
      muscle_count: of the model.
      seeds: number of random patterns; the first is the tests' own.
      steps: of 10 ms.
    """
    chosen = {name: of(muscle_count) for name, of in PATTERNS.items() if name != _RANDOM}
    for number in range(seeds):
        chosen[f"{_RANDOM} {number}"] = random_held(muscle_count, SEED + number)
    return {name: pattern[:steps] for name, pattern in chosen.items()}


def times_within(steps: int) -> list[float]:
    """Those of `TIMES` (s) that so many control steps reach."""
    return [time for time in TIMES if round(time / STEP_SIZE) <= steps]


def largest_errors(q: np.ndarray, reference: np.ndarray) -> list[float]:
    """Largest difference of any coordinate at any step until each of `TIMES` (rad | m).

    Args:
      q: `[step, coordinate]` (rad | m) after each control step; non-finite values count as inf.
      reference: likewise.
    """
    difference = np.abs(np.asarray(q, float) - reference)
    each_step = np.where(np.isfinite(difference), difference, np.inf).max(axis=1)
    until = np.maximum.accumulate(each_step)
    return [float(until[round(time / STEP_SIZE) - 1]) for time in times_within(len(until))]


def summary(errors: Mapping[str, Sequence[float]]) -> Errors:
    """Errors of groups of patterns at each time, as in the tables.

    Args:
      errors: by pattern, named as in `excitations`; empty if nothing was measured.
    """
    if not errors:
        return {}
    random = [name for name in errors if name.startswith(_RANDOM)]
    groups: dict[str, tuple[Sequence[str], Callable]] = {
        "constant": (_CONSTANT, np.max),
        "sine": (("sinusoidal",), np.max),
        "random, median": (random, np.median),
        "random, largest": (random, np.max),
        "zero": (("zero",), np.max),
    }
    return {
        group: reduce([errors[name] for name in names], axis=0).tolist()
        for group, (names, reduce) in groups.items()
        if names
    }
