"""Kinematic constraints, one module for each OpenSim class; prescribed and locked coordinates.

Every module has the same names:

- `FIELD` of Model and Params, and the XML `TAGS`;
- `Spec` and `read`: what the file says;
- `Structure`, `Params` and `build`: its arrays, with `names`: who owns the rows of their axes, and
  the number of equations (`equation_count`);
- `evaluate`: errors of the equations and rows of the constraint Jacobian, and `bias`: what their
  second derivatives are where no coordinate accelerates;
- `describe`: for `jaxosim info`.

A module leaves out what would say nothing:

- `sizes`: lengths of the axes that `names` does not have;
- `coordinates` that the equations depend on other than through poses;
- `realize_instance`: what follows from the params alone; without it, `evaluate` and `bias`
  get None for it.

What all share is in `constraint.py`; `dynamics/constraints.py` puts the equations together.
"""

from types import ModuleType
from typing import Any

from jaxosim.constraints import (
    constant_distance_constraint,
    coordinate_coupler_constraint,
    locked_angle,
    point_constraint,
    point_on_line_constraint,
    prescribed_motion,
    weld_constraint,
)

CONSTRAINTS: tuple[ModuleType, ...] = (
    coordinate_coupler_constraint,
    point_constraint,
    weld_constraint,
    constant_distance_constraint,
    point_on_line_constraint,
    prescribed_motion,
    locked_angle,
)


def present(model: Any) -> tuple[ModuleType, ...]:
    """The classes of which a model has a constraint; nothing is traced for the others."""
    return tuple(one for one in CONSTRAINTS if one.equation_count(getattr(model, one.FIELD)))
