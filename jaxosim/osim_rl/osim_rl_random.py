"""Targets from NumPy's and Python's generators, in the order in which osim-rl draws them.

osim-rl draws from the global ones, so `np.random.seed(s); random.seed(s)` before `reset()` gives
its episode. An object may be given generators of its own, which draw the same numbers.

Source: osim-rl 2.1.0 `generate_new_targets`, `generate_new_target`; 3.0.11 `VTgtField`.
"""

import dataclasses
import math
import random
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxosim.envs.arm2d import TARGET_ANGLES, TARGET_RADII
from jaxosim.envs.target_field import SinkDraw, sink_ranges
from jaxosim.envs.targets import (
    CHANGE_COUNT,
    HEADING_CHANGE,
    MEAN_WAIT,
    SPEED_CHANGE,
    TargetTrack,
)


@dataclasses.dataclass(frozen=True)
class Generators:
    """What osim-rl draws from; by default the global generators.

    Attributes:
      numpy: `numpy.random`, or a `RandomState`.
      python: `random`, or a `Random`.
    """

    numpy: Any = np.random
    python: Any = random

    @classmethod
    def seeded(cls, seed: int) -> "Generators":
        """Generators of their own, which draw as the global ones do once they are seeded."""
        return cls(np.random.RandomState(seed), random.Random(seed))  # noqa: NPY002

    def seed(self, seed: int) -> None:
        """Seed both."""
        self.python.seed(seed)
        self.numpy.seed(seed)


GLOBAL = Generators()  # NumPy's and Python's own


def draw_track(step_count: int, dtype: np.dtype, generators: Generators = GLOBAL) -> TargetTrack:
    """Target velocities of ProstheticsEnv: all waits from NumPy, then the changes from Python.

    Args:
      step_count: steps of the episode, the one at reset included; later changes are not drawn.
      dtype: of the changes.
      generators: to draw from.
    """
    steps = np.cumsum(generators.numpy.poisson(MEAN_WAIT, CHANGE_COUNT))
    speed, heading = np.zeros(CHANGE_COUNT, dtype), np.zeros(CHANGE_COUNT, dtype)
    for change in np.flatnonzero(steps < step_count):
        speed[change] = _signed_uniform(SPEED_CHANGE, generators.python)
        heading[change] = _signed_uniform(HEADING_CHANGE, generators.python)
    return TargetTrack(
        step=jnp.asarray(steps, jnp.int32),
        speed_change=jnp.asarray(speed),
        heading_change=jnp.asarray(heading),
    )


def _signed_uniform(size: float, python: Any) -> float:
    """A sign, and then a number that has one already: osim-rl draws both."""
    return python.choice([-1, 1]) * python.uniform(-size, size)


def draw_arm_target(generators: Generators = GLOBAL) -> tuple[float, float]:
    """Target of Arm2DEnv, x and y (m)."""
    angle = generators.python.uniform(*TARGET_ANGLES)
    radius = generators.python.uniform(*TARGET_RADII)
    return math.cos(angle) * radius, math.sin(angle) * radius


def draw_sink(difficulty: int, dtype: np.dtype, generators: Generators = GLOBAL) -> SinkDraw:
    """A sink of L2M2019Env.

    Args:
      difficulty: 1 to 3; without sinks, at 0, osim-rl draws nothing.
      dtype: of the numbers.
      generators: to draw from.
    """
    radius, turn, phase, stay = (
        jnp.asarray(generators.numpy.uniform(low, high), dtype)
        for low, high in sink_ranges(difficulty)
    )
    return SinkDraw(radius=radius, turn=turn, phase=phase, stay=stay)
