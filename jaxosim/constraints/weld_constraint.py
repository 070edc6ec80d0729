"""WeldConstraint: a frame of one body coincides with a frame of another.

Source: OpenSim `WeldConstraint`, Simbody `Constraint::Weld`; see docs/theory/constraints.md,
"Welds".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack, take
from jaxosim.arrays.linalg import cross, dot, matmul, transpose
from jaxosim.arrays.spatial import point_acceleration, spatial
from jaxosim.constraints.constraint import (
    BodyRows,
    Description,
    Equations,
    Motion,
    PairStructure,
    Placement,
    placed,
    unit_forces,
)
from jaxosim.forces.force import BodyFrames
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.spec import FrameSpec
from jaxosim.pytree import array, pytree

FIELD = "weld_constraints"
TAGS = ("WeldConstraint",)
Structure = PairStructure

_NEXT = np.array([1, 2, 0])  # equation i: axis i of the second frame ⟂ axis i + 1 of the first


@dataclass(frozen=True)
class Spec:
    """Two frames that coincide; numbers are SI."""

    name: str
    frame1: FrameSpec
    frame2: FrameSpec


@pytree
class Params:
    """The frames, in their bodies."""

    translation1: jax.Array = array("weld_constraint", 3, unit="m")
    orientation1: jax.Array = array("weld_constraint", 3, unit="rad")  # body-fixed XYZ
    translation2: jax.Array = array("weld_constraint", 3, unit="m")
    orientation2: jax.Array = array("weld_constraint", 3, unit="rad")


@pytree
class InstanceInfo:
    """The frames in the frames of the mobilized bodies that carry them."""

    axes1: jax.Array = array("weld_constraint", 3, 3, unit="1")  # one a row
    point1: jax.Array = array("weld_constraint", 3, unit="m")
    axes2: jax.Array = array("weld_constraint", 3, 3, unit="1")
    point2: jax.Array = array("weld_constraint", 3, unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one constraint."""
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        frame1=resolve_frame(context, component, "socket_frame1"),
        frame2=resolve_frame(context, component, "socket_frame2"),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    first, second = ([getattr(spec, f"frame{i}") for spec in specs] for i in (1, 2))
    first_body, second_body = (lookup.bodies([f.body for f in side]) for side in (first, second))
    structure = PairStructure(
        names=tuple(spec.name for spec in specs),
        first_body=first_body,
        second_body=second_body,
        first=lookup.carriers(first_body),
        second=lookup.carriers(second_body),
    )
    columns = {
        f"{part}{i}": np.array([getattr(frame, part) for frame in side], float).reshape(-1, 3)
        for i, side in ((1, first), (2, second))
        for part in ("translation", "orientation")
    }
    return structure, Params(**columns)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"weld_constraint": structure.names}


def equation_count(structure: Structure) -> int:
    """Six for each."""
    return 6 * len(structure.names)


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> InstanceInfo:
    """The frames in the frames of the mobilized bodies."""
    return InstanceInfo(
        axes1=_axes(frames, structure.first_body, params.orientation1),
        point1=frames.carried(structure.first_body, params.translation1),
        axes2=_axes(frames, structure.second_body, params.orientation2),
        point2=frames.carried(structure.second_body, params.translation2),
    )


def _axes(frames: BodyFrames, owner: np.ndarray, orientation: jax.Array) -> jax.Array:
    """Axes of frames on bodies, one a row, in the frames of the mobilized bodies."""
    return transpose(frames.turned(owner, orientation))


def _axis_pairs(
    structure: Structure, instance: InstanceInfo, placement: Placement
) -> tuple[jax.Array, jax.Array]:
    """The axes that have to be perpendicular, of the first and second frame, `[n, 3, 3]`."""
    first, second = (
        matmul(axes, transpose(take(placement.pose, body)[..., :3]))
        for axes, body in ((instance.axes1, structure.first), (instance.axes2, structure.second))
    )
    return stack([first[:, i] for i in _NEXT], axis=1), second


def evaluate(
    structure: Structure, params: Params, instance: InstanceInfo, placement: Placement
) -> Equations:
    """Cosines between axes of both frames, and the vector from the first origin to the second."""
    first_axes, second_axes = _axis_pairs(structure, instance, placement)
    first = placed(placement.pose, structure.first, instance.point1)
    second = placed(placement.pose, structure.second, instance.point2)
    torque = cross(second_axes, first_axes)
    wrench = concatenate([spatial(torque, jnp.zeros_like(torque)), unit_forces(second)], axis=1)
    error = concatenate([dot(second_axes, first_axes), second - first], axis=1)
    rows = BodyRows(
        np.repeat(structure.first, 6), np.repeat(structure.second, 6), wrench.reshape(-1, 6)
    )
    return Equations(error.reshape(-1), rows)


def bias(
    structure: Structure,
    params: Params,
    instance: InstanceInfo,
    placement: Placement,
    motion: Motion,
) -> jax.Array:
    """Second derivative of the error at u_dot = 0, `[equation]`."""
    first_axes, second_axes = _axis_pairs(structure, instance, placement)
    point = placed(placement.pose, structure.second, instance.point2)
    bodies = (structure.first, structure.second)
    V, A = ([take(values, b) for b in bodies] for values in (motion.velocity, motion.acceleration))
    w1, w2, spin = (
        jnp.broadcast_to(w[:, None], first_axes.shape)
        for w in (V[0][:, :3], V[1][:, :3], V[1][:, :3] - V[0][:, :3])
    )
    angular = jnp.broadcast_to((A[1] - A[0])[:, None, :3], first_axes.shape)
    turning = cross(cross(w2, second_axes), first_axes) - cross(cross(w1, first_axes), second_axes)
    rotation = dot(angular, cross(second_axes, first_axes)) + dot(spin, turning)
    translation = point_acceleration(V[1], A[1], point) - point_acceleration(V[0], A[0], point)
    return concatenate([rotation, translation], axis=1).reshape(-1)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(n, "two frames") for n in structure.names])
