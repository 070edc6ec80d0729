"""Targets from NumPy's and Python's global generators, in the order in which osim-rl draws them.

So `np.random.seed(s); random.seed(s)` before `reset()` gives osim-rl's episode.

Source: osim-rl 2.1.0 `generate_new_targets`, `generate_new_target`; 3.0.11 `VTgtField`.
"""

import math
import random

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


def draw_track(step_count: int, dtype: np.dtype) -> TargetTrack:
    """Target velocities of ProstheticsEnv: all waits from NumPy, then the changes from Python.

    Args:
      step_count: steps of the episode, the one at reset included; later changes are not drawn.
      dtype: of the changes.
    """
    # The global generator is the point: NPY002 would have us use one of our own.
    steps = np.cumsum(np.random.poisson(MEAN_WAIT, CHANGE_COUNT))  # noqa: NPY002
    speed, heading = np.zeros(CHANGE_COUNT, dtype), np.zeros(CHANGE_COUNT, dtype)
    for change in np.flatnonzero(steps < step_count):
        speed[change] = _signed_uniform(SPEED_CHANGE)
        heading[change] = _signed_uniform(HEADING_CHANGE)
    return TargetTrack(
        step=jnp.asarray(steps, jnp.int32),
        speed_change=jnp.asarray(speed),
        heading_change=jnp.asarray(heading),
    )


def _signed_uniform(size: float) -> float:
    """A sign, and then a number that has one already: osim-rl draws both."""
    return random.choice([-1, 1]) * random.uniform(-size, size)


def draw_arm_target() -> tuple[float, float]:
    """Target of Arm2DEnv, x and y (m)."""
    angle = random.uniform(*TARGET_ANGLES)
    radius = random.uniform(*TARGET_RADII)
    return math.cos(angle) * radius, math.sin(angle) * radius


def draw_sink(difficulty: int, dtype: np.dtype) -> SinkDraw:
    """A sink of L2M2019Env.

    Args:
      difficulty: 1 to 3; without sinks, at 0, osim-rl draws nothing.
      dtype: of the numbers.
    """
    radius, turn, phase, stay = (
        jnp.asarray(np.random.uniform(low, high), dtype)  # noqa: NPY002
        for low, high in sink_ranges(difficulty)
    )
    return SinkDraw(radius=radius, turn=turn, phase=phase, stay=stay)
