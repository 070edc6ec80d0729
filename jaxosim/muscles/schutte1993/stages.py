"""The three stages of a Schutte1993Muscle_Deprecated, its curves and its activation.

Source: OpenSim `Schutte1993Muscle_Deprecated`; see docs/theory/muscles.md,
"Schutte1993Muscle_Deprecated".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.muscles.muscle import FiberVelocityInfo, MuscleDynamicsInfo, MuscleLengthInfo
from jaxosim.muscles.pennation import fiber_width
from jaxosim.muscles.schutte1993.properties import Properties
from jaxosim.muscles.spline_curves import evaluate_splines

_KV, _SLOPE, _LARGEST_FORCE = 0.15, 0.13, 1.4  # of the force-velocity relation
_ROUNDOFF = 2e-13  # OpenSim's: cosines and forces below it count as zero
_LARGEST_EXPONENT = 50.0


def active_multiplier(muscles: Properties, length: jax.Array) -> jax.Array:
    """Active force-length multiplier (1) of normalized lengths `[muscle]`, as the curve has it."""
    return evaluate_splines(muscles.active_force_length_curve, length)


def passive_multiplier(muscles: Properties, length: jax.Array) -> jax.Array:
    """Passive force multiplier (1): the file's curve, or an exponential if it gives none.

    # OpenSim differs: its exponential is not bounded; ours stops at an exponent of 50.
    """
    curve = evaluate_splines(muscles.passive_force_length_curve, length)
    grown = jnp.exp(clip(8.0 * (length - 1.0) - 4.0, high=_LARGEST_EXPONENT))
    return jnp.where(muscles.has_passive_curve > 0, curve, grown)


def tendon_multiplier(muscles: Properties, strain: jax.Array) -> jax.Array:
    """Tendon force multiplier (1) at strains `[muscle]`: zero where slack."""
    curve = evaluate_splines(muscles.tendon_force_length_curve, strain)
    return jnp.where(strain < 0, 0.0, curve)


def sine_of_pennation(muscles: Properties, fiber_length: jax.Array) -> jax.Array:
    """Sine of the pennation angle (1): 1 for a fiber no longer than the muscle is wide."""
    positive = fiber_length > 0
    sine = jnp.where(positive, fiber_width(muscles) / jnp.where(positive, fiber_length, 1.0), 0.0)
    return clip(sine, high=1.0)


def cosine(sine: jax.Array) -> jax.Array:
    """Cosine (1) of an angle from 0 to a right one, where its derivative counts as zero."""
    squared = (1 - sine) * (1 + sine)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def realize_length(
    muscles: Properties, path_length: jax.Array, fiber_length: jax.Array
) -> MuscleLengthInfo:
    """Lengths, pennation and curve values, from path and fiber lengths `[muscle]` (m)."""
    sine = sine_of_pennation(muscles, fiber_length)
    cos = cosine(sine)
    normalized = fiber_length / muscles.optimal_fiber_length
    tendon = path_length - fiber_length * cos
    strain = (tendon - muscles.tendon_slack_length) / muscles.tendon_slack_length
    return MuscleLengthInfo(
        fiber_length=fiber_length,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(sine, cos),
        cos_pennation_angle=cos,
        sin_pennation_angle=sine,
        tendon_length=tendon,
        tendon_strain=strain,
        active_force_length_multiplier=active_multiplier(muscles, normalized),
        passive_force_multiplier=passive_multiplier(muscles, normalized),
        tendon_force_multiplier=tendon_multiplier(muscles, strain),
    )


def realize_fiber_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    fiber_length: jax.Array,
) -> FiberVelocityInfo:
    """Fiber velocity at which fiber and tendon carry the same force.

    Args:
      muscles: properties.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s): a fiber across its tendon follows the path if pulled.
      activation: `[muscle]` (1) the state, not clipped.
      fiber_length: `[muscle]` (m) the state.
    """
    pulled, across = length.tendon_force_multiplier, length.cos_pennation_angle <= _ROUNDOFF
    required = (
        pulled / jnp.where(across, 1.0, length.cos_pennation_angle)
        - length.passive_force_multiplier
    )
    required = clip(required, low=0.0)
    available = activation * clip(length.active_force_length_multiplier, low=0.0)
    fiber = _normalized_velocity(muscles, required, available)
    fiber = fiber * muscles.optimal_fiber_length / muscles.time_scale
    follows = jnp.where(pulled <= _ROUNDOFF, 0.0, lengthening_speed * _next_cosine(muscles, length))
    speed = jnp.where(across, follows, fiber)
    # OpenSim differs: not finite where max_contraction_velocity, which has no effect, is zero.
    fastest = muscles.max_contraction_velocity * muscles.optimal_fiber_length
    return FiberVelocityInfo(
        activation=activation,
        fiber_velocity=speed,
        normalized_fiber_velocity=safe_divide(speed, fastest),
        force_velocity_multiplier=safe_divide(required, available),
        clamped=jnp.zeros_like(speed),
    )


def _normalized_velocity(
    muscles: Properties, required: jax.Array, available: jax.Array
) -> jax.Array:
    """Fiber velocity (1) in optimal lengths per time scale, from required and isometric force."""
    shortens, damping = required < available, muscles.damping
    missing = required - available
    c = jnp.where(shortens, _KV, -_SLOPE * _KV / (_KV + 1)) * missing / damping
    b = jnp.where(
        shortens,
        -(required + _KV * (available + damping)) / damping,
        -(required - _LARGEST_FORCE * available) / damping + _SLOPE * _KV / (_KV + 1),
    )
    root = jnp.sqrt(clip(b * b - 4 * c, low=1e-300 if b.dtype == jnp.float64 else 1e-30))
    return (-b + jnp.where(shortens, -root, root)) / 2


def _next_cosine(muscles: Properties, length: MuscleLengthInfo) -> jax.Array:
    """Cosine (1) for a fiber that OpenSim estimates for a stiff tendon, in its mixed units."""
    optimal = muscles.optimal_fiber_length
    h = length.tendon_length / optimal - muscles.tendon_slack_length  # path length: cosine is 0
    width = fiber_width(muscles)
    squared = clip(h * h + width**2, low=1e-30)
    sine = clip(width / jnp.sqrt(squared), high=1.0)
    return cosine(sine)


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
    """Forces, those of the fiber from the tendon's, and activation rates.

    # OpenSim differs: the force of a fiber across its tendon is not finite; ours is zero.
    """
    tension = muscles.max_isometric_force * length.tendon_force_multiplier
    fiber = safe_divide(tension, length.cos_pennation_angle)
    passive = muscles.max_isometric_force * length.passive_force_multiplier
    return MuscleDynamicsInfo(
        fiber_force=fiber,
        fiber_force_along_tendon=fiber * length.cos_pennation_angle,
        active_fiber_force=fiber - passive,
        passive_fiber_force=passive,
        tendon_force=tension,
        activation_rate=activation_rate(muscles, activation, excitation),
    )


def activation_rate(muscles: Properties, activation: jax.Array, excitation: jax.Array) -> jax.Array:
    """Rate of activation (1/s), faster up than down; nothing is clipped, all `[muscle]`."""
    missing = excitation - activation
    rising = jnp.where(missing >= 0, muscles.activation1 * excitation, 0.0)
    return missing * (rising + muscles.activation2) / muscles.time_scale
