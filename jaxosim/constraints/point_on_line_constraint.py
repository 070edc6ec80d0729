"""PointOnLineConstraint: a point of one body stays on a line of another.

Source: OpenSim `PointOnLineConstraint`, Simbody `Constraint::PointOnLine`; see
docs/theory/constraints.md, "Points, distances and lines".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import stack, take
from jaxosim.arrays.linalg import cross, dot, matmul, scale_rows, transpose
from jaxosim.arrays.safe import safe_norm
from jaxosim.arrays.spatial import point_acceleration, point_velocity, spatial
from jaxosim.constraints.constraint import (
    BodyRows,
    Description,
    Equations,
    Motion,
    PairStructure,
    Placement,
    placed,
    read_point,
)
from jaxosim.forces.force import BodyFrames
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import ZERO, Vec3
from jaxosim.pytree import array, pytree

FIELD = "points_on_lines"
TAGS = ("PointOnLineConstraint",)
Structure = PairStructure  # the line's body is the first, the follower the second


@dataclass(frozen=True)
class Spec:
    """A line of one body and a point of another; numbers are SI."""

    name: str
    line_body: str
    point_on_line: Vec3
    follower_body: str
    point_on_follower: Vec3
    line_direction_vec: Vec3


@pytree
class Params:
    """The lines and points, in their bodies."""

    line_direction_vec: jax.Array = array("point_on_line", 3, unit="1")  # of any length
    point_on_line: jax.Array = array("point_on_line", 3, unit="m")
    point_on_follower: jax.Array = array("point_on_line", 3, unit="m")


@pytree
class InstanceInfo:
    """Lines and points in the frames of the mobilized bodies that carry them."""

    normals: jax.Array = array("point_on_line", 2, 3, unit="1")  # two, perpendicular to the line
    line: jax.Array = array("point_on_line", 3, unit="m")
    follower: jax.Array = array("point_on_line", 3, unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one constraint.

    Raises:
      OsimFormatError: a line without a direction.
    """
    element = component.element
    assert element is not None
    direction = context.vector(element, "line_direction_vec", ZERO)
    if not math.hypot(*direction) > 0.0:
        raise element.error("expected a line_direction_vec that is not zero")
    return Spec(
        element.name,
        *read_point(context, component, "socket_line_body", "point_on_line"),
        *read_point(context, component, "socket_follower_body", "point_on_follower"),
        line_direction_vec=direction,
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    first = lookup.bodies([spec.line_body for spec in specs])
    second = lookup.bodies([spec.follower_body for spec in specs])
    structure = PairStructure(
        names=tuple(spec.name for spec in specs),
        first_body=first,
        second_body=second,
        first=lookup.carriers(first),
        second=lookup.carriers(second),
    )
    columns = {
        name: np.array([getattr(spec, name) for spec in specs], float).reshape(-1, 3)
        for name in ("line_direction_vec", "point_on_line", "point_on_follower")
    }
    return structure, Params(**columns)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_on_line": structure.names}


def equation_count(structure: Structure) -> int:
    """Two for each."""
    return 2 * len(structure.names)


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> InstanceInfo:
    """The points, and two normals of each line, in the frames of the mobilized bodies."""
    line = params.line_direction_vec
    line = scale_rows(line, 1 / safe_norm(line))
    least = jnp.argmin(jnp.abs(line), axis=1)  # the axis of the body farthest from the line
    x = cross(line, jax.nn.one_hot(least, 3, dtype=line.dtype))
    x = scale_rows(x, 1 / safe_norm(x))
    normals = stack([x, cross(line, x)], axis=1)
    return InstanceInfo(
        normals=matmul(normals, transpose(frames.rotation[structure.first_body])),
        line=frames.carried(structure.first_body, params.point_on_line),
        follower=frames.carried(structure.second_body, params.point_on_follower),
    )


def _normals(structure: Structure, instance: InstanceInfo, placement: Placement) -> jax.Array:
    """The normals `[point_on_line, 2, 3]` in ground."""
    R = take(placement.pose, structure.first)[..., :3]
    return matmul(instance.normals, transpose(R))


def evaluate(
    structure: Structure, params: Params, instance: InstanceInfo, placement: Placement
) -> Equations:
    """Distances of each point from the line along two normals of it."""
    on_line = placed(placement.pose, structure.first, instance.line)
    point = placed(placement.pose, structure.second, instance.follower)
    normals = _normals(structure, instance, placement).reshape(-1, 3)
    twice = np.repeat(np.arange(len(structure.names)), 2)
    wrench = spatial(cross(take(point, twice), normals), normals)
    rows = BodyRows(np.repeat(structure.first, 2), np.repeat(structure.second, 2), wrench)
    return Equations(dot(take(point - on_line, twice), normals), rows)


def bias(
    structure: Structure,
    params: Params,
    instance: InstanceInfo,
    placement: Placement,
    motion: Motion,
) -> jax.Array:
    """Acceleration of the point relative to the line's body at u_dot = 0, `[equation]`."""
    point = placed(placement.pose, structure.second, instance.follower)
    V, A = (
        [take(values, body) for body in (structure.first, structure.second)]
        for values in (motion.velocity, motion.acceleration)
    )
    velocity = point_velocity(V[1], point) - point_velocity(V[0], point)
    acceleration = point_acceleration(V[1], A[1], point) - point_acceleration(V[0], A[0], point)
    relative = acceleration - 2 * cross(V[0][:, :3], velocity)
    twice = np.repeat(np.arange(len(structure.names)), 2)
    return dot(take(relative, twice), _normals(structure, instance, placement).reshape(-1, 3))


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(n, "a line") for n in structure.names])
