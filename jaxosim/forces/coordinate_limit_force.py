"""CoordinateLimitForce: stiff, damped stops that fade in beyond a coordinate's limits.

Source: OpenSim `CoordinateLimitForce`; see docs/theory/coordinate_forces.md,
"Coordinate limit forces".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.pytree import array, pytree
from jaxosim.types import LimitParams


@pytree
class LimitInfo:
    """What each limit does."""

    force: jax.Array = array("limit", unit="N·m | N")
    potential_energy: jax.Array = array("limit", unit="J")
    stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")  # −∂force/∂q
    damping: jax.Array = array("limit", unit="N·m·s/rad | N·s/m")  # −∂force/∂u


def _step(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Smooth step from 0 to 1 over z in [0, 1], and its slope."""
    z = clip(z, 0.0, 1.0)
    rest = 1 - z
    return z**3 * (10 - 15 * z + 6 * z * z), 30 * z * z * rest * rest


def _energy(stiffness: jax.Array, beyond: jax.Array, transition: jax.Array) -> jax.Array:
    """Energy stored `beyond` a limit."""
    d = clip(beyond, low=0.0)
    x = clip(d / transition, high=1.0)
    fading = stiffness * x**3 * (2 - 2.5 * x + 6 / 7 * x * x) * d * d
    full = stiffness * (d * d / 2 - transition * transition / 7)
    return jnp.where(d >= transition, full, fading)


def realize_limits(limits: LimitParams, q: jax.Array, u: jax.Array) -> LimitInfo:
    """Forces of all limits.

    Args:
      limits: numbers, SI.
      q: `[limit]` value of each limit's coordinate.
      u: `[limit]` its speed.
    """
    over, under = q - limits.upper_limit, limits.lower_limit - q
    upper, upper_slope = _step(over / limits.transition)
    lower, lower_slope = _step(under / limits.transition)
    damping = limits.damping * (upper + lower)
    force = -limits.upper_stiffness * upper * over + limits.lower_stiffness * lower * under
    stiffness = limits.upper_stiffness * (
        upper + upper_slope / limits.transition * over
    ) + limits.lower_stiffness * (lower + lower_slope / limits.transition * under)
    return LimitInfo(
        force=force - damping * u,
        potential_energy=_energy(limits.upper_stiffness, over, limits.transition)
        + _energy(limits.lower_stiffness, under, limits.transition),
        stiffness=stiffness,
        damping=damping,
    )
