"""The three stages of a Thelen2003Muscle, and its activation.

The fiber's speed is whatever makes fiber and tendon agree, so the tension of the moment depends on
path length and fiber length alone.

Source: Thelen (2003), J. Biomech. Eng. 125:70-77; OpenSim `Thelen2003Muscle`; see
docs/theory/muscles.md, "Lengths and pennation" and "Degenerate cases".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.muscles.activation import clipped_activation, first_order_rate
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.muscles.pennation import minimum_pennate_length, sine_and_cosine
from jaxosim.muscles.thelen2003.curves import (
    active_force_length_multiplier,
    normalized_fiber_velocity,
    passive_force_multiplier,
    tendon_force_multiplier,
)
from jaxosim.muscles.thelen2003.properties import Properties


def realize_length(
    muscles: Properties, path_length: jax.Array, fiber_length: jax.Array
) -> MuscleLengthInfo:
    """Lengths, pennation and curve values.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m) musculotendon length.
      fiber_length: `[muscle]` (m) the state; below the minimum it counts as the minimum.
    """
    length = clip(fiber_length, low=minimum_pennate_length(muscles))
    sine, cosine = sine_and_cosine(muscles, length)
    normalized = length / muscles.optimal_fiber_length
    along = length * cosine
    strain = (path_length - along - muscles.tendon_slack_length) / muscles.tendon_slack_length
    return MuscleLengthInfo(
        fiber_length=length,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(sine, cosine),
        cos_pennation_angle=cosine,
        sin_pennation_angle=sine,
        tendon_length=path_length - along,
        tendon_strain=strain,
        active_force_length_multiplier=active_force_length_multiplier(normalized, muscles),
        passive_force_multiplier=passive_force_multiplier(normalized, muscles),
        tendon_force_multiplier=tendon_force_multiplier(strain, muscles),
    )


def realize_fiber_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    fiber_length: jax.Array,
) -> FiberVelocityInfo:
    """Fiber velocity at which fiber and tendon carry the same force.

    A fiber at its minimal length that would shorten further is clamped: it stands still.

    Args:
      muscles: properties.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s) of the paths, on which it does not depend.
      activation: `[muscle]` (1) the state.
      fiber_length: `[muscle]` (m) the state, not clipped.
    """
    a = clipped_activation(activation, muscles)
    available = a * length.active_force_length_multiplier
    required = (
        length.tendon_force_multiplier / length.cos_pennation_angle
        - length.passive_force_multiplier
    )
    normalized = normalized_fiber_velocity(required, available, a, muscles)
    clamped = (fiber_length <= minimum_pennate_length(muscles)) & (normalized <= 0)
    normalized = jnp.where(clamped, 0.0, normalized)
    speed = normalized * muscles.max_contraction_velocity * muscles.optimal_fiber_length
    return FiberVelocityInfo(
        activation=a,
        fiber_velocity=speed,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=jnp.where(clamped, 1.0, safe_divide(required, available)),
        clamped=clamped.astype(normalized.dtype),
    )


def contraction_rate(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    lengthening_speed: jax.Array,
) -> jax.Array:
    """Rate of the fiber length (m/s): the fiber velocity."""
    return velocity.fiber_velocity


def realize_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces and activation rates.

    Args:
      muscles: properties.
      length: position stage.
      velocity: velocity stage.
      activation: `[muscle]` (1) the state.
      excitation: `[muscle]` (1).
    """
    strength = muscles.max_isometric_force
    moving = 1 - velocity.clamped
    active = (
        strength
        * velocity.activation
        * length.active_force_length_multiplier
        * velocity.force_velocity_multiplier
        * moving
    )
    passive = strength * length.passive_force_multiplier
    fiber = (active + passive) * moving
    return MuscleDynamicsInfo(
        fiber_force=fiber,
        fiber_force_along_tendon=fiber * length.cos_pennation_angle,
        active_fiber_force=active,
        passive_fiber_force=passive,
        tendon_force=strength * length.tendon_force_multiplier,
        activation_rate=activation_rate(muscles, activation, excitation),
    )


def activation_rate(muscles: Properties, activation: jax.Array, excitation: jax.Array) -> jax.Array:
    """Rate of activation (1/s), first order.

    Args:
      muscles: properties.
      activation: `[muscle]` (1) the state.
      excitation: `[muscle]` (1); used as it is, not clipped.
    """
    return first_order_rate(activation, excitation, muscles)
