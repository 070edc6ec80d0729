"""Target velocities of Prosthetics Round 2: a heading and a speed that jump at random times.

`draw_track` turns a key into the numbers of an episode, `velocity_at` turns those numbers into the
velocity asked for at a step; who draws the numbers does not matter to the second.

Source: osim-rl 2.1.0 `ProstheticsEnv.generate_new_targets`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.checks import check_finite, check_positive
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


def _cumulative_poisson(mean: float) -> np.ndarray:
    """P(wait ≤ n), `[n]`."""
    n = np.arange(_LARGEST_WAIT)
    steps = np.concatenate([[0.0], np.log(n[1:])])
    return np.cumsum(np.exp(n * math.log(mean) - mean - np.cumsum(steps)))


def _waits(key: jax.Array, like: jax.Array, mean: float) -> jax.Array:
    """Poisson-distributed control steps between changes, `[change]`."""
    # By inversion: exact, of fixed cost, and possible with every kind of key.
    level = jax.random.uniform(key, (CHANGE_COUNT, 1), like.dtype)
    cumulative = jnp.asarray(_cumulative_poisson(mean), like.dtype)
    return jnp.sum(level > cumulative[None], axis=1)


def draw_track(key: jax.Array, like: jax.Array) -> TargetTrack:
    """Numbers of an episode.

    Args:
      key: JAX random key.
      like: an array whose dtype the changes take.
    """
    wait_key, speed_key, heading_key = jax.random.split(key, 3)
    waits = _waits(wait_key, like, MEAN_WAIT)
    shape = (CHANGE_COUNT,)
    # osim-rl draws a sign and then a uniform number that has one: together uniform.
    return TargetTrack(
        step=jnp.cumsum(waits).astype(jnp.int32),
        speed_change=_symmetric(speed_key, shape, like, SPEED_CHANGE),
        heading_change=_symmetric(heading_key, shape, like, HEADING_CHANGE),
    )


@dataclasses.dataclass(frozen=True)
class WideTargets:
    """Targets for training: `make("ProstheticsEnv", difficulty=1, targets=WideTargets())`.

    Each speed of an episode is uniformly distributed, so that those which osim-rl's targets reach
    seldom are practiced as often as the others. The first one holds from the beginning. Later ones
    follow by changes as osim-rl's, which are reflected at the ends of the range.

    Attributes:
      low: (m/s) lowest speed. The range is that of the winners of the NeurIPS 2018 challenge.
      high: (m/s) highest speed.
      mean_wait: control steps of 0.01 s between changes, Poisson.
      speed_change: (m/s) largest change of the speed.
      heading_change: (rad) largest change of the heading.
    """

    low: float = -0.25
    high: float = 2.75
    mean_wait: float = 100.0
    speed_change: float = SPEED_CHANGE
    heading_change: float = HEADING_CHANGE

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
          ValueError: the speeds are not in order or not finite, a change is negative, or the mean
            wait is not in (0, 300].
        """
        for name in ("low", "high", "speed_change", "heading_change"):
            check_finite(name, getattr(self, name))
        if self.low > self.high:
            raise ValueError(f"low, high: expected low <= high, got {self.low} and {self.high}")
        if min(self.speed_change, self.heading_change) < 0.0:
            raise ValueError("speed_change, heading_change: expected none below 0")
        check_positive("mean_wait", self.mean_wait)
        if self.mean_wait > MEAN_WAIT:
            raise ValueError(f"mean_wait: expected at most {MEAN_WAIT}, got {self.mean_wait}")

    def __call__(self, key: jax.Array, like: jax.Array) -> TargetTrack:
        """Numbers of an episode; arguments as of `draw_track`."""
        wait_key, first_key, speed_key, heading_key = jax.random.split(key, 4)
        shape = (CHANGE_COUNT - 1,)
        speeds = [jax.random.uniform(first_key, (), like.dtype, self.low, self.high)]
        for change in _symmetric(speed_key, shape, like, self.speed_change):
            speeds.append(self._reflected(speeds[-1] + change))
        speed = jnp.stack(speeds)
        turns = _symmetric(heading_key, shape, like, self.heading_change)
        waits = _waits(wait_key, like, self.mean_wait)
        return TargetTrack(
            step=jnp.cumsum(waits.at[0].set(0)).astype(jnp.int32),
            speed_change=jnp.diff(speed, prepend=jnp.full_like(speed[:1], _STARTING_SPEED)),
            heading_change=jnp.concatenate([jnp.zeros_like(turns[:1]), turns]),
        )

    def _reflected(self, speed: jax.Array) -> jax.Array:
        """A speed that has left the range, put back as far within its end."""
        width = self.high - self.low
        if width == 0.0:
            return jnp.full_like(speed, self.low)
        return self.low + width - jnp.abs((speed - self.low) % (2.0 * width) - width)


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
