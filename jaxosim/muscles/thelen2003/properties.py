"""Properties of a Thelen2003Muscle: what a file says, and as arrays.

Source: OpenSim `Thelen2003Muscle`; see docs/theory/muscles.md, "Parameters".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax

from jaxosim.models.lookup import columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.muscles.muscle import Expectation, MuscleParams, MuscleSpec, read_muscle
from jaxosim.pytree import array, pytree

TAGS = ("Thelen2003Muscle",)
FIELD = "thelen2003"

# Properties with a tag other than the field of the spec.
PROPERTY_TAGS = {
    "fmax_tendon_strain": "FmaxTendonStrain",
    "fmax_muscle_strain": "FmaxMuscleStrain",
    "kshape_active": "KshapeActive",
    "kshape_passive": "KshapePassive",
    "af": "Af",
    "flen": "Flen",
}

_EXPECTATIONS: tuple[Expectation, ...] = (
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    ("FmaxTendonStrain above 0", lambda m: m.fmax_tendon_strain > 0),
    ("FmaxMuscleStrain above 0", lambda m: m.fmax_muscle_strain > 0),
    ("KshapeActive above 0", lambda m: m.kshape_active > 0),
    ("KshapePassive above 0", lambda m: m.kshape_passive > 0),
    ("Af above 0", lambda m: m.af > 0),
    ("Flen above 1", lambda m: m.flen > 1),
    (
        "fv_linear_extrap_threshold above 1/Flen",
        lambda m: m.fv_linear_extrap_threshold * m.flen > 1,
    ),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
    (
        "maximum_pennation_angle between 0 and π/2",
        lambda m: 0 <= m.maximum_pennation_angle <= math.pi / 2,
    ),
    ("activation_time_constant above 0", lambda m: m.activation_time_constant > 0),
    ("deactivation_time_constant above 0", lambda m: m.deactivation_time_constant > 0),
    ("minimum_activation of at least 0.01 and below 1", lambda m: 0.01 <= m.minimum_activation < 1),
    ("min_control of at least minimum_activation", lambda m: m.min_control >= m.minimum_activation),
    # OpenSim differs: it loads these muscles, which then have no equilibrium.
    ("tendon_slack_length above 0", lambda m: m.tendon_slack_length > 0),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
    ("fv_linear_extrap_threshold below 1", lambda m: m.fv_linear_extrap_threshold < 1),
    # OpenSim differs: a hundredth of optimal length is the shortest fiber then.
    ("maximum_pennation_angle above 0", lambda m: m.maximum_pennation_angle > 0),
)


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A Thelen2003Muscle of a file, with the defaults of OpenSim 4.6."""

    activation_time_constant: float = 0.015
    deactivation_time_constant: float = 0.050
    fmax_tendon_strain: float = 0.04
    fmax_muscle_strain: float = 0.6
    kshape_active: float = 0.45
    kshape_passive: float = 5.0
    af: float = 0.25
    flen: float = 1.4
    fv_linear_extrap_threshold: float = 0.95
    maximum_pennation_angle: float = 1.4706289056333368
    min_control: float = 0.01


@pytree
class Params:
    """Properties that only a Thelen2003Muscle has, named as in the file."""

    activation_time_constant: jax.Array = array("thelen2003", unit="s")
    deactivation_time_constant: jax.Array = array("thelen2003", unit="s")
    fmax_tendon_strain: jax.Array = array("thelen2003", unit="1")
    fmax_muscle_strain: jax.Array = array("thelen2003", unit="1")
    kshape_active: jax.Array = array("thelen2003", unit="1")
    kshape_passive: jax.Array = array("thelen2003", unit="1")
    af: jax.Array = array("thelen2003", unit="1")
    flen: jax.Array = array("thelen2003", unit="1")
    fv_linear_extrap_threshold: jax.Array = array("thelen2003", unit="1")
    maximum_pennation_angle: jax.Array = array("thelen2003", unit="rad")


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's Thelen2003Muscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A Thelen2003Muscle with its path."""
    return read_muscle(context, muscle, Spec, PROPERTY_TAGS, _EXPECTATIONS)


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    return columns(Params, muscles)
