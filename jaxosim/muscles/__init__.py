"""Muscles: one module or package for each class of OpenSim, all with the same names.

`muscle.MuscleClass` lists them. A model's muscles are rows owned by classes; `rows` merges the rows
of all classes, and nothing outside this package depends on a muscle's class.
"""

from jaxosim.muscles import (
    degroote_fregly2016,
    meyer_fregly2016,
    millard2012,
    rigid_tendon,
    schutte1993,
    thelen2003,
)
from jaxosim.muscles.muscle import MuscleClass

MUSCLES: tuple[MuscleClass, ...] = (
    thelen2003,
    millard2012,
    degroote_fregly2016,
    schutte1993,
    rigid_tendon,
    meyer_fregly2016,
)
