"""CoordinateActuator: a generalized force on a coordinate, in proportion to a control.

Source: OpenSim `CoordinateActuator`; see docs/theory/actuators.md, "Coordinate actuators".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import segment_sum
from jaxosim.forces.actuator import ActuatorSpec, actuation, read_properties, rows
from jaxosim.forces.force import Description, ForceInfo, Kinematics, number_records, read_coordinate
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.pytree import array, pytree

FIELD = "coordinate_actuators"
TAGS = ("CoordinateActuator",)


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator of a coordinate; numbers are SI."""

    coordinate: str


@dataclass(frozen=True, eq=False)
class Structure:
    """Coordinate and control of each actuator."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [coordinate_actuator]
    control: np.ndarray  # [coordinate_actuator]


@pytree
class Params:
    """Actuators of coordinates."""

    optimal_force: jax.Array = array("coordinate_actuator", unit="N·m | N")  # at a control of 1


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("coordinate_actuator", unit="N·m | N")
    coordinate_force: jax.Array = array("coordinate", unit="N·m | N")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("coordinate_actuator", unit="N·m | N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator."""
    element = component.element
    assert element is not None
    return Spec(coordinate=read_coordinate(context, element), **read_properties(context, element))


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        coordinate=lookup.coordinates([spec.coordinate for spec in specs]),
        control=lookup.controls([spec.name for spec in specs]),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"coordinate_actuator": structure.names}


def driven_coordinates(structure: Structure) -> np.ndarray:
    """The coordinates along which the forces act, whatever their values are."""
    return structure.coordinate


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Generalized forces of all actuators."""
    force = actuation(structure, params.optimal_force, controls)
    return Info(
        actuation=force,
        coordinate_force=segment_sum(force, structure.coordinate, len(kinematics.q)),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the coordinate that each acts on."""
    acts_on = [coordinate_names[int(c)] for c in structure.coordinate]
    return Description(str(len(acts_on)), rows(structure, acts_on))
