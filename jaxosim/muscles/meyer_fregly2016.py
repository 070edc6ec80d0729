"""MeyerFregly2016Muscle: smooth curves and a rigid tendon, with or without activation dynamics.

The tendon keeps its slack length and the fiber follows the path. Nothing is clipped, as in OpenSim:
fibers may push.

# OpenSim differs: the activation of a muscle that is switched off still changes; ours rests.

Source: Meyer, Eskinazi, Jackson, Rao, Patten, Fregly (2016), Front. Bioeng. Biotechnol. 4:77;
OpenSim `MeyerFregly2016Muscle`; see docs/theory/muscles.md, "MeyerFregly2016Muscle".
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.models.lookup import columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.muscles.activation import smooth_rate
from jaxosim.muscles.bells import sum_of_bells
from jaxosim.muscles.muscle import (
    OPTIONS,
    Expectation,
    FiberVelocityInfo,
    MuscleDynamicsInfo,
    MuscleLengthInfo,
    MuscleMode,
    MuscleParams,
    MuscleSpec,
    read_muscle,
)
from jaxosim.muscles.pennation import fiber_width
from jaxosim.pytree import array, pytree

TAGS = ("MeyerFregly2016Muscle",)
FIELD = "meyer_fregly2016"

# The active force-length curve's three bells: height, place, width, and slope of the width.
_BELLS = (
    (0.8174335195120225, 1.054348561163096, 0.16194288662761705, 0.06381565266097716),
    (0.43130780147182907, 0.7163004817144202, -0.029060905806803296, 0.19835014521987723),
    (0.1, 1.0, 0.353553390593274, 0.0),
)
_E0, _E1, _E2 = 0.232000797810576, 12.438535493526128, 1.329470475731338  # passive
_D0, _D1, _D2 = -32.51401019139919, 22.160392466960214, 18.7932134796918  # force-velocity
_D3, _D4, _D5 = 6.320952269683997, -0.27671677680513945, 8.053304562566995
_LARGEST_EXPONENT = 50.0  # beyond which ln(1 + exp(x)) is x
_SMALLEST = 1e-9  # of normalized lengths

_EXPECTATIONS: tuple[Expectation, ...] = (
    ("activation_time_constant above 0", lambda m: m.activation_time_constant > 0),
    ("deactivation_time_constant above 0", lambda m: m.deactivation_time_constant > 0),
    ("default_activation above 0", lambda m: m.default_activation > 0),
    ("active_force_width_scale of at least 1", lambda m: m.active_force_width_scale >= 1),
    ("fiber_damping of at least 0", lambda m: m.fiber_damping >= 0),
    ("activation_dynamics_smoothing above 0", lambda m: m.activation_dynamics_smoothing > 0),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
    # OpenSim differs: it loads these muscles, whose forces are not finite or push always then.
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    ("tendon_slack_length of at least 0", lambda m: m.tendon_slack_length >= 0),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
)


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A MeyerFregly2016Muscle of a file, with the defaults of OpenSim 4.6."""

    default_activation: float = 0.5
    activation_time_constant: float = 0.015
    deactivation_time_constant: float = 0.060
    activation_dynamics_smoothing: float = 0.1
    active_force_width_scale: float = 1.0
    fiber_damping: float = 0.0
    ignore_passive_fiber_force: bool = False


@pytree
class Params:
    """Properties that only a MeyerFregly2016Muscle has, named as in the file."""

    activation_time_constant: jax.Array = array("meyer_fregly2016", unit="s")
    deactivation_time_constant: jax.Array = array("meyer_fregly2016", unit="s")
    activation_dynamics_smoothing: jax.Array = array("meyer_fregly2016", unit="1")
    active_force_width_scale: jax.Array = array("meyer_fregly2016", unit="1")
    fiber_damping: jax.Array = array("meyer_fregly2016", unit="1")
    ignore_passive_fiber_force: jax.Array = array("meyer_fregly2016", unit="1")  # 1 or 0


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's MeyerFregly2016Muscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A MeyerFregly2016Muscle with its path; OpenSim sets `ignore_tendon_compliance` by itself."""
    spec = read_muscle(context, muscle, Spec, {}, _EXPECTATIONS, OPTIONS)
    return dataclasses.replace(spec, ignore_tendon_compliance=True)


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    return columns(Params, muscles)


