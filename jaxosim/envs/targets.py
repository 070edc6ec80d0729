"""Target velocities of Prosthetics Round 2: a heading and a speed that jump at random times.

`draw_track` turns a key into the numbers of an episode, `velocity_at` turns those numbers into the
velocity asked for at a step; who draws the numbers does not matter to the second.

Source: osim-rl 2.1.0 `ProstheticsEnv.generate_new_targets`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.pytree import array, pytree

CHANGE_COUNT = 10
MEAN_WAIT = 300  # control steps between changes, Poisson
_LARGEST_WAIT = 600  # 17 standard deviations above the mean
SPEED_CHANGE = 0.5  # m/s, largest
HEADING_CHANGE = math.pi / 8  # rad, largest
_STARTING_SPEED = 1.25  # m/s


@pytree
class TargetTrack:
    """When the target changes, and by how much."""

    step: jax.Array = array(CHANGE_COUNT, unit="1")  # int32, control step of each change
    speed_change: jax.Array = array(CHANGE_COUNT, unit="m/s")
    heading_change: jax.Array = array(CHANGE_COUNT, unit="rad")


def _cumulative_poisson() -> np.ndarray:
    """P(wait ≤ n), `[n]`."""
    n = np.arange(_LARGEST_WAIT)
    steps = np.concatenate([[0.0], np.log(n[1:])])
    return np.cumsum(np.exp(n * math.log(MEAN_WAIT) - MEAN_WAIT - np.cumsum(steps)))


def draw_track(key: jax.Array, like: jax.Array) -> TargetTrack:
    """Numbers of an episode.

    Args:
      key: JAX random key.
      like: an array whose dtype the changes take.
    """
    wait_key, speed_key, heading_key = jax.random.split(key, 3)
    # Poisson by inversion: exact, of fixed cost, and possible with every kind of key.
    level = jax.random.uniform(wait_key, (CHANGE_COUNT, 1), like.dtype)
    waits = jnp.sum(level > jnp.asarray(_cumulative_poisson(), like.dtype)[None], axis=1)
    shape = (CHANGE_COUNT,)
    # osim-rl draws a sign and then a uniform number that has one: together uniform.
    return TargetTrack(
        step=jnp.cumsum(waits).astype(jnp.int32),
        speed_change=_symmetric(speed_key, shape, like, SPEED_CHANGE),
        heading_change=_symmetric(heading_key, shape, like, HEADING_CHANGE),
    )


def _symmetric(key: jax.Array, shape: tuple[int, ...], like: jax.Array, size: float) -> jax.Array:
    """Uniform in [−size, size)."""
    return jax.random.uniform(key, shape, like.dtype, -size, size)


def speed_and_heading(track: TargetTrack, step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Speed (m/s) and heading (rad) asked for at a control step, changes added in their order."""
    speed = jnp.full_like(track.speed_change[0], _STARTING_SPEED)
    heading = jnp.zeros_like(speed)
    for change in range(CHANGE_COUNT):  # ten
        passed = step >= track.step[change]
        speed = jnp.where(passed, speed + track.speed_change[change], speed)
        heading = jnp.where(passed, heading + track.heading_change[change], heading)
    return speed, heading


def velocity_at(track: TargetTrack, step: jax.Array) -> jax.Array:
    """Target velocity `[3]` (m/s) in ground at a control step; x is forward, z to the right."""
    speed, heading = speed_and_heading(track, step)
    return jnp.stack([speed * jnp.cos(heading), jnp.zeros_like(speed), speed * jnp.sin(heading)])
