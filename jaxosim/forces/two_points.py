"""Forces along the line between two points of bodies.

As in OpenSim, a point given in an offset frame acts as if its numbers were those of a point of the
frame's body; what is reported is the point in the frame.

Source: OpenSim `PointToPointSpring`, `ExpressionBasedPointToPointForce`; see
docs/theory/two_frame_forces.md, "Forces between two points".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import dot, scale_rows
from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.forces import two_frames, wrenches
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics, MobilityJacobian
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, compose
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree


@dataclass(frozen=True, eq=False)
class Structure:
    """The bodies that each force connects."""

    names: tuple[str, ...]
    pairs: two_frames.Pairs


class PointParams(Protocol):
    """The numbers that every such force has."""

    @property
    def location(self) -> jax.Array:
        """`[2, force, 3]` (m) of the points, on their bodies."""
        ...

    @property
    def reported_location(self) -> jax.Array:
        """`[2, force, 3]` (m) of the points that are reported, on their bodies."""
        ...


@pytree
class Instance:
    """The points in the mobilized bodies that carry them."""

    location: jax.Array = array(2, "force", 3, unit="m")
    reported_location: jax.Array = array(2, "force", 3, unit="m")


@pytree
class Line:
    """The line from the first point to the second."""

    length: jax.Array = array("force", unit="m")
    lengthening_speed: jax.Array = array("force", unit="m/s")
    direction: jax.Array = array("force", 3, unit="1")
    end: jax.Array = array("force", 3, unit="m")  # the second point, from the common point
    reported: jax.Array = array(2, "force", 3, unit="m")  # from the common point


@pytree
class Info(ForceInfo):
    """What each force does."""

    line: Line
    tension: jax.Array = array("force", unit="N")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")  # about the common point


@pytree
class Outputs:
    """What each force does to its two bodies, and where the points are in ground."""

    force: jax.Array = array("force", 2, 3, unit="N")
    point: jax.Array = array("force", 2, 3, unit="m")


def read_points(context: Context, component: Component) -> tuple[Vec3, Vec3]:
    """The properties `point1` and `point2`."""
    assert component.element is not None
    first, second = (context.vector(component.element, f"point{i}", ZERO) for i in (1, 2))
    return first, second


def build(specs: Sequence[Any], lookup: Lookup) -> tuple[Structure, dict[str, np.ndarray]]:
    """The forces' bodies, and the numbers that every such force has, by their names in Params."""
    frames: list[tuple[FrameSpec, FrameSpec]] = [spec.frames for spec in specs]
    points: list[tuple[Vec3, Vec3]] = [spec.points for spec in specs]
    first, second = ([pair[side].body for pair in frames] for side in (0, 1))
    reported = [
        [compose(frame, (point, ZERO)) for frame, point in zip(*own, strict=True)]
        for own in zip(frames, points, strict=True)
    ]
    structure = Structure(
        names=tuple(spec.name for spec in specs), pairs=two_frames.pairs(lookup, first, second)
    )
    location = np.array([[own[side] for own in points] for side in (0, 1)], float)
    numbers = {
        "location": location.reshape(2, -1, 3),
        "reported_location": two_frames.poses(reported)[0],
    }
    return structure, numbers


def realize_instance(structure: Structure, params: PointParams, frames: BodyFrames) -> Instance:
    """The points in the mobilized bodies that carry them."""
    location, reported = (
        two_frames.points_on_mobods(structure.pairs, points, frames)
        for points in (params.location, params.reported_location)
    )
    return Instance(location=location, reported_location=reported)


def realize_line(structure: Structure, instance: Instance, kinematics: Kinematics) -> Line:
    """Length, direction and lengthening speed of all lines."""
    pairs = structure.pairs
    start, end = two_frames.points_in_ground(pairs, instance.location, kinematics)
    apart = end - start
    length = safe_norm(apart)
    # OpenSim differs: where the points coincide its forces are NaN.
    direction = safe_divide(apart, length[:, None])
    velocity = two_frames.relative_velocity(pairs, kinematics.velocity)
    return Line(
        length=length,
        lengthening_speed=dot(wrenches.force_wrenches(end, direction), velocity),
        direction=direction,
        end=end,
        reported=two_frames.points_in_ground(pairs, instance.reported_location, kinematics),
    )


def info(structure: Structure, line: Line, tension: jax.Array, kinematics: Kinematics) -> Info:
    """What tensions `[force]` (N), which pull the points together, do."""
    on_second = wrenches.force_wrenches(line.end, scale_rows(line.direction, -tension))
    count = len(kinematics.pose) - 1
    wrench = two_frames.on_both(structure.pairs, on_second, count)
    return Info(line=line, tension=tension, wrench=wrench)


def jacobian(
    structure: Structure,
    kinematics: Kinematics,
    info: Info,
    damping: jax.Array,
    stiffness: jax.Array,
) -> MobilityJacobian:
    """The stiff part, from derivatives of the tension by speed and length, `[force]`.

    Across the line a force is as stiff as its tension over its length: a spring without rest length
    is equally stiff in all directions, also where its points coincide.
    """
    line = info.line
    damping, along = clip(damping, low=0.0), clip(stiffness, low=0.0)
    apart = line.length > 0
    across = jnp.where(apart, safe_divide(info.tension, line.length), along)
    across = clip(clip(across, low=0.0), high=along)
    axes = jnp.broadcast_to(jnp.eye(3, dtype=across.dtype), (len(across), 3, 3))
    directions = concatenate([line.direction[:, None], axes], axis=1)
    ends = jnp.broadcast_to(line.end[:, None], directions.shape)
    zero = jnp.zeros_like(damping)
    return two_frames.jacobian(
        structure.pairs,
        kinematics,
        wrenches.force_wrenches(ends, directions),
        stack([damping, zero, zero, zero], axis=-1),
        stack([along - across, across, across, across], axis=-1),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    pull = scale_rows(info.line.direction, info.tension)
    origin = -body_position[-1]  # the common point, in ground
    same = (structure.pairs.body[0] == structure.pairs.body[1])[:, None, None]
    force = stack([pull, -pull], axis=1)
    return Outputs(
        force=jnp.where(same, 0.0, force),  # OpenSim reports the sum on a body
        point=stack([point + origin[None] for point in info.line.reported], axis=1),
    )


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and point of the first body, then of the second."""
    rows = np.concatenate([outputs.force, outputs.point], axis=-1).reshape(-1, 12)
    return {name: row.tolist() for name, row in zip(structure.names, rows, strict=True)}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(
        str(len(structure.names)), [(name, "two points") for name in structure.names]
    )