def active_force_length_multiplier(length: jax.Array, muscles: Params) -> jax.Array:
    """Active force-length multiplier (1) of normalized fiber lengths `[muscle]`."""
    return sum_of_bells(length, muscles.active_force_width_scale, _BELLS)


def passive_force_multiplier(length: jax.Array, muscles: Params) -> jax.Array:
    """Passive force multiplier (1) of normalized fiber lengths `[muscle]`, e₀ ln(1 + exp(x))."""
    x = _E1 * (length - _E2)
    bounded = clip(x, high=_LARGEST_EXPONENT)
    grown = jnp.log(1 + jnp.exp(bounded)) + (x - bounded)
    return (1 - muscles.ignore_passive_fiber_force) * _E0 * grown


def force_velocity_multiplier(velocity: jax.Array) -> jax.Array:
    """Force-velocity multiplier (1) of normalized fiber velocities `[muscle]`."""
    return _D0 + _D1 * jnp.arctan(_D2 + _D3 * jnp.arctan(_D4 + _D5 * velocity))


def realize_length(
    muscles: Properties, path_length: jax.Array, contraction: jax.Array
) -> MuscleLengthInfo:
    """Position stage.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m); on one shorter than the tendon the fiber points backwards.
      contraction: `[muscle]`; without meaning.
    """
    optimal, width = muscles.optimal_fiber_length, fiber_width(muscles)
    along = path_length - muscles.tendon_slack_length
    # A fiber of no length keeps finite derivatives.
    length = jnp.sqrt(clip(along * along + width * width, low=(_SMALLEST * optimal) ** 2))
    normalized, zero = length / optimal, jnp.zeros_like(path_length)
    return MuscleLengthInfo(
        fiber_length=length,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(width, clip(jnp.abs(along), low=_SMALLEST * optimal)),
        cos_pennation_angle=along / length,
        sin_pennation_angle=width / length,
        tendon_length=muscles.tendon_slack_length + zero,
        tendon_strain=zero,
        active_force_length_multiplier=active_force_length_multiplier(normalized, muscles),
        passive_force_multiplier=passive_force_multiplier(normalized, muscles),
        tendon_force_multiplier=zero,
    )


def realize_fiber_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    contraction: jax.Array,
) -> FiberVelocityInfo:
    """The fiber's share of the lengthening speed `[muscle]` (m/s), all of which is its own."""
    velocity = lengthening_speed * length.cos_pennation_angle
    fastest = muscles.max_contraction_velocity * muscles.optimal_fiber_length
    normalized = velocity / fastest
    return FiberVelocityInfo(
        activation=activation,
        fiber_velocity=velocity,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=force_velocity_multiplier(normalized),
        clamped=jnp.zeros_like(normalized),
    )


def realize_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces, all `[muscle]`, and activation rates; the tension may push."""
    strength = muscles.max_isometric_force
    overlap, multiplier = length.active_force_length_multiplier, velocity.force_velocity_multiplier
    active = strength * (activation * overlap * multiplier)
    damping = muscles.fiber_damping * velocity.normalized_fiber_velocity
    passive = strength * (length.passive_force_multiplier + damping)
    along = (active + passive) * length.cos_pennation_angle
    return MuscleDynamicsInfo(
        fiber_force=active + passive,
        fiber_force_along_tendon=along,
        active_fiber_force=active,
        passive_fiber_force=passive,
        tendon_force=along,
        activation_rate=activation_rate(muscles, activation, excitation),
    )


def activation_rate(muscles: Properties, activation: jax.Array, excitation: jax.Array) -> jax.Array:
    """Rate of activation (1/s), with a smooth passage from one time constant to the other.

    Args:
      muscles: properties.
      activation: `[muscle]` (1) the state, not clipped.
      excitation: `[muscle]` (1), not clipped.
    """
    return smooth_rate(activation, excitation, muscles)


RIGID = MuscleMode(
    contraction_state=None,
    realize_length=realize_length,
    realize_fiber_velocity=realize_fiber_velocity,
    realize_dynamics=realize_dynamics,
)
MODES = (RIGID,)


def mode_of(muscle: Spec) -> MuscleMode:
    """All of them have rigid tendons."""
    return RIGID
