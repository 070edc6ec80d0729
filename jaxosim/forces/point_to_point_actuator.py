"""PointToPointActuator: equal and opposite forces along a line, in proportion to a control.

A positive control pushes the two points apart.

Source: OpenSim `PointToPointActuator`; see docs/theory/actuators.md, "Forces on bodies".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxosim.arrays.linalg import scale_rows
from jaxosim.forces import two_frames, two_points, wrenches
from jaxosim.forces.actuator import ActuatorSpec, actuation, read_properties, rows
from jaxosim.forces.force import Description, ForceInfo, Kinematics, number_records
from jaxosim.forces.two_points import Instance, realize_instance
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_body
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Instance", "realize_instance"]

FIELD = "point_to_point_actuators"
TAGS = ("PointToPointActuator",)


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator between a point of one body and a point of another."""

    frames: tuple[FrameSpec, FrameSpec]
    points: tuple[Vec3, Vec3]


@dataclass(frozen=True, eq=False)
class Structure(two_points.Structure):
    """Bodies and control of each actuator."""

    body_names: tuple[tuple[str, str], ...]
    control: np.ndarray  # [point_to_point_actuator]


@pytree
class Params:
    """Actuators between two points."""

    optimal_force: jax.Array = array("point_to_point_actuator", unit="N")  # at a control of 1
    location: jax.Array = array(2, "point_to_point_actuator", 3, unit="m")  # on their bodies
    reported_location: jax.Array = array(2, "point_to_point_actuator", 3, unit="m")


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("point_to_point_actuator", unit="N")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("point_to_point_actuator", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator; points given in ground are refused."""
    element = component.element
    assert element is not None
    if context.boolean(element, "points_are_global", False):
        reason = "points_are_global is not simulated; give the points in their bodies"
        context.refuse(element.tag, element.name, reason)
    return Spec(
        frames=(
            FrameSpec(resolve_body(context, component, "bodyA")),
            FrameSpec(resolve_body(context, component, "bodyB")),
        ),
        points=(
            context.vector(element, "pointA", ZERO),
            context.vector(element, "pointB", ZERO),
        ),
        **read_properties(context, element),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure, numbers = two_points.build(specs, lookup)
    own: dict[str, Any] = vars(structure)
    return (
        Structure(
            **own,
            body_names=tuple((a.body, b.body) for a, b in (spec.frames for spec in specs)),
            control=lookup.controls([spec.name for spec in specs]),
        ),
        Params(optimal_force=np.array([spec.optimal_force for spec in specs], float), **numbers),
    )


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_to_point_actuator": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all actuators."""
    line = two_points.realize_line(structure, instance, kinematics)
    force = actuation(structure, params.optimal_force, controls)
    on_second = wrenches.force_wrenches(line.end, scale_rows(line.direction, force))
    wrench = two_frames.on_both(structure.pairs, on_second, len(kinematics.pose) - 1)
    return Info(actuation=force, wrench=wrench)


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the bodies between which each acts."""
    acts_on = [f"{first}, {second}" for first, second in structure.body_names]
    return Description(str(len(acts_on)), rows(structure, acts_on))
