"""Millard2012EquilibriumMuscle, with an elastic or a rigid tendon.

Source: Millard et al. (2013), J. Biomech. Eng. 135:021005; OpenSim `Millard2012EquilibriumMuscle`.
"""

from jaxosim.muscles.millard2012 import rigid
from jaxosim.muscles.millard2012.equilibrium import equilibrium
from jaxosim.muscles.millard2012.properties import (
    FIELD,
    TAGS,
    Params,
    Properties,
    Spec,
    build,
    read,
)
from jaxosim.muscles.millard2012.stages import (
    activation_rate,
    contraction_rate,
    realize_dynamics,
    realize_fiber_velocity,
    realize_length,
)
from jaxosim.muscles.muscle import MuscleMode

ELASTIC = MuscleMode(
    contraction_state="fiber_length",
    realize_length=realize_length,
    realize_fiber_velocity=realize_fiber_velocity,
    realize_dynamics=realize_dynamics,
    contraction_rate=contraction_rate,
    equilibrium=equilibrium,
)
RIGID = MuscleMode(
    contraction_state=None,
    realize_length=rigid.realize_length,
    realize_fiber_velocity=rigid.realize_fiber_velocity,
    realize_dynamics=rigid.realize_dynamics,
)
MODES = (ELASTIC, RIGID)


def mode_of(muscle: Spec) -> MuscleMode:
    """By `ignore_tendon_compliance`."""
    return RIGID if muscle.ignore_tendon_compliance else ELASTIC


__all__ = [
    "ELASTIC",
    "FIELD",
    "MODES",
    "TAGS",
    "Params",
    "RIGID",
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
