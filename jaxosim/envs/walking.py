"""What the walking tasks share: their models, and the end of an episode in a fall."""

import dataclasses
from typing import ClassVar

import jax

from jaxosim.checks import check_finite
from jaxosim.envs import lookup
from jaxosim.envs.actions import OSIM_RL_CONTROL_RANGE
from jaxosim.envs.base import Env
from jaxosim.outputs import StateDescription

VARIANTS = ("3D", "2D")
GAIT_MODELS = {  # by variant, and whether the right lower leg is a prosthesis
    ("3D", True): "gait14dof22musc_pros",
    ("3D", False): "gait14dof22musc",
    ("2D", True): "gait14dof22musc_planar_pros",
    ("2D", False): "gait14dof22musc_planar",
}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class WalkingEnv(Env):
    """A task that ends when the pelvis falls.

    Attributes:
      fall_height: (m) the pelvis's height in ground below which the episode terminates.
    """

    control_range: ClassVar[tuple[float, float] | None] = OSIM_RL_CONTROL_RANGE

    fall_height: float = 0.6

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_finite("fall_height", self.fall_height)
        super().__post_init__()

    def pelvis_velocity(self, description: StateDescription) -> jax.Array:
        """Velocity of the pelvis's origin, `[3]` (m/s) in ground."""
        return description.bodies.velocity[lookup.body(self.model, "pelvis")]

    def is_terminated(self, description: StateDescription) -> jax.Array:
        """Whether the pelvis is below `fall_height`: bool."""
        pelvis = lookup.body(self.model, "pelvis")
        return description.bodies.position[pelvis, 1] < self.fall_height
