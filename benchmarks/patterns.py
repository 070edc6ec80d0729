"""Control patterns of comparisons with OpenSim: one second of 10 ms steps, held in a step."""

from collections.abc import Callable

import numpy as np

from jaxosim.cli.rollout import HELD_STEPS, SINE_FREQUENCY

STEPS = 100
STEP_SIZE = 0.01  # (s)
SEED = 20180507


def constant(level: float, muscle_count: int) -> np.ndarray:
    """The same excitation throughout, [step, muscle] (1)."""
    return np.full((STEPS, muscle_count), level)


def sinusoidal(muscle_count: int) -> np.ndarray:
    """0.5 + 0.5 sin(2π t + i) at the start of each step, i the muscle's number, [step, muscle]."""
    time = STEP_SIZE * np.arange(STEPS)[:, None]
    return 0.5 + 0.5 * np.sin(2 * np.pi * SINE_FREQUENCY * time + np.arange(muscle_count))


def random_held(muscle_count: int, seed: int = SEED) -> np.ndarray:
    """Uniform on [0, 1), redrawn every 50 ms, [step, muscle]."""
    draws = np.random.default_rng(seed).uniform(size=(STEPS // HELD_STEPS, muscle_count))
    return np.repeat(draws, HELD_STEPS, axis=0)


PATTERNS: dict[str, Callable[[int], np.ndarray]] = {
    "constant 0.05": lambda muscle_count: constant(0.05, muscle_count),
    "constant 0.5": lambda muscle_count: constant(0.5, muscle_count),
    "sinusoidal": sinusoidal,
    "random": random_held,
    "zero": lambda muscle_count: constant(0.0, muscle_count),
}
