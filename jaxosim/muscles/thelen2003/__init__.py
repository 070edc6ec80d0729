"""Thelen2003Muscle with elastic tendon.

Source: Thelen (2003), J. Biomech. Eng. 125:70-77; OpenSim `Thelen2003Muscle`.
"""

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
    realize_dynamics,
    realize_fiber_velocity,
    realize_length,
)

__all__ = [
    "FIELD",
    "TAGS",
    "Params",
    "Properties",
    "Spec",
    "activation_rate",
    "build",
    "equilibrium",
    "read",
    "realize_dynamics",
    "realize_fiber_velocity",
    "realize_length",
]
