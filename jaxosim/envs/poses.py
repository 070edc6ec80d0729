"""Poses and speeds in which episodes may begin: on the host, before a pool is made of them."""

from typing import Any, NamedTuple

import numpy as np

from jaxosim.envs.gait_cycle import GaitCycle
from jaxosim.envs.sides import LATERAL, counterparts
from jaxosim.types import Model

_FORWARD = "pelvis_tx"
_POSITION = ("pelvis_tx", "pelvis_ty", "pelvis_tz")  # noise would lift the feet, or changes nothing


class Poses(NamedTuple):
    """Coordinates and speeds."""

    q: np.ndarray  # [start, coordinate] (rad | m)
    u: np.ndarray  # [start, coordinate] (rad/s | m/s)


def rest_poses(
    env: Any, count: int, *, seed: int, angle: float = 0.03, speed: float = 0.1
) -> Poses:
    """The task's initial pose with noise.

    Args:
      env: the task, an `Env`.
      count: number of poses.
      seed: of the noise.
      angle: (rad) standard deviation of each angle.
      speed: (rad/s | m/s) standard deviation of each speed.
    """
    initial = env.initial_pose(env.params)
    q, u = (np.tile(np.asarray(part, float), (count, 1)) for part in initial)
    return noisy(env.model, Poses(q, u), seed=seed, angle=angle, speed=speed)


def cycle_poses(
    env: Any,
    cycle: GaitCycle,
    count: int,
    *,
    seed: int,
    spread: float = 0.25,
    angle: float = 0.03,
    speed: float = 0.1,
) -> Poses:
    """Poses of a gait in motion, at random phases and speeds, with noise.

    Args:
      env: the task, an `Env`, whose initial pose gives the coordinates that the cycle leaves out.
      cycle: the gait.
      count: number of poses.
      seed: of phases, speeds and noise.
      spread: (1) standard deviation of the speed of walking, relative to that of the cycle; cut off
        at 20 and 200 %.
      angle: (rad) standard deviation of each angle.
      speed: (rad/s | m/s) standard deviation of each speed.
    """
    rng = np.random.default_rng(seed)
    q, u = rest_poses(env, count, seed=0, angle=0.0, speed=0.0)
    places, forward = cycle.places(env.model), env.model.coordinate_names.index(_FORWARD)
    phase = rng.integers(0, len(cycle.q), count)
    share = np.clip(1.0 + spread * rng.standard_normal(count), 0.2, 2.0)
    periods = np.array([cycle.at_speed(cycle.speed * one).period for one in share])
    q[:, places] = cycle.q[phase]
    u[:, places] = cycle.q_phase[phase] / periods[:, None]
    u[:, forward] = cycle.speed * share
    noise_seed = int(rng.integers(2**31))
    return noisy(env.model, Poses(q, u), seed=noise_seed, angle=angle, speed=speed)


def noisy(model: Model, poses: Poses, *, seed: int, angle: float, speed: float) -> Poses:
    """Poses with normally distributed noise; locked coordinates and positions stay.

    Args:
      model: of the poses.
      poses: as they are.
      seed: of the noise.
      angle: (rad) standard deviation of each angle.
      speed: (rad/s | m/s) standard deviation of each speed.
    """
    rng = np.random.default_rng(seed)
    turns = ~model.locked & model.rotational & ~np.isin(model.coordinate_names, _POSITION)
    q = poses.q + angle * turns * rng.standard_normal(poses.q.shape)
    return Poses(q, poses.u + speed * ~model.locked * rng.standard_normal(poses.u.shape))


def mirrored(model: Model, poses: Poses) -> Poses:
    """The poses reflected in the sagittal plane: right and left change places.

    Args:
      model: the names of whose coordinates say to which side they belong (see `sides.side_of`).
      poses: as they are.

    Raises:
      ModelMismatchError: a coordinate has no counterpart on the other side.
    """
    places = counterparts(f"coordinates of {model.source}", model.coordinate_names)
    sign = np.where(np.isin(model.coordinate_names, LATERAL), -1.0, 1.0)
    return Poses(sign * poses.q[:, places], sign * poses.u[:, places])


def concatenated(*poses: Poses) -> Poses:
    """All poses, one group after the other."""
    return Poses(*(np.concatenate(parts) for parts in zip(*poses, strict=True)))
