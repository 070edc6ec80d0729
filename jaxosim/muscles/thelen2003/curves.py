"""Thelen's force curves: active and passive force-length, tendon, and inverse force-velocity.

All are elementwise in `[muscle]` arrays. Every unselected branch is evaluated at a clipped
argument, so that values and gradients stay finite everywhere.

Source: Thelen (2003), J. Biomech. Eng. 125:70-77; OpenSim `Thelen2003Muscle`; see
docs/theory/muscles.md, "Force curves" and "Fiber velocity".
"""

import math

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.thelen2003.properties import Params

_TOE_FORCE = 0.33  # normalized tendon force where the toe region ends
_TOE_SHAPE = 3.0
_LARGEST_EXPONENT = 50.0  # passive force there is 1e20 times the strongest muscle's
_SMALLEST_ACTIVE_FORCE = 1e-12  # floor of activation · overlap, reached at 4.7 optimal lengths


def active_force_length_multiplier(
    normalized_fiber_length: jax.Array, muscles: Params
) -> jax.Array:
    """Active force-length multiplier f_L (1): how much overlap leaves the fiber able to pull.

    A bell around optimal length: 1 at full overlap, fading smoothly on both sides.

    Args:
      normalized_fiber_length: `[muscle]` (1) fiber length over optimal fiber length.
      muscles: properties.

    Returns:
      `[muscle]` (1) in (0, 1].
    """
    away = normalized_fiber_length - 1
    return jnp.exp(-away * away / muscles.kshape_active)


def passive_force_multiplier(normalized_fiber_length: jax.Array, muscles: Params) -> jax.Array:
    """Passive force multiplier f_PE (1): zero up to optimal length, then exponential.

    # OpenSim differs: its exponential is not bounded; ours stops at an exponent of 50.

    Args:
      normalized_fiber_length: `[muscle]` (1).
      muscles: properties.
    """
    beyond = clip(normalized_fiber_length - 1, low=0.0)
    exponent = muscles.kshape_passive * beyond / muscles.fmax_muscle_strain
    grown = jnp.exp(clip(exponent, high=_LARGEST_EXPONENT)) - 1
    return grown / (jnp.exp(muscles.kshape_passive) - 1)


def _toe_strain(muscles: Params) -> jax.Array:
    """Tendon strain where the toe region ends."""
    e = math.exp(_TOE_SHAPE)
    return 99 * muscles.fmax_tendon_strain * e / (166 * e - 67)


def tendon_force_multiplier(tendon_strain: jax.Array, muscles: Params) -> jax.Array:
    """Tendon force multiplier f_SE (1): slack, then exponential toe, then linear.

    Args:
      tendon_strain: `[muscle]` (1) tendon length over slack length, minus 1.
      muscles: properties.
    """
    toe = _toe_strain(muscles)
    slope = 0.67 / (muscles.fmax_tendon_strain - toe)
    strain = clip(tendon_strain, 0.0, toe)
    beyond = jnp.where(tendon_strain > toe, tendon_strain - toe, 0.0)  # its slope counts once
    in_toe = _TOE_FORCE * (jnp.exp(_TOE_SHAPE * strain / toe) - 1) / (math.exp(_TOE_SHAPE) - 1)
    return in_toe + slope * beyond


def normalized_fiber_velocity(
    required: jax.Array, available: jax.Array, activation: jax.Array, muscles: Params
) -> jax.Array:
    """Normalised fiber velocity v_N (1): the speed at which the fiber bears the required force.

    Inverse of Thelen's force-velocity relation: hyperbolic while shortening and while lengthening,
    linear with the end slopes outside. Unbounded, as OpenSim's.

    Args:
      required: `[muscle]` (1) normalized active force F that equilibrium asks for.
      available: `[muscle]` (1) activation times active force-length multiplier, A.
      activation: `[muscle]` (1).
      muscles: properties.

    Returns:
      `[muscle]` (1) in units of max_contraction_velocity; positive when lengthening.
    """
    af, flen = muscles.af, muscles.flen
    # OpenSim differs: no floor there; a fiber without any overlap divides by zero.
    A = clip(available, low=_SMALLEST_ACTIVE_FORCE)
    F, last = required, muscles.fv_linear_extrap_threshold * flen
    # By a product: the derivative of a quotient by a divisor of 1e-12 overflows in float32, and
    # where the floor holds, infinity would meet zero.
    ratio = F * (1 / A)
    # One hyperbola (r − 1) / (α + β r) for shortening, one for lengthening. They meet at F = A with
    # different slopes; there OpenSim counts the fiber as shortening.
    lengthens, below, above = F > A, F < 0, F > last * A
    k = (2 + 2 / af) / (flen - 1)
    alpha = jnp.where(lengthens, k * flen, 1.0)
    beta = jnp.where(lengthens, -k, 1 / af)
    end = k * (flen - last)
    within = jnp.where(below, 0.0, jnp.where(above, last, ratio))
    slope = jnp.where(above, (1 + k * (last - 1) / end) / end, 1 + 1 / af)
    beyond = jnp.where(below | above, slope * (ratio - within), 0.0)
    hyperbola = (within - 1) / (alpha + beta * within)
    return (0.25 + 0.75 * activation) * (hyperbola + beyond)
