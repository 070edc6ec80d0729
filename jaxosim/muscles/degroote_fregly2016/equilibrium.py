"""Tendon forces at which a DeGrooteFregly2016Muscle is in equilibrium, as OpenSim finds them.

Source: OpenSim `DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import safe_divide
from jaxosim.muscles.degroote_fregly2016.properties import LARGEST_FORCE, Properties
from jaxosim.muscles.degroote_fregly2016.stages import (
    elastic_length,
    rigid_dynamics,
    rigid_velocity,
)
from jaxosim.muscles.equilibrium import with_derivative

_HALVINGS = 36  # until the range is narrower than 1e-10


def equilibrium(
    muscles: Properties,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    activation: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Normalized tendon forces that stay as they are while the fiber takes all of the path's speed.

    By OpenSim's bisection of the range from 0 to 5, to its last digit.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s).
      activation: `[muscle]` (1).

    Returns:
      `[muscle]` (1), and `[muscle]` bool: false where the ends of the range enclose no solution,
      for which OpenSim raises.
    """

    def error(arguments: tuple, tendon_force: jax.Array) -> jax.Array:
        muscles, path_length, speed, activation = arguments
        length = elastic_length(muscles, path_length, tendon_force)
        velocity = rigid_velocity(muscles, length, speed, activation, tendon_force)
        forces = rigid_dynamics(muscles, length, velocity, activation, activation)
        return tendon_force - safe_divide(forces.tendon_force, muscles.max_isometric_force)

    arguments = muscles, path_length, lengthening_speed, activation
    held = jax.lax.stop_gradient(arguments)
    low, high = jnp.zeros_like(path_length), jnp.full_like(path_length, LARGEST_FORCE)
    first = error(held, low)
    found = first * error(held, high) < 0

    def halve(carry: tuple[jax.Array, ...], _: Any) -> tuple[tuple[jax.Array, ...], None]:
        low, high, at_low, _ = carry
        middle = 0.5 * (low + high)
        at_middle = error(held, middle)
        below = at_middle * at_low < 0
        return (
            jnp.where(below, low, middle),
            jnp.where(below, middle, high),
            jnp.where(below, at_low, at_middle),
            middle,
        ), None

    (*_, middle), _ = jax.lax.scan(halve, (low, high, first, low), length=_HALVINGS)
    return with_derivative(jax.lax.stop_gradient(middle), error, arguments), found
