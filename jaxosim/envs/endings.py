"""Endings of episodes for training, for `make(..., ended=...)`."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxosim.envs import lookup
from jaxosim.envs.episode import Snapshot


@dataclasses.dataclass(frozen=True)
class Fallen:
    """Ends an episode earlier than the tasks do: what falls, or turns away, is not worth playing.

    Attributes:
      height: (m) of the pelvis, below which it has fallen.
      tilt: (rad) largest lean of the pelvis, forward and to the side.
      heading: (rad) largest angle from the target's heading.
    """

    height: float = 0.7
    tilt: float = 0.8
    heading: float = 1.2

    def __call__(self, now: Snapshot) -> jax.Array:
        """Whether the episode ends here: bool."""
        model, q = now.env.model, now.state.q
        pelvis = lookup.body(model, "pelvis")
        ended = now.description.bodies.position[pelvis, 1] < self.height
        for name in ("pelvis_tilt", "pelvis_list"):
            if name in model.coordinate_names:
                ended |= jnp.abs(q[lookup.coordinate(model, name)]) > self.tilt
        return ended | (jnp.abs(heading_miss(now)) > self.heading)


def heading_miss(now: Snapshot) -> jax.Array:
    """Angle (rad) of the pelvis about the vertical from the target's heading; 0 in a plane."""
    model = now.env.model
    if "pelvis_rotation" not in model.coordinate_names:
        return jnp.zeros_like(now.state.time)
    # The angle is positive to the left, a target's heading to the right.
    return now.state.q[lookup.coordinate(model, "pelvis_rotation")] + now.env.target_heading(now)
