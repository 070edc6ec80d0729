"""SpringGeneralizedForce: a linear spring and damper on a coordinate.

The passive prosthetic ankle of the walkers is one: a pin joint between `pros_tibia_r` and
`pros_foot_r` with stiffness 225 N·m/rad and viscosity 1 N·m·s/rad, instead of the muscles that the
amputated leg has lost. With the foot's two contact spheres (`hunt_crossley_force.py`) and the
ankle's limit (`coordinate_limit_force.py`) it is all there is to the prosthesis.

Source: OpenSim `SpringGeneralizedForce`; see docs/theory/coordinate_forces.md,
"Spring generalized forces".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.forces.force import (
    CoordinateJacobian,
    Description,
    ForceInfo,
    Kinematics,
    number_records,
    read_coordinate,
)
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.pytree import array, pytree

FIELD = "springs"
TAGS = ("SpringGeneralizedForce",)


@dataclass(frozen=True)
class Spec:
    """A spring on a coordinate; numbers are SI."""

    name: str
    coordinate: str
    stiffness: float = 0.0
    rest_length: float = 0.0
    viscosity: float = 0.0
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The coordinate of each spring."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [spring]


@pytree
class Params:
    """Springs on coordinates; the passive prosthetic ankle is one."""

    stiffness: jax.Array = array("spring", unit="N·m/rad | N/m")
    rest_length: jax.Array = array("spring", unit="rad | m")
    viscosity: jax.Array = array("spring", unit="N·m·s/rad | N·s/m")


@pytree
class Info(ForceInfo):
    """What each spring does."""

    force: jax.Array = array("spring", unit="N·m | N")
    coordinate_force: jax.Array = array("coordinate", unit="N·m | N")


@pytree
class Outputs:
    """What each spring reports."""

    force: jax.Array = array("spring", unit="N·m | N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one spring."""
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        coordinate=read_coordinate(context, element),
        stiffness=context.number(element, "stiffness", 0.0),
        rest_length=context.number(element, "rest_length", 0.0),
        viscosity=context.number(element, "viscosity", 0.0),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        coordinate=lookup.coordinates([spec.coordinate for spec in specs]),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"spring": structure.names}


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates whose values the forces depend on."""
    return structure.coordinate


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces towards the rest length and against motion."""
    q, u = (take(x, structure.coordinate) for x in (kinematics.q, kinematics.u))
    force = -params.stiffness * (q - params.rest_length) - params.viscosity * u
    return Info(
        force=force,
        coordinate_force=segment_sum(force, structure.coordinate, len(kinematics.q)),
    )


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> CoordinateJacobian:
    """Viscosity and stiffness; arguments as for `hunt_crossley_jacobian.jacobian`."""
    return CoordinateJacobian(
        *(
            segment_sum(values, structure.coordinate, len(kinematics.q))
            for values in (params.viscosity, params.stiffness)
        )
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(force=info.force)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the force."""
    return number_records(structure.names, outputs.force)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the coordinate that each acts on."""
    acts_on = [coordinate_names[int(c)] for c in structure.coordinate]
    return Description(str(len(acts_on)), list(zip(structure.names, acts_on, strict=True)))
