"""The three stages of a DeGrooteFregly2016Muscle, with an elastic and with a rigid tendon.

Source: OpenSim `DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.muscles.activation import smooth_rate
from jaxosim.muscles.degroote_fregly2016.curves import (
    PUSH,
    SMALLEST,
    active_force_length_multiplier,
    force_velocity_multiplier,
    normalized_fiber_velocity,
    passive_force_multiplier,
    tendon_stiffness,
    tendon_strain,
)
from jaxosim.muscles.degroote_fregly2016.properties import Properties
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.muscles.pennation import fiber_width


def _lengths(
    muscles: Properties, path_length: jax.Array, strain: jax.Array, tendon_force: jax.Array
) -> MuscleLengthInfo:
    """Position stage at given tendon strains; a fiber of no length keeps finite derivatives."""
    optimal = muscles.optimal_fiber_length
    width = fiber_width(muscles)
    tendon = muscles.tendon_slack_length * (1 + strain)
    along = path_length - tendon
    length = jnp.sqrt(clip(along * along + width * width, low=(SMALLEST * optimal) ** 2))
    cosine, sine = along / length, width / length
    normalized = length / optimal
    return MuscleLengthInfo(
        fiber_length=length,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(width, clip(jnp.abs(along), low=SMALLEST * optimal)),
        cos_pennation_angle=cosine,
        sin_pennation_angle=sine,
        tendon_length=tendon,
        tendon_strain=strain,
        active_force_length_multiplier=active_force_length_multiplier(normalized, muscles),
        passive_force_multiplier=passive_force_multiplier(normalized, muscles),
        tendon_force_multiplier=tendon_force,
    )


def elastic_length(
    muscles: Properties, path_length: jax.Array, tendon_force: jax.Array
) -> MuscleLengthInfo:
    """Position stage, from path lengths (m) and normalized tendon forces (1), `[muscle]`."""
    return _lengths(muscles, path_length, tendon_strain(muscles, tendon_force), tendon_force)


def rigid_length(
    muscles: Properties, path_length: jax.Array, contraction: jax.Array
) -> MuscleLengthInfo:
    """Position stage of muscles whose tendons keep their slack length; their force comes later."""
    zero = jnp.zeros_like(path_length)
    return _lengths(muscles, path_length, zero, zero)


def elastic_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    tendon_force: jax.Array,
) -> FiberVelocityInfo:
    """Fiber velocity at which the fiber carries the tendon's force, damping left aside.

    # OpenSim differs: without activation or overlap it divides by zero.
    """
    available = activation * length.active_force_length_multiplier
    size = clip(jnp.abs(available), low=SMALLEST)
    required = safe_divide(tendon_force, length.cos_pennation_angle)
    required = required - length.passive_force_multiplier
    multiplier = required * jnp.where(available < 0, -1 / size, 1 / size)
    return _velocities(muscles, normalized_fiber_velocity(multiplier), multiplier, activation)


def rigid_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    contraction: jax.Array,
) -> FiberVelocityInfo:
    """The fiber's share of the lengthening speed `[muscle]` (m/s), all of which is its own."""
    fastest = muscles.max_contraction_velocity * muscles.optimal_fiber_length
    normalized = lengthening_speed * length.cos_pennation_angle / fastest
    return _velocities(muscles, normalized, force_velocity_multiplier(normalized), activation)


def _velocities(
    muscles: Properties, normalized: jax.Array, multiplier: jax.Array, activation: jax.Array
) -> FiberVelocityInfo:
    fastest = muscles.max_contraction_velocity * muscles.optimal_fiber_length
    return FiberVelocityInfo(
        activation=activation,
        fiber_velocity=normalized * fastest,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=multiplier,
        clamped=jnp.zeros_like(normalized),
    )


def tendon_force_rate(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    lengthening_speed: jax.Array,
) -> jax.Array:
    """Rate of the normalized tendon force (1/s): the tendon takes what the fiber leaves."""
    of_fiber = safe_divide(velocity.fiber_velocity, length.cos_pennation_angle)
    strain_rate = (lengthening_speed - of_fiber) / muscles.tendon_slack_length
    force = clip(length.tendon_force_multiplier + PUSH, low=SMALLEST)
    return strain_rate * tendon_stiffness(muscles) * force


def elastic_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces of muscles whose tension is the state's, and activation rates."""
    tension = muscles.max_isometric_force * length.tendon_force_multiplier
    return _forces(muscles, length, velocity, activation, excitation, tension)


def rigid_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces of muscles whose tension is the fiber's force along the tendon; it may push."""
    return _forces(muscles, length, velocity, activation, excitation, None)


def _forces(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
    tension: jax.Array | None,
) -> MuscleDynamicsInfo:
    strength = muscles.max_isometric_force
    overlap, multiplier = length.active_force_length_multiplier, velocity.force_velocity_multiplier
    active = strength * (activation * overlap * multiplier)
    damping = muscles.fiber_damping * velocity.normalized_fiber_velocity
    passive = strength * length.passive_force_multiplier + strength * damping
    along = (active + passive) * length.cos_pennation_angle
    return MuscleDynamicsInfo(
        fiber_force=active + passive,
        fiber_force_along_tendon=along,
        active_fiber_force=active,
        passive_fiber_force=passive,
        tendon_force=along if tension is None else tension,
        activation_rate=activation_rate(muscles, activation, excitation),
    )


def activation_rate(muscles: Properties, activation: jax.Array, excitation: jax.Array) -> jax.Array:
    """Rate of activation (1/s), with a smooth passage from one time constant to the other.

    # OpenSim differs: the constants are those of the first such muscle evaluated in its process.

    Args:
      muscles: properties.
      activation: `[muscle]` (1) the state, not clipped.
      excitation: `[muscle]` (1), not clipped.
    """
    return smooth_rate(activation, excitation, muscles)
