"""RigidTendonMuscle: no states, curves by splines, and the excitation as activation.

The tendon keeps its length, and the fiber takes the rest of the path.

Source: OpenSim `RigidTendonMuscle`; see docs/theory/muscles.md, "RigidTendonMuscle".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
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
from jaxosim.muscles.spline_curves import (
    Spline,
    SplineParams,
    build_splines,
    evaluate_splines,
    read_spline,
)
from jaxosim.pytree import pytree

TAGS = ("RigidTendonMuscle",)
FIELD = "rigid_tendon"

# The curves of OpenSim 4.6 for a file that gives none.
# fmt: off
ACTIVE = Spline(
    (-5.307692, -4.307692, -1.923077, -0.884615, -0.269231, 0.230769, 0.461538, 0.52725, 0.62875,
     0.71875, 0.86125, 1.045, 1.2175, 1.43875, 1.5, 1.615385, 2.0, 2.961538, 3.692308, 5.461538,
     9.901902),
    (0.012188, 0.021899, 0.036466, 0.052493, 0.075312, 0.114158, 0.157859, 0.226667, 0.636667,
     0.856667, 0.95, 0.993333, 0.77, 0.246667, 0.193821, 0.133252, 0.072683, 0.044417, 0.036341,
     0.021899, 0.007332),
)
PASSIVE = Spline(
    (-5.0, 0.998, 0.999, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.601, 1.602, 5.0),
    (0.0, 0.0, 0.0, 0.0, 0.035, 0.12, 0.26, 0.55, 1.17, 2.0, 2.0, 2.0, 2.0),
)
VELOCITY = Spline(
    (-1.001, *(i / 20 for i in range(-20, 21))),
    (0.0, 0.0, 0.010417, 0.021739, 0.034091, 0.047619, 0.0625, 0.078947, 0.097222, 0.117647,
     0.140625, 0.166667, 0.196429, 0.230769, 0.270833, 0.318182, 0.375, 0.444444, 0.53125, 0.642857,
     0.791667, 1.0, 1.482014, 1.601571, 1.655791, 1.686739, 1.706751, 1.720753, 1.731099, 1.739055,
     1.745365, 1.75049, 1.754736, 1.758312, 1.761364, 1.763999, 1.766298, 1.768321, 1.770115,
     1.771717, 1.773155, 1.774455),
)
# fmt: on
_LARGEST_PASSIVE = 10.0
_NARROW = math.sqrt(float(np.finfo(float).eps))  # (m) width below which there is no pennation

_EXPECTATIONS: tuple[Expectation, ...] = (
    # OpenSim differs: it loads these muscles, whose forces are not finite then.
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    ("tendon_slack_length of at least 0", lambda m: m.tendon_slack_length >= 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
)


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A RigidTendonMuscle of a file, with the defaults of OpenSim 4.6."""

    active: Spline = ACTIVE
    passive: Spline = PASSIVE
    velocity: Spline = VELOCITY


@pytree
class Params:
    """Properties that only a RigidTendonMuscle has, named as in the file."""

    active_force_length_curve: SplineParams = dataclasses.field()
    passive_force_length_curve: SplineParams = dataclasses.field()
    force_velocity_curve: SplineParams = dataclasses.field()


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's RigidTendonMuscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A RigidTendonMuscle with its path; the options of OpenSim's Muscle make no difference."""
    element = muscle.element
    assert element is not None
    spec = read_muscle(context, muscle, Spec, {}, _EXPECTATIONS, OPTIONS)
    return dataclasses.replace(
        spec,
        ignore_tendon_compliance=True,
        ignore_activation_dynamics=True,
        default_activation=0.0,
        default_fiber_length=0.0,
        active=read_spline(context, element, "active_force_length_curve", ACTIVE),
        passive=read_spline(context, element, "passive_force_length_curve", PASSIVE),
        velocity=read_spline(context, element, "force_velocity_curve", VELOCITY),
    )


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    return Params(
        active_force_length_curve=build_splines([m.active for m in muscles]),
        passive_force_length_curve=build_splines([m.passive for m in muscles]),
        force_velocity_curve=build_splines([m.velocity for m in muscles]),
    )


def realize_length(
    muscles: Properties, path_length: jax.Array, contraction: jax.Array
) -> MuscleLengthInfo:
    """Lengths, pennation and curve values; the tendon force multiplier is that of no strain, 0.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m); on a path shorter than the tendon the fiber is as long as wide.
      contraction: `[muscle]`; without meaning.
    """
    optimal = muscles.optimal_fiber_length
    along = clip(path_length - muscles.tendon_slack_length, low=0.0)
    width = fiber_width(muscles)
    pennate = width > _NARROW
    squared = jnp.where(pennate, along * along + width * width, 1.0)
    fiber = jnp.where(pennate, jnp.sqrt(squared), along)
    cosine = jnp.where(pennate, safe_divide(along, fiber), 1.0)
    sine = jnp.where(pennate, safe_divide(width, fiber), 0.0)
    normalized = fiber / optimal
    passive = evaluate_splines(muscles.passive_force_length_curve, normalized)
    nothing = jnp.zeros_like(path_length)
    return MuscleLengthInfo(
        fiber_length=fiber,
        normalized_fiber_length=normalized,
        pennation_angle=jnp.arctan2(sine, cosine),
        cos_pennation_angle=cosine,
        sin_pennation_angle=sine,
        tendon_length=nothing + muscles.tendon_slack_length,
        tendon_strain=nothing,
        active_force_length_multiplier=evaluate_splines(
            muscles.active_force_length_curve, normalized
        ),
        passive_force_multiplier=clip(clip(passive, low=0.0), high=_LARGEST_PASSIVE),
        tendon_force_multiplier=nothing,
    )


def realize_fiber_velocity(
    muscles: Properties,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    contraction: jax.Array,
) -> FiberVelocityInfo:
    """Fiber velocity: as in OpenSim the lengthening speed of the path, whatever the pennation.

    Args:
      muscles: properties.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s) of the paths.
      activation: `[muscle]` (1) the excitation, not clipped.
      contraction: `[muscle]`; without meaning.
    """
    fastest = muscles.max_contraction_velocity * muscles.optimal_fiber_length
    normalized = lengthening_speed / fastest
    return FiberVelocityInfo(
        activation=activation,
        fiber_velocity=lengthening_speed,
        normalized_fiber_velocity=normalized,
        force_velocity_multiplier=evaluate_splines(muscles.force_velocity_curve, normalized),
        clamped=jnp.zeros_like(normalized),
    )


def realize_dynamics(
    muscles: Properties,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Forces, all `[muscle]`; nothing keeps the muscle from pushing."""
    strength = muscles.max_isometric_force
    active = strength * activation * length.active_force_length_multiplier
    active = active * velocity.force_velocity_multiplier
    passive = strength * length.passive_force_multiplier
    fiber = active + passive
    along = fiber * length.cos_pennation_angle
    return MuscleDynamicsInfo(
        fiber_force=fiber,
        fiber_force_along_tendon=along,
        active_fiber_force=active,
        passive_fiber_force=passive,
        tendon_force=along,
        activation_rate=activation_rate(muscles, activation, excitation),
    )


def activation_rate(muscles: Properties, activation: jax.Array, excitation: jax.Array) -> jax.Array:
    """Zero: activation is no state."""
    return jnp.zeros_like(activation)


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
