"""Measures of a gait, from the coordinates over time alone: which steps are taken, and how.

They show what a return does not: a limp in which one leg stays ahead, knees beyond straight, steps
of unlike lengths.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.batching import batched
from jaxosim.envs import lookup
from jaxosim.envs.contact_pose import contact_pose
from jaxosim.envs.feet import Feet, left_lead
from jaxosim.state_variables import default_states
from jaxosim.system import realize_position
from jaxosim.types import Model, Params, State

_PASSED = 0.02  # m, from which on a foot has passed the other
_SHORTEST_SWING = 0.06  # s; a shorter one is a foot that rattles
_ROWS = 256  # to whose multiple a motion is filled up
_LEVEL = ("pelvis_tx", "pelvis_tz")  # coordinates; a planar model has the first alone
_KNEES = ("knee_angle_l", "knee_angle_r")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gait:
    """Measures of one motion; NaN where no step was taken.

    Attributes:
      speed: (m/s) of the pelvis along the ground, from the first to the last instant.
      step_count: how often a foot touched down after a swing.
      cadence: (1/s) steps in a second.
      passing: (1) share of the steps in which the foot landed ahead of the other one.
      step_length: (m) of the left and the right foot: how far ahead it landed, on average.
      asymmetry: (1) difference of the step lengths over the larger one's size.
      knee_hyperextension: (rad) of both knees beyond straight, mean over time.
      knee_flexion: (rad) largest, of the left and the right knee.
    """

    speed: float
    step_count: int
    cadence: float
    passing: float
    step_length: tuple[float, float]
    asymmetry: float
    knee_hyperextension: float
    knee_flexion: tuple[float, float]


def gait_of(model: Model, params: Params, q: np.ndarray, dt: float) -> Gait:
    """Measures of a motion.

    Args:
      model: a walker, knees named as in osim-rl's models.
      params: of the model.
      q: `[time, coordinate]` (rad | m), two instants at least.
      dt: (s) between two instants.

    Raises:
      ValueError: the model has no two feet or knees, or there are fewer than two instants.
    """
    if len(q) < 2:
        raise ValueError(f"q: expected two instants at least, got {len(q)}")
    lead, depth = feet_over_time(model, params, q)
    steps = _steps(depth > 0.0, lead, dt)
    lengths = [np.array([ahead for side, ahead in steps if side == own]) for own in (0, 1)]
    means = [float(own.mean()) if len(own) else float("nan") for own in lengths]
    largest = max(abs(means[0]), abs(means[1]))
    knees = np.asarray(q)[:, [lookup.coordinate(model, name) for name in _KNEES]]
    seconds = dt * (len(q) - 1)
    every = np.concatenate(lengths)
    return Gait(
        speed=distance_along_ground(model, q) / seconds,
        step_count=len(every),
        cadence=len(every) / seconds,
        passing=float(np.mean(every > _PASSED)) if len(every) else float("nan"),
        step_length=(means[0], means[1]),
        asymmetry=abs(means[0] - means[1]) / largest if largest > 0 else float("nan"),
        knee_hyperextension=float(np.maximum(knees, 0.0).sum(axis=1).mean()),
        knee_flexion=(float(-knees[:, 0].min()), float(-knees[:, 1].min())),
    )


def distance_along_ground(model: Model, q: np.ndarray) -> float:
    """How far (m) the pelvis went in a straight line, from the first to the last instant.

    Args:
      model: of the motion.
      q: `[time, coordinate]` (rad | m).

    Returns:
      NaN where the model has no pelvis that moves.
    """
    level = [lookup.coordinate(model, name) for name in _LEVEL if name in model.coordinate_names]
    return float(np.linalg.norm(q[-1, level] - q[0, level])) if level else float("nan")


def is_walker(model: Model) -> bool:
    """Whether a model has two knees, named as in osim-rl's models."""
    return set(_KNEES) <= set(model.coordinate_names)


def _steps(touches: np.ndarray, lead: np.ndarray, dt: float) -> list[tuple[int, float]]:
    """Each landing after a swing: the foot, 0 for the left one, and how far ahead (m) it landed.

    Args:
      touches: `[time, 2]` bool, left and right.
      lead: `[time]` (m) of the left foot.
      dt: (s) between two instants.
    """
    steps = []
    for side, sign in ((0, 1.0), (1, -1.0)):
        in_air = 0
        for time, on_ground in enumerate(touches[:, side]):
            if on_ground and in_air * dt >= _SHORTEST_SWING:
                steps.append((side, float(sign * lead[time])))
            in_air = 0 if on_ground else in_air + 1
    return steps


def feet_over_time(model: Model, params: Params, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the left foot is ahead and how deep each foot is in the ground.

    Args:
      model: a walker.
      params: of the model.
      q: `[time, coordinate]` (rad | m).

    Returns:
      `[time]` (m) along the pelvis's forward axis, between the middles of the feet; and
      `[time, 2]` (m) depth of the deepest sphere, left and right, negative in the air.

    Raises:
      ValueError: the model has no two feet.
    """
    count = len(q)
    # Motions of all lengths share a few programs.
    filled = np.pad(q, ((0, -count % _ROWS), (0, 0)), mode="edge")
    lead, depth = _program(model)(params, jnp.asarray(filled, params.gravity.dtype))
    return np.asarray(lead)[:count], np.asarray(depth)[:count]


@functools.lru_cache(maxsize=4)
def _program(model: Model) -> Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]:
    """`feet_over_time` as one program for a model."""
    return jax.jit(batched(functools.partial(_feet_at, model, Feet.of(model)), (None, 0)))


def _feet_at(model: Model, feet: Feet, params: Params, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The same in one pose."""
    state = State(
        time=jnp.zeros_like(q[0]),
        q=q,
        u=jnp.zeros_like(q),
        **default_states(params),
    )
    position = realize_position(model, params, state)
    contact = contact_pose(model, params, position)
    pelvis = lookup.body(model, "pelvis")
    rotation = position.bodies.pose[model.bodies.mobod[pelvis], :, :3]
    forward = rotation @ position.instance.body_rotation[pelvis, :, 0]
    second = np.asarray(model.contacts.second)
    pairs = [np.flatnonzero(np.isin(second, places)) for places in feet.spheres]
    deepest = jnp.stack([jnp.max(contact.depth[own]) for own in pairs])
    return left_lead(feet, [contact.center[own] for own in feet.spheres], forward), deepest
