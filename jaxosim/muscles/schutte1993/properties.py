"""Properties of a Schutte1993Muscle_Deprecated: what a file says, and as arrays.

Source: OpenSim `Schutte1993Muscle_Deprecated`; see docs/theory/muscles.md,
"Schutte1993Muscle_Deprecated".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.muscles.muscle import Expectation, MuscleParams, MuscleSpec, read_muscle
from jaxosim.muscles.spline_curves import Spline, SplineParams, build_splines, read_spline
from jaxosim.pytree import array, pytree

TAGS = ("Schutte1993Muscle_Deprecated",)
FIELD = "schutte1993"

# The curves of OpenSim 4.6 for a file that gives none; the passive one is an exponential then.
# fmt: off
ACTIVE = Spline(
    (-5.307692, -4.307692, -1.923077, -0.884615, -0.269231, 0.230769, 0.461538, 0.52725, 0.62875,
     0.71875, 0.86125, 1.045, 1.2175, 1.43875, 1.5, 1.615385, 2.0, 2.961538, 3.692308, 5.461538,
     9.901902),
    (0.012188, 0.021899, 0.036466, 0.052493, 0.075312, 0.114158, 0.157859, 0.226667, 0.636667,
     0.856667, 0.95, 0.993333, 0.77, 0.246667, 0.193821, 0.133252, 0.072683, 0.044417, 0.036341,
     0.021899, 0.007332),
)
TENDON = Spline(
    (-10.0, -0.002, -0.001, 0.0, 0.00131, 0.00281, 0.00431, 0.00581, 0.00731, 0.00881, 0.0103,
     0.0118, 0.0123, 9.2, 9.201, 9.202, 20.0),
    (0.0, 0.0, 0.0, 0.0, 0.0108, 0.0257, 0.0435, 0.0652, 0.0915, 0.123, 0.161, 0.208, 0.227, 345.0,
     345.0, 345.0, 345.0),
)
# fmt: on
_NONE = Spline((0.0, 1.0), (0.0, 0.0))

_EXPECTATIONS: tuple[Expectation, ...] = (
    # OpenSim differs: it loads these muscles, whose rates are not finite then.
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    ("tendon_slack_length above 0", lambda m: m.tendon_slack_length > 0),
    ("time_scale above 0", lambda m: m.time_scale > 0),
    ("damping above 0", lambda m: m.damping > 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
)


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A Schutte1993Muscle_Deprecated of a file, with the defaults of OpenSim 4.6."""

    time_scale: float = 0.1
    activation1: float = 7.667
    activation2: float = 1.459854
    damping: float = 0.1
    active: Spline = ACTIVE
    passive: Spline | None = None
    tendon: Spline = TENDON


@pytree
class Params:
    """Properties that only a Schutte1993Muscle_Deprecated has, named as in the file."""

    time_scale: jax.Array = array("schutte1993", unit="s")
    activation1: jax.Array = array("schutte1993", unit="1")
    activation2: jax.Array = array("schutte1993", unit="1")
    damping: jax.Array = array("schutte1993", unit="1")
    has_passive_curve: jax.Array = array("schutte1993", unit="1")  # 1, or 0 for the exponential
    active_force_length_curve: SplineParams = dataclasses.field()
    passive_force_length_curve: SplineParams = dataclasses.field()
    tendon_force_length_curve: SplineParams = dataclasses.field()


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's Schutte1993Muscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A Schutte1993Muscle_Deprecated with its path.

    Its states begin at zero, whatever the file says: this class has no such properties.
    """
    element = muscle.element
    assert element is not None
    spec = read_muscle(context, muscle, Spec, {}, _EXPECTATIONS)
    passive = read_spline(context, element, "passive_force_length_curve", _NONE)
    return dataclasses.replace(
        spec,
        default_activation=0.0,
        default_fiber_length=0.0,
        active=read_spline(context, element, "active_force_length_curve", ACTIVE),
        passive=None if passive is _NONE else passive,
        tendon=read_spline(context, element, "tendon_force_length_curve", TENDON),
    )


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    names = ("time_scale", "activation1", "activation2", "damping")
    return Params(
        **{name: np.array([getattr(m, name) for m in muscles], float) for name in names},
        has_passive_curve=np.array([m.passive is not None for m in muscles], float),
        active_force_length_curve=build_splines([m.active for m in muscles]),
        passive_force_length_curve=build_splines([m.passive or _NONE for m in muscles]),
        tendon_force_length_curve=build_splines([m.tendon for m in muscles]),
    )
