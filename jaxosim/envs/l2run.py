"""L2RunEnv: run forward in the sagittal plane, as far as possible before falling.

Source: osim-rl 2.1.0 `L2RunEnv`, after the NIPS 2017 challenge "Learning to Run".
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxosim.checks import check_finite
from jaxosim.envs import lookup
from jaxosim.envs.episode import Snapshot, Terms, Transition
from jaxosim.envs.observation import Block
from jaxosim.envs.walking import WalkingEnv

_JOINTS = ("hip_l", "hip_r", "knee_l", "knee_r", "ankle_l", "ankle_r")
_BODIES = ("head", "pelvis", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_UNUSED = 5  # zeros at the end, where the 2017 challenge had strength and obstacles


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class L2RunEnv(WalkingEnv):
    """Run forward.

    Attributes:
      progress_weight: (1/m) of the distance that the pelvis goes forward.
    """

    progress_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_finite("progress_weight", self.progress_weight)
        super().__post_init__()

    @property
    def model_name(self) -> str:
        """Of the bundled model."""
        return "gait9dof18musc"

    @property
    def default_time_limit(self) -> int:
        """Control steps of an episode."""
        return 1000

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """43 entries."""
        joints = [self._joint(name) for name in ("ground_pelvis", *_JOINTS)]
        return (*joints, self._positions(), self._mass_center(), self._unused())

    def _joint(self, name: str) -> Block:
        """Values, then speeds of a joint's coordinates."""
        coordinates = lookup.coordinates_of(self.model, name)
        index = lookup.places(coordinates)
        units = lookup.units_of_motion(self.model, coordinates)
        names = [self.model.coordinate_names[i] for i in index]

        def read(now: Snapshot) -> jax.Array:
            motion = now.description.coordinates
            return jnp.concatenate([motion.value[index], motion.speed[index]])

        return Block(
            tuple(f"{name}/{kind}/{c}" for kind in ("value", "speed") for c in names),
            (*units, *(f"{unit}/s" for unit in units)),
            read,
        )

    def _positions(self) -> Block:
        """Bodies in the sagittal plane, in ground."""
        index = lookup.places(lookup.body(self.model, name) for name in _BODIES)
        names = tuple(f"{name}/{axis}" for name in _BODIES for axis in "xy")
        return Block(
            names,
            ("m",) * len(names),
            lambda now: now.description.bodies.position[index, :2].reshape(-1),
        )

    def _mass_center(self) -> Block:
        """Position and velocity of the mass center, in ground."""
        names = tuple(f"mass_center/{entry}" for entry in ("x", "y", "z", "vx", "vy", "vz"))

        def read(now: Snapshot) -> jax.Array:
            center = now.description.mass_center
            return jnp.concatenate([center.position, center.velocity])

        return Block(names, ("m",) * 3 + ("m/s",) * 3, read)

    def _unused(self) -> Block:
        """Zeros."""
        return Block(
            tuple(f"unused/{i}" for i in range(_UNUSED)),
            ("1",) * _UNUSED,
            lambda now: jnp.zeros_like(now.state.q, shape=_UNUSED),
            low=0.0,
            high=0.0,
        )

    def reward_terms(self, transition: Transition) -> tuple[Terms, Any]:
        """The distance that the pelvis went forward."""
        progress = self.progress_weight * self.progress(transition)
        return {"progress": progress}, transition.after.task_state

    def progress(self, transition: Transition) -> jax.Array:
        """Distance (m) that the pelvis went forward in a control step."""
        forward = lookup.coordinate(self.model, "pelvis_tx")
        return transition.after.state.q[forward] - transition.before.q[forward]
