"""Properties of a Millard2012EquilibriumMuscle: what a file says, and as arrays.

Source: OpenSim `Millard2012EquilibriumMuscle`; see docs/theory/muscles.md, "Millard's muscle".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np

from jaxosim.models.lookup import columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.muscles.millard2012.curves import (
    ActiveForceLengthCurve,
    FiberForceLengthCurve,
    ForceVelocityCurve,
    TendonForceLengthCurve,
    read_curve,
)
from jaxosim.muscles.muscle import Expectation, MuscleParams, MuscleSpec, read_muscle
from jaxosim.pytree import array, pytree

TAGS = ("Millard2012EquilibriumMuscle",)
FIELD = "millard2012"

_LEAST_DAMPING = 0.001  # OpenSim takes a smaller coefficient for zero
_OPTIONS = ("ignore_tendon_compliance", "ignore_activation_dynamics")
# OpenSim clips an excitation that is the activation by the bound of a muscle without properties.
_LEAST_EXCITATION = 0.01


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A Millard2012EquilibriumMuscle of a file, with the defaults of OpenSim 4.6."""

    fiber_damping: float = 0.1
    activation_time_constant: float = 0.010
    deactivation_time_constant: float = 0.040
    maximum_pennation_angle: float = 1.4706289056333368
    min_control: float = 0.01
    active_force_length: ActiveForceLengthCurve = ActiveForceLengthCurve()
    fiber_force_length: FiberForceLengthCurve = FiberForceLengthCurve()
    tendon_force_length: TendonForceLengthCurve = TendonForceLengthCurve()
    force_velocity: ForceVelocityCurve = ForceVelocityCurve()

    @property
    def damped(self) -> bool:
        """Whether the fiber is damped."""
        return self.fiber_damping >= _LEAST_DAMPING

    @property
    def regular(self) -> bool:
        """Whether the active force may vanish, no velocity being a quotient by it."""
        return self.damped or self.ignore_tendon_compliance

    @property
    def active_force_length_curve(self) -> np.ndarray:
        """Control points as in Params; ValueError says what is wrong with the properties."""
        return self.active_force_length.points(self.regular)

    @property
    def fiber_force_length_curve(self) -> np.ndarray:
        """Control points as in Params; ValueError says what is wrong with the properties."""
        return self.fiber_force_length.points()

    @property
    def tendon_force_length_curve(self) -> np.ndarray:
        """Control points as in Params; ValueError says what is wrong with the properties."""
        return self.tendon_force_length.points()

    @property
    def force_velocity_curve(self) -> np.ndarray:
        """Control points as in Params; ValueError says what is wrong with the properties."""
        return self.force_velocity.points(self.regular)


_EXPECTATIONS: tuple[Expectation, ...] = (
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
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
    ("minimum_activation of at least 0 and below 1", lambda m: 0 <= m.minimum_activation < 1),
    (
        f"minimum_activation of at least 0.01 with fiber_damping below {_LEAST_DAMPING} and an "
        "elastic tendon",
        lambda m: m.regular or m.minimum_activation >= 0.01,
    ),
    ("min_control of at least minimum_activation", lambda m: m.min_control >= m.minimum_activation),
    # OpenSim differs: it loads these muscles, which then have no equilibrium.
    (
        "tendon_slack_length above 0, or 0 with a rigid tendon",
        lambda m: (
            m.tendon_slack_length > 0 or (m.ignore_tendon_compliance and m.tendon_slack_length == 0)
        ),
    ),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    # OpenSim differs: it draws the fiber velocity of a muscle without force at random.
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
    # OpenSim differs: a hundredth of optimal length is the shortest fiber then.
    ("maximum_pennation_angle above 0", lambda m: m.maximum_pennation_angle > 0),
)
# Curves, by their class: what makes their control points of a spec.
_CURVES: dict[str, Callable[[Spec], np.ndarray]] = {
    "ActiveForceLengthCurve": lambda m: m.active_force_length_curve,
    "FiberForceLengthCurve": lambda m: m.fiber_force_length_curve,
    "TendonForceLengthCurve": lambda m: m.tendon_force_length_curve,
    "ForceVelocityCurve": lambda m: m.force_velocity_curve,
}


@pytree
class Params:
    """Properties that only a Millard2012EquilibriumMuscle has.

    A curve is given by the control points of its segments, `[muscle, segment, 4, 2]`: (x, y) of the
    four different points of each. x is normalized fiber length, tendon strain, or normalized fiber
    velocity, y a multiple of max_isometric_force. Neighboring segments have their common point and
    the slope there in common.
    """

    activation_time_constant: jax.Array = array("millard2012", unit="s")
    deactivation_time_constant: jax.Array = array("millard2012", unit="s")
    maximum_pennation_angle: jax.Array = array("millard2012", unit="rad")
    fiber_damping: jax.Array = array("millard2012", unit="1")  # 0 without damping
    active_force_length_curve: jax.Array = array("millard2012", 5, 4, 2, unit="1")
    fiber_force_length_curve: jax.Array = array("millard2012", 2, 4, 2, unit="1")
    tendon_force_length_curve: jax.Array = array("millard2012", 2, 4, 2, unit="1")
    force_velocity_curve: jax.Array = array("millard2012", 4, 4, 2, unit="1")


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's Millard2012EquilibriumMuscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A Millard2012EquilibriumMuscle with its path and curves."""
    element = muscle.element
    assert element is not None
    spec = read_muscle(context, muscle, Spec, {}, _EXPECTATIONS, _OPTIONS)
    spec = replace(
        spec,
        fiber_damping=spec.fiber_damping if spec.damped else 0.0,
        minimum_activation=(
            _LEAST_EXCITATION if spec.ignore_activation_dynamics else spec.minimum_activation
        ),
        active_force_length=read_curve(context, element, ActiveForceLengthCurve),
        fiber_force_length=read_curve(context, element, FiberForceLengthCurve),
        tendon_force_length=read_curve(context, element, TendonForceLengthCurve),
        force_velocity=read_curve(context, element, ForceVelocityCurve),
    )
    for name, points in _CURVES.items():
        try:
            points(spec)
        except ValueError as error:
            raise element.error(f"{name}: {error}") from error
    return spec


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    return columns(Params, muscles)
