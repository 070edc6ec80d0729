"""DeGrooteFregly2016Muscle: smooth curves, and the normalized tendon force as contraction state.

With an elastic tendon the state gives the tendon's length, so the fiber has what is left of the
path; its velocity is the one at which it carries the tendon's force, and what is left of the
lengthening speed stretches the tendon. With a rigid tendon the fiber follows the path. Nothing is
clipped, as in OpenSim: fibers may push.

# OpenSim differs: states of a muscle that is switched off still change; ours rest.

The implicit form of the tendon's dynamics leaves the rate of the tendon force to a solver of
optimal control. In a forward simulation OpenSim keeps that rate at zero, and so do we: the tension
is constant, whatever the fiber's force, and the fiber follows the path.

Source: De Groote, Kinney, Rao, Fregly (2016), Ann. Biomed. Eng. 44:2922-2936; OpenSim
`DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

from jaxosim.muscles.degroote_fregly2016.equilibrium import equilibrium
from jaxosim.muscles.degroote_fregly2016.properties import (
    FIELD,
    TAGS,
    Params,
    Properties,
    Spec,
    build,
    read,
)
from jaxosim.muscles.degroote_fregly2016.stages import (
    activation_rate,
    elastic_dynamics,
    elastic_length,
    elastic_velocity,
    rigid_dynamics,
    rigid_length,
    rigid_velocity,
    tendon_force_rate,
)
from jaxosim.muscles.muscle import MuscleMode

ELASTIC = MuscleMode(
    contraction_state="normalized_tendon_force",
    realize_length=elastic_length,
    realize_fiber_velocity=elastic_velocity,
    realize_dynamics=elastic_dynamics,
    contraction_rate=tendon_force_rate,
    equilibrium=equilibrium,
)
IMPLICIT = MuscleMode(
    contraction_state="normalized_tendon_force",
    realize_length=elastic_length,
    realize_fiber_velocity=rigid_velocity,
    realize_dynamics=elastic_dynamics,
    equilibrium=equilibrium,
)
RIGID = MuscleMode(
    contraction_state=None,
    realize_length=rigid_length,
    realize_fiber_velocity=rigid_velocity,
    realize_dynamics=rigid_dynamics,
)
MODES = (ELASTIC, IMPLICIT, RIGID)


def mode_of(muscle: Spec) -> MuscleMode:
    """By `ignore_tendon_compliance` and `tendon_compliance_dynamics_mode`."""
    if muscle.ignore_tendon_compliance:
        return RIGID
    return IMPLICIT if muscle.tendon_compliance_dynamics_mode == "implicit" else ELASTIC


__all__ = [
    "ELASTIC",
    "FIELD",
    "IMPLICIT",
    "MODES",
    "RIGID",
    "TAGS",
    "Params",
    "Properties",
    "Spec",
    "activation_rate",
    "build",
    "mode_of",
    "read",
]
