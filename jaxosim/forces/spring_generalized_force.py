"""SpringGeneralizedForce: a linear spring and damper on a coordinate.

The passive prosthetic ankle of the walkers is one: a pin joint between `pros_tibia_r` and
`pros_foot_r` with stiffness 225 N·m/rad and viscosity 1 N·m·s/rad, instead of the muscles that the
amputated leg has lost. With the foot's two contact spheres (`hunt_crossley_force.py`) and the
ankle's limit (`coordinate_limit_force.py`) it is all there is to the prosthesis.

Source: OpenSim `SpringGeneralizedForce`; see docs/theory/coordinate_forces.md,
"Spring generalized forces".
"""

import jax

from jaxosim.types import SpringParams


def spring_force(springs: SpringParams, q: jax.Array, u: jax.Array) -> jax.Array:
    """Generalised force `[spring]` (N·m | N): towards the rest length and against motion.

    Args:
      springs: numbers.
      q: `[spring]` (rad | m) value of each spring's coordinate.
      u: `[spring]` (rad/s | m/s) its speed.
    """
    return -springs.stiffness * (q - springs.rest_length) - springs.viscosity * u
