"""Thelen2003Muscle with elastic tendon.

Source: Thelen (2003), J. Biomech. Eng. 125:70-77; OpenSim `Thelen2003Muscle`.
"""

from jaxosim.muscles.muscle import MuscleMode
from jaxosim.muscles.thelen2003.equilibrium import equilibrium
from jaxosim.muscles.thelen2003.properties import (
    FIELD,
    TAGS,
    Params,
    Properties,
    Spec,
    build,
    read,
)
from jaxosim.muscles.thelen2003.stages import (
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
    "contraction_rate",
    "equilibrium",
    "mode_of",
    "read",
    "realize_dynamics",
    "realize_fiber_velocity",
    "realize_length",
]
