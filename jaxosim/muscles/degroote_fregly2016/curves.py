"""Force curves of De Groote and Fregly, all of them smooth.

Elementwise in `[muscle]` arrays; arguments are bounded where a value would overflow.

Source: De Groote, Kinney, Rao, Fregly (2016), Ann. Biomed. Eng. 44:2922-2936; OpenSim
`DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

import math

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.bells import sum_of_bells
from jaxosim.muscles.degroote_fregly2016.properties import Params

# The active force-length curve's three bells: height, place, width, and slope of the width.
_BELLS = (
    (0.8150671134243542, 1.055033428970575, 0.162384573599574, 0.063303448465465),
    (0.433004984392647, 0.716775413397760, -0.029947116970696, 0.200356847296188),
    (0.1, 1.0, 0.353553390593274, 0.0),
)
_PASSIVE_SHAPE = 4.0
_LEAST_LENGTH, PUSH = 0.2, 0.2  # normalized: zero of the passive curve; most a tendon could push
_D1, _D2, _D3, _D4 = -0.3211346127989808, -8.149, -0.374, 0.8825327733249912  # force-velocity
_LARGEST_EXPONENT = 50.0  # force or velocity there is beyond any meaning, but finite in float32
SMALLEST = 1e-9  # floor of normalized lengths, of activation · overlap, of tendon force + _PUSH


def active_force_length_multiplier(length: jax.Array, muscles: Params) -> jax.Array:
    """Active force-length multiplier (1) of normalized fiber lengths `[muscle]`."""
    return sum_of_bells(length, muscles.active_force_width_scale, _BELLS)


def passive_force_multiplier(length: jax.Array, muscles: Params) -> jax.Array:
    """Passive force multiplier (1) of normalized fiber lengths `[muscle]`, negative below 0.2.

    # OpenSim differs: its exponential is not bounded; ours stops at an exponent of 50.
    """
    shape = _PASSIVE_SHAPE / muscles.passive_fiber_strain_at_one_norm_force
    offset = jnp.exp(shape * (_LEAST_LENGTH - 1))
    grown = jnp.exp(clip(shape * (length - 1), high=_LARGEST_EXPONENT)) - offset
    return (1 - muscles.ignore_passive_fiber_force) * grown / (math.exp(_PASSIVE_SHAPE) - offset)


def force_velocity_multiplier(velocity: jax.Array) -> jax.Array:
    """Force-velocity multiplier (1) of normalized fiber velocities `[muscle]`."""
    return _D1 * jnp.arcsinh(_D2 * velocity + _D3) + _D4


def normalized_fiber_velocity(multiplier: jax.Array) -> jax.Array:
    """Normalized fiber velocity (1) at which the force-velocity multiplier `[muscle]` is reached.

    # OpenSim differs: its hyperbolic sine may be infinite; ours stops at an argument of 50.
    """
    argument = clip((multiplier - _D4) / _D1, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    return (jnp.sinh(argument) - _D3) / _D2


def tendon_stiffness(muscles: Params) -> jax.Array:
    """Exponent of the tendon's curve, 0.2 exp(k strain) − 0.2."""
    return math.log((1 + PUSH) / PUSH) / muscles.tendon_strain_at_one_norm_force


def tendon_strain(muscles: Params, tendon_force: jax.Array) -> jax.Array:
    """Strain (1) at a normalized tendon force `[muscle]`.

    # OpenSim differs: not a number at −0.2 and below, which no tendon reaches.
    """
    force = clip(tendon_force + PUSH, low=SMALLEST)
    return jnp.log(force / PUSH) / tendon_stiffness(muscles)
