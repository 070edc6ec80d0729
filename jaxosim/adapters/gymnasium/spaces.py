"""A task's bounds as Gymnasium's spaces, and what goes in and out made to fit them."""

from typing import Any

import numpy as np
from gymnasium import spaces

from jaxosim.envs.base import Env

_LARGEST = float(np.finfo(np.float32).max)  # for "no bound": Gymnasium frowns on infinity


def dtype_of(env: Env) -> Any:
    """Of observations: float64 where JAX has x64 enabled, else float32."""
    assert env.params is not None
    return np.dtype(env.params.gravity.dtype).type


def observation_space(env: Env) -> spaces.Box:
    """Bounds of the observation vector.

    Raises:
      ValueError: the observation is not a vector.
    """
    if env.observation != "vector":
        raise ValueError(f'observation: Gymnasium gets "vector", not {env.observation!r}')
    low, high = env.observation_low, env.observation_high
    fixed = low == high  # an entry that never changes still needs some room in a Box
    low, high = np.where(fixed, low - 1, low), np.where(fixed, high + 1, high)
    dtype = dtype_of(env)
    low, high = (np.clip(bound, -_LARGEST, _LARGEST).astype(dtype) for bound in (low, high))
    return spaces.Box(low, high, dtype=dtype)


def action_space(env: Env) -> spaces.Box:
    """Bounds of the controls, infinite where there are none."""
    low, high = (bound.astype(np.float32) for bound in (env.action_low, env.action_high))
    return spaces.Box(low, high, dtype=np.float32)


def checked_action(action: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The action as an array.

    Raises:
      ValueError: NaN is in it, or its shape is another.
    """
    values = np.asarray(action, np.float32)
    if values.shape != shape:
        raise ValueError(f"action: expected shape {shape}, got {values.shape}")
    if np.isnan(values).any():
        raise ValueError("action: expected numbers, got NaN")
    return values


def within(observation: Any, space: spaces.Box) -> np.ndarray:
    """The observation clipped to its bounds, as osim-rl's `get_observation_clipped` does."""
    return np.clip(np.asarray(observation), space.low, space.high)
