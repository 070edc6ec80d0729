"""The three stages of a Millard2012EquilibriumMuscle, and its activation.

The fiber's speed is whatever makes fiber and tendon agree, so the tension of the moment depends on
path length and fiber length alone.

Source: Millard et al. (2013), J. Biomech. Eng. 135:021005; OpenSim `Millard2012EquilibriumMuscle`;
see docs/theory/muscles.md, "Millard's muscle".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.activation import clipped_activation, first_order_rate
from jaxosim.muscles.millard2012.bezier import balanced_point, curve_value
from jaxosim.muscles.millard2012.properties import Properties
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.muscles.pennation import minimum_pennate_length, sine_and_cosine

SIGNIFICANT = 2.220446049250313e-16 ** (7 / 8)  # Simbody's SignificantReal


def minimum_fiber_length(muscles: Properties) -> jax.Array:
    """Fiber length (m) at the largest pennation angle, or without overlap if that is longer."""
    no_overlap = muscles.active_force_length_curve[..., 0, 0, 0] * muscles.optimal_fiber_length
    return clip(clip(no_overlap, low=minimum_pennate_length(muscles)), low=SIGNIFICANT)


def realize_length(
    muscles: Properties, path_length: jax.Array, fiber_length: jax.Array
) -> MuscleLengthInfo:
    """Lengths, pennation and curve values.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m) musculotendon length.
      fiber_length: `[muscle]` (m) the state; below the minimum it counts as the minimum.
    """
    length = clip(fiber_length, low=minimum_fiber_length(muscles))
    sine, cosine = sine_and_cosine(muscles, length)
    normalized = length / muscles.optimal_fiber_length
    along = length * cosine
    slack = muscles.tendon_slack_length
    # OpenSim differs: it divides by 0 where a rigid tendon has no length; the stretch tells here.
    strain = (path_length - along - slack) / jnp.where(slack > 0, slack, 1.0)
    return MuscleLengthInfo(
        fiber_length=length,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(sine, cosine),
        cos_pennation_angle=cosine,
        sin_pennation_angle=sine,
        tendon_length=path_length - along,
        tendon_strain=strain,
        active_force_length_multiplier=curve_value(muscles.active_force_length_curve, normalized),
        passive_force_multiplier=curve_value(muscles.fiber_force_length_curve, normalized),
        tendon_force_multiplier=curve_value(muscles.tendon_force_length_curve, strain),
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

    # OpenSim differs: of a damped fiber it finds the velocity to a force error of 1e-10
    max_isometric_force only, and raises where its iteration does not end.

    Args:
      muscles: properties.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s) of the paths, on which it does not depend.
      activation: `[muscle]` (1) the state.
      fiber_length: `[muscle]` (m) the state, not clipped.
    """
    a = clipped_activation(activation, muscles)
    required = (
        length.tendon_force_multiplier / length.cos_pennation_angle
        - length.passive_force_multiplier
    )
    normalized, multiplier = balanced_point(
        muscles.force_velocity_curve,
        muscles.fiber_damping,
        a * length.active_force_length_multiplier,
        required,
    )
    clamped = (fiber_length <= minimum_fiber_length(muscles)) & (normalized <= 0)
    normalized = jnp.where(clamped, 0.0, normalized)
    speed = normalized * muscles.max_contraction_velocity * muscles.optimal_fiber_length
    return FiberVelocityInfo(
        activation=a,
        fiber_velocity=speed,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=jnp.where(clamped, 1.0, multiplier),
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
    pulling = strength * (1 - velocity.clamped)
    active = (
        pulling
        * velocity.activation
        * length.active_force_length_multiplier
        * velocity.force_velocity_multiplier
    )
    damping = muscles.fiber_damping * velocity.normalized_fiber_velocity
    passive = pulling * (length.passive_force_multiplier + damping)
    fiber = active + passive
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
