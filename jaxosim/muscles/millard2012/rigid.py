"""The three stages of a Millard2012EquilibriumMuscle whose tendon is rigid.

The path alone gives the fiber its length and speed, and the fiber's force is the tension. Where the
path leaves the fiber less than its minimal length, the tendon buckles and the muscle has no force.

Source: OpenSim `Millard2012EquilibriumMuscle`, `ignore_tendon_compliance`; see
docs/theory/muscles.md, "Millard's muscle".
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.activation import clipped_activation
from jaxosim.muscles.millard2012 import stages
from jaxosim.muscles.millard2012.bezier import curve_value
from jaxosim.muscles.millard2012.properties import Properties
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.muscles.pennation import length_beside_tendon


def realize_length(
    muscles: Properties, path_length: jax.Array, contraction: jax.Array
) -> MuscleLengthInfo:
    """Lengths, pennation and curve values; the tendon force multiplier is that of no strain, 0.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m) musculotendon length.
      contraction: `[muscle]`; without meaning.
    """
    fiber_length = length_beside_tendon(muscles, path_length, muscles.tendon_slack_length)
    length = stages.realize_length(muscles, path_length, fiber_length)
    nothing = jnp.zeros_like(path_length)
    return dataclasses.replace(length, tendon_force_multiplier=nothing)


def realize_fiber_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    contraction: jax.Array,
) -> FiberVelocityInfo:
    """Fiber velocity beside a tendon of constant length.

    Args:
      muscles: properties.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s) of the paths.
      activation: `[muscle]` (1) the state or the excitation.
      contraction: `[muscle]`; without meaning.
    """
    speed = lengthening_speed * length.cos_pennation_angle
    # Only a fiber at its minimum can leave the tendon slack; the strain of others is rounding.
    shortest = length.fiber_length <= stages.minimum_fiber_length(muscles)
    clamped = shortest & ((length.tendon_strain < 0) | (speed <= 0))
    speed = jnp.where(clamped, 0.0, speed)
    normalized = speed / (muscles.max_contraction_velocity * muscles.optimal_fiber_length)
    return FiberVelocityInfo(
        activation=clipped_activation(activation, muscles),
        fiber_velocity=speed,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=curve_value(muscles.force_velocity_curve, normalized),
        clamped=clamped.astype(normalized.dtype),
    )


def realize_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces and activation rates; a fiber does not push, so its damping force is bounded.

    Args:
      muscles: properties.
      length: position stage.
      velocity: velocity stage.
      activation: `[muscle]` (1) the state or the excitation.
      excitation: `[muscle]` (1).
    """
    forces = stages.realize_dynamics(muscles, length, velocity, activation, excitation)
    fiber = clip(forces.fiber_force, low=0.0)
    along = fiber * length.cos_pennation_angle
    return dataclasses.replace(
        forces,
        fiber_force=fiber,
        fiber_force_along_tendon=along,
        passive_fiber_force=fiber - forces.active_fiber_force,
        tendon_force=along,
    )
