"""PathActuator: a tension along a path, in proportion to a control.

Source: OpenSim `PathActuator`; see docs/theory/actuators.md, "Path actuators".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import put
from jaxosim.forces.actuator import ActuatorSpec, actuation, read_properties, rows
from jaxosim.forces.force import Description, ForceInfo, Kinematics, number_records
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "path_actuators"
TAGS = ("PathActuator",)


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator along a path."""

    path: paths.PathSpec


@dataclass(frozen=True, eq=False)
class Structure:
    """Path and control of each actuator."""

    names: tuple[str, ...]
    path: np.ndarray  # [path_actuator]
    control: np.ndarray  # [path_actuator]


@pytree
class Params:
    """Actuators along paths."""

    optimal_force: jax.Array = array("path_actuator", unit="N")  # at a control of 1


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("path_actuator", unit="N")
    path_tension: jax.Array = array("path", unit="N")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("path_actuator", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator."""
    element = component.element
    assert element is not None
    return Spec(path=paths.read(context, component), **read_properties(context, element))


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    own = [spec.name for spec in specs]
    structure = Structure(names=tuple(own), path=lookup.paths(own), control=lookup.controls(own))
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"path_actuator": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all actuators; negative ones push."""
    tension = actuation(structure, params.optimal_force, controls)
    count = len(kinematics.path_length)
    return Info(actuation=tension, path_tension=put(tension, structure.path, count))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    count = len(structure.names)
    return Description(str(count), rows(structure, ["a path"] * count))
