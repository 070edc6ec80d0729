"""Arm2DEnv: bring the wrist to a target, with six muscles.

Source: osim-rl 2.1.0 `Arm2DEnv`.
"""

import dataclasses
import functools
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxosim.checks import check_finite
from jaxosim.envs import lookup
from jaxosim.envs.actions import OSIM_RL_CONTROL_RANGE
from jaxosim.envs.arm_target import add_target
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState, Snapshot, Terms, Transition
from jaxosim.envs.observation import Block
from jaxosim.outputs import StateDescription
from jaxosim.types import State

_JOINTS = ("r_shoulder", "r_elbow")
_HAND = "r_radius_styloid"
TARGET_ANGLES = (math.pi * 9 / 8, math.pi * 12 / 8)  # rad, of the target about the shoulder
TARGET_RADII = (0.5, 0.65)  # m


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Arm2DEnv(Env):
    """Reach a target; the task state is the target's position, `[2]` (m).

    Attributes:
      survival_reward: (1) of each control step.
      distance_weight: (1/m²) of the squared distance of the wrist from the target.
    """

    control_range: ClassVar[tuple[float, float] | None] = OSIM_RL_CONTROL_RANGE

    survival_reward: float = 1.0
    distance_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_finite("survival_reward", self.survival_reward)
        check_finite("distance_weight", self.distance_weight)
        super().__post_init__()

    @property
    def model_name(self) -> str:
        """Of the bundled model."""
        return "arm2dof6musc"

    @property
    def default_time_limit(self) -> int:
        """Control steps of an episode."""
        return 200

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """16 entries."""
        # osim-rl differs: what its reset returns still shows the previous episode's target.
        target = Block(("target/x", "target/y"), ("m", "m"), lambda now: now.task_state)
        joints = [self._joint(name) for name in _JOINTS]
        return (target, *joints, self._activations(), self._hand())

    def _joint(self, name: str) -> Block:
        """Value, speed and acceleration of a joint's only coordinate."""
        (place,) = lookup.coordinates_of(self.model, name)
        names = tuple(f"{name}/{kind}" for kind in ("value", "speed", "acceleration"))

        def read(now: Snapshot) -> jax.Array:
            motion = now.description.coordinates
            return jnp.stack([motion.value[place], motion.speed[place], motion.acceleration[place]])

        return Block(names, ("rad", "rad/s", "rad/s²"), read)

    def _activations(self) -> Block:
        """Activation of each muscle, in alphabetical order."""
        order = lookup.alphabetical_muscle_order(self.model)
        names = tuple(f"{self.model.muscle_names[i]}/activation" for i in order)
        return Block(
            names, ("1",) * len(order), lambda now: now.description.muscles.activation[order]
        )

    def _hand(self) -> Block:
        """Position of the wrist's marker."""
        names = (f"{_HAND}/x", f"{_HAND}/y")
        return Block(names, ("m", "m"), self._hand_position)

    def _hand_position(self, now: Snapshot) -> jax.Array:
        wrist = lookup.place(self.model, "marker", self.model.marker_names, _HAND)
        return now.description.markers.position[wrist, :2]

    def init_task(self, key: jax.Array, state: State, description: StateDescription) -> jax.Array:
        """Draw the target: angle and distance from the shoulder, both uniform."""
        angle_key, radius_key = jax.random.split(key)
        angle = jax.random.uniform(angle_key, (), state.q.dtype, *TARGET_ANGLES)
        radius = jax.random.uniform(radius_key, (), state.q.dtype, *TARGET_RADII)
        return jnp.stack([jnp.cos(angle) * radius, jnp.sin(angle) * radius])

    def reward_terms(self, transition: Transition) -> tuple[Terms, jax.Array]:
        """A reward for each step, less the squared distance of the wrist from the target."""
        distance = self.squared_distance(transition.after)
        return {
            "survival": jnp.full_like(distance, self.survival_reward),
            "distance": -self.distance_weight * distance,
        }, transition.after.task_state

    def squared_distance(self, now: Snapshot) -> jax.Array:
        """Squared distance (m²) of the wrist from the target."""
        miss = self._hand_position(now) - now.task_state
        return jnp.sum(miss * miss)

    def extend_state_desc(self, entries: dict[str, Any], es: EnvState) -> dict[str, Any]:
        """The target, which is a body in osim-rl."""
        return add_target(entries, es.task_state, self.params_of(es).bodies.mass)
