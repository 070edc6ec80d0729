"""ConstantDistanceConstraint: a massless rod between a point of one body and one of another.

Source: OpenSim `ConstantDistanceConstraint`, Simbody `Constraint::Rod`; see
docs/theory/constraints.md, "Points, distances and lines".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import cross, dot, matvec, scale_rows
from jaxosim.arrays.safe import safe_divide, safe_norm
from jaxosim.arrays.spatial import point_acceleration, point_velocity, spatial
from jaxosim.constraints import point_constraint
from jaxosim.constraints.constraint import (
    BodyRows,
    Description,
    Equations,
    Motion,
    PairStructure,
    Placement,
    placed,
)
from jaxosim.forces.force import BodyFrames
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import Vec3
from jaxosim.pytree import array, pytree

FIELD = "constant_distances"
TAGS = ("ConstantDistanceConstraint",)
Structure = PairStructure

_TINY = 5 / 4  # power of the unit of rounding below which a length is Simbody's zero


@dataclass(frozen=True)
class Spec:
    """Two points at a distance; numbers are SI."""

    name: str
    body_1: str
    location_body_1: Vec3
    body_2: str
    location_body_2: Vec3
    constant_distance: float


@pytree
class InstanceInfo:
    """The points, and the direction of a rod whose ends meet, in the frames of mobilized bodies."""

    first: jax.Array = array("constant_distance", 3, unit="m")
    second: jax.Array = array("constant_distance", 3, unit="m")
    axis: jax.Array = array("constant_distance", 3, unit="1")  # z of the first body


@pytree
class Params:
    """The points, in their bodies, and their distances."""

    location_body_1: jax.Array = array("constant_distance", 3, unit="m")
    location_body_2: jax.Array = array("constant_distance", 3, unit="m")
    constant_distance: jax.Array = array("constant_distance", unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one constraint.

    Raises:
      OsimFormatError: no distance, or one that is not positive.
    """
    points = point_constraint.read(context, component)
    element = component.element
    assert element is not None
    # OpenSim differs: with 0 the direction of the rod is always that of the first body's z axis.
    distance = context.number(element, "constant_distance", None, above=0)
    return Spec(
        points.name,
        points.body_1,
        points.location_body_1,
        points.body_2,
        points.location_body_2,
        distance,
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure, points = point_constraint.build(specs, lookup)  # pyright: ignore[reportArgumentType]
    distance = np.array([spec.constant_distance for spec in specs], float)
    return structure, Params(
        location_body_1=points.location_body_1,
        location_body_2=points.location_body_2,
        constant_distance=distance,
    )


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"constant_distance": structure.names}


def equation_count(structure: Structure) -> int:
    """One for each."""
    return len(structure.names)


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> InstanceInfo:
    """The points in the frames of the mobilized bodies."""
    return InstanceInfo(
        first=frames.carried(structure.first_body, params.location_body_1),
        second=frames.carried(structure.second_body, params.location_body_2),
        axis=frames.rotation[structure.first_body][:, :, 2],
    )


class _Rods(NamedTuple):
    """Where the rods are, `[rod]`."""

    first: jax.Array  # [rod, 3] (m) end, from the common point
    second: jax.Array  # [rod, 3] (m)
    length: jax.Array  # (m)
    direction: jax.Array  # [rod, 3] from the first end to the second
    meet: jax.Array  # bool: the ends coincide, and the direction is an axis of the first body


def _rods(structure: Structure, instance: InstanceInfo, placement: Placement) -> _Rods:
    first = placed(placement.pose, structure.first, instance.first)
    second = placed(placement.pose, structure.second, instance.second)
    length = safe_norm(second - first)
    along = scale_rows(second - first, safe_divide(jnp.ones_like(length), length))
    axis = matvec(take(placement.pose, structure.first)[..., :3], instance.axis)
    meet = length < float(jnp.finfo(length.dtype).eps) ** _TINY
    return _Rods(first, second, length, jnp.where(meet[:, None], axis, along), meet)


def evaluate(
    structure: Structure, params: Params, instance: InstanceInfo, placement: Placement
) -> Equations:
    """Length of each rod beyond the constant distance."""
    rods = _rods(structure, instance, placement)
    wrench = spatial(cross(rods.second, rods.direction), rods.direction)
    rows = BodyRows(structure.first, structure.second, wrench)
    return Equations(rods.length - params.constant_distance, rows)


def bias(
    structure: Structure,
    params: Params,
    instance: InstanceInfo,
    placement: Placement,
    motion: Motion,
) -> jax.Array:
    """Second derivative of each rod's length at u_dot = 0, `[equation]`."""
    rods = _rods(structure, instance, placement)
    ends = ((structure.first, rods.first), (structure.second, rods.second))
    V, A = (
        [take(values, body) for body, _ in ends]
        for values in (motion.velocity, motion.acceleration)
    )
    velocity = point_velocity(V[1], rods.second) - point_velocity(V[0], rods.first)
    acceleration = point_acceleration(V[1], A[1], rods.second) - point_acceleration(
        V[0], A[0], rods.first
    )
    along = dot(velocity, rods.direction)
    turning = safe_divide(dot(velocity, velocity) - along * along, rods.length)
    with_body = dot(velocity, cross(V[0][:, :3], rods.direction))
    return dot(acceleration, rods.direction) + jnp.where(rods.meet, with_body, turning)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(n, "a distance") for n in structure.names])
