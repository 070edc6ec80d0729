"""Forces other than muscles, one module for each OpenSim class.

Every module has the same names:

- `FIELD` of Model and Params, and the XML `TAGS`;
- `Spec` and `read`: what the file says;
- `Structure`, `Params` and `build`: its arrays, and `names`: who owns the rows of their axes;
- `Info` and `evaluate`: the force;
- `Outputs`, `outputs` and `records`: what OpenSim reports;
- `describe`: for `jaxosim info`.

A module leaves out what would say nothing:

- `sizes`: lengths of the axes that `names` does not have;
- `coordinates` that the force depends on other than through poses;
- `driven_coordinates` along which the force acts by itself, without depending on them;
- `realize_instance`: what follows from the params alone; without it, `evaluate` gets None for it;
- `jacobian`: the stiff part of the force, a list if it has several forms.

What all share is in `force.py`.
"""

from types import ModuleType
from typing import Any

from jaxosim.forces import (
    activation_coordinate_actuator,
    blankevoort1991_ligament,
    body_actuator,
    bushing_force,
    clutched_path_spring,
    coordinate_actuator,
    coordinate_limit_force,
    elastic_foundation_force,
    expression_based_bushing_force,
    expression_based_coordinate_force,
    expression_based_path_force,
    expression_based_point_to_point_force,
    external_force,
    function_based_bushing_force,
    hunt_crossley_force,
    ligament,
    path_actuator,
    path_spring,
    point_actuator,
    point_to_point_actuator,
    point_to_point_spring,
    prescribed_force,
    smooth_sphere_half_space_force,
    spring_generalized_force,
    torque_actuator,
)

FORCES: tuple[ModuleType, ...] = (
    hunt_crossley_force,
    coordinate_limit_force,
    spring_generalized_force,
    path_spring,
    coordinate_actuator,
    bushing_force,
    expression_based_bushing_force,
    function_based_bushing_force,
    point_to_point_spring,
    expression_based_point_to_point_force,
    expression_based_coordinate_force,
    torque_actuator,
    point_actuator,
    body_actuator,
    path_actuator,
    ligament,
    smooth_sphere_half_space_force,
    prescribed_force,
    expression_based_path_force,
    activation_coordinate_actuator,
    external_force,
    elastic_foundation_force,
    point_to_point_actuator,
    clutched_path_spring,
    blankevoort1991_ligament,
)


def present(model: Any) -> tuple[ModuleType, ...]:
    """The classes of which a model has a force; nothing is traced for the others."""
    return tuple(one for one in FORCES if any(one.names(getattr(model, one.FIELD)).values()))
