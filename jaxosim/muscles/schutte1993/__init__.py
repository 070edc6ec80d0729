"""Schutte1993Muscle_Deprecated: elastic tendon, curves by splines, damped force-velocity relation.

Occurs in old models of the upper extremity.

Source: OpenSim `Schutte1993Muscle_Deprecated`; see docs/theory/muscles.md,
"Schutte1993Muscle_Deprecated".
"""

from jaxosim.muscles.muscle import MuscleMode
from jaxosim.muscles.schutte1993.equilibrium import equilibrium
from jaxosim.muscles.schutte1993.properties import (
    FIELD,
    TAGS,
    Params,
    Properties,
    Spec,
    build,
    read,
)
from jaxosim.muscles.schutte1993.stages import (
    activation_rate,
    contraction_rate,
    realize_dynamics,
    realize_fiber_velocity,
    realize_length,
)

ELASTIC = MuscleMode(
    contraction_state="fiber_length",
    realize_length=realize_length,
    realize_fiber_velocity=realize_fiber_velocity,
    realize_dynamics=realize_dynamics,
    contraction_rate=contraction_rate,
    equilibrium=equilibrium,
)
MODES = (ELASTIC,)


def mode_of(muscle: Spec) -> MuscleMode:
    """All of them have elastic tendons."""
    return ELASTIC


__all__ = [
    "ELASTIC",
    "FIELD",
    "MODES",
    "TAGS",
    "Params",
    "Properties",
    "Spec",
    "activation_rate",
    "build",
    "mode_of",
    "read",
]
