"""PointConstraint: a point of one body coincides with a point of another.

Source: OpenSim `PointConstraint`, Simbody `Constraint::Ball`; see docs/theory/constraints.md,
"Points, distances and lines".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.spatial import point_acceleration
from jaxosim.constraints.constraint import (
    BodyRows,
    Description,
    Equations,
    Motion,
    PairInfo,
    PairStructure,
    Placement,
    placed,
    read_point,
    unit_forces,
)
from jaxosim.forces.force import BodyFrames
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import Vec3
from jaxosim.pytree import array, pytree

FIELD = "point_constraints"
TAGS = ("PointConstraint",)
Structure = PairStructure


@dataclass(frozen=True)
class Spec:
    """Two points that coincide; numbers are SI."""

    name: str
    body_1: str
    location_body_1: Vec3
    body_2: str
    location_body_2: Vec3


@pytree
class Params:
    """The points, in their bodies."""

    location_body_1: jax.Array = array("point_constraint", 3, unit="m")
    location_body_2: jax.Array = array("point_constraint", 3, unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one constraint."""
    element = component.element
    assert element is not None
    return Spec(
        element.name,
        *read_point(context, component, "socket_body_1", "location_body_1"),
        *read_point(context, component, "socket_body_2", "location_body_2"),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    first, second = (lookup.bodies([getattr(s, f"body_{i}") for s in specs]) for i in (1, 2))
    structure = PairStructure(
        names=tuple(spec.name for spec in specs),
        first_body=first,
        second_body=second,
        first=lookup.carriers(first),
        second=lookup.carriers(second),
    )
    points = {
        name: np.array([getattr(spec, name) for spec in specs], float).reshape(-1, 3)
        for name in ("location_body_1", "location_body_2")
    }
    return structure, Params(**points)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_constraint": structure.names}


def equation_count(structure: Structure) -> int:
    """Three for each."""
    return 3 * len(structure.names)


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> PairInfo:
    """The points in the frames of the mobilized bodies."""
    return PairInfo(
        first=frames.carried(structure.first_body, params.location_body_1),
        second=frames.carried(structure.second_body, params.location_body_2),
    )


def evaluate(
    structure: Structure, params: Params, instance: PairInfo, placement: Placement
) -> Equations:
    """The vector from the first point to the second, in ground."""
    first = placed(placement.pose, structure.first, instance.first)
    second = placed(placement.pose, structure.second, instance.second)
    rows = BodyRows(
        np.repeat(structure.first, 3),
        np.repeat(structure.second, 3),
        unit_forces(second).reshape(-1, 6),
    )
    return Equations((second - first).reshape(-1), rows)


def bias(
    structure: Structure,
    params: Params,
    instance: PairInfo,
    placement: Placement,
    motion: Motion,
) -> jax.Array:
    """Acceleration of the second point relative to the first body, `[equation]`, at u_dot = 0."""
    point = placed(placement.pose, structure.second, instance.second)
    first, second = (
        point_acceleration(take(motion.velocity, body), take(motion.acceleration, body), point)
        for body in (structure.first, structure.second)
    )
    return (second - first).reshape(-1)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(n, "two points") for n in structure.names])
