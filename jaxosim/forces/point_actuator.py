"""PointActuator: a force at a point of a body, in proportion to a control.

Source: OpenSim `PointActuator`; see docs/theory/actuators.md, "Forces on bodies".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.linalg import matvec, scale_rows
from jaxosim.arrays.safe import unit
from jaxosim.forces import wrenches
from jaxosim.forces.actuator import ActuatorSpec, actuation, read_properties, rows
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics, number_records
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_body
from jaxosim.models.spec import GROUND, ZERO, Vec3
from jaxosim.pytree import array, pytree

FIELD = "point_actuators"
TAGS = ("PointActuator",)


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator of a body; the point is in `point_frame`, the direction in `direction_frame`."""

    body: str
    point: Vec3 = ZERO
    point_frame: str = GROUND
    direction: Vec3 = (1.0, 0.0, 0.0)
    direction_frame: str = GROUND


@dataclass(frozen=True, eq=False)
class Structure:
    """Body and control of each actuator."""

    names: tuple[str, ...]
    body_names: tuple[str, ...]  # [point_actuator]
    mobod: np.ndarray  # [point_actuator]
    point_body: np.ndarray  # [point_actuator] in which the point is given, −1 for ground
    point_mobod: np.ndarray  # [point_actuator] −1 for ground
    direction_body: np.ndarray  # [point_actuator] in which the direction is given, −1 for ground
    direction_mobod: np.ndarray  # [point_actuator] −1 for ground
    control: np.ndarray  # [point_actuator]


@pytree
class Params:
    """Actuators at points of bodies."""

    optimal_force: jax.Array = array("point_actuator", unit="N")  # at a control of 1
    point: jax.Array = array("point_actuator", 3, unit="m")  # in its body, or in ground
    direction: jax.Array = array("point_actuator", 3, unit="1")  # of any length


@pytree
class Instance:
    """Points, and directions of length 1, in the frames of the mobilized bodies that carry them."""

    point: jax.Array = array("point_actuator", 3, unit="m")
    direction: jax.Array = array("point_actuator", 3, unit="1")


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("point_actuator", unit="N")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("point_actuator", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator."""
    element = component.element
    assert element is not None
    body = resolve_body(context, component, "body")
    return Spec(
        body=body,
        point=context.vector(element, "point", ZERO),
        point_frame=GROUND if context.boolean(element, "point_is_global", False) else body,
        direction=wrenches.read_direction(context, element, "direction", (1.0, 0.0, 0.0)),
        direction_frame=GROUND if context.boolean(element, "force_is_global", False) else body,
        **read_properties(context, element),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    point_body = lookup.bodies([spec.point_frame for spec in specs])
    direction_body = lookup.bodies([spec.direction_frame for spec in specs])
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        body_names=tuple(spec.body for spec in specs),
        mobod=lookup.carriers(lookup.bodies([spec.body for spec in specs])),
        point_body=point_body,
        point_mobod=lookup.carriers(point_body),
        direction_body=direction_body,
        direction_mobod=lookup.carriers(direction_body),
        control=lookup.controls([spec.name for spec in specs]),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_actuator": structure.names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """Points and directions in the frames of the mobilized bodies that carry them."""
    direction = unit(params.direction)
    return Instance(
        point=frames.carried(structure.point_body, params.point),
        direction=matvec(frames.rotation[structure.direction_body], direction),
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all actuators."""
    size = actuation(structure, params.optimal_force, controls)
    direction = wrenches.directions(kinematics, structure.direction_mobod, instance.direction)
    point = wrenches.points(kinematics, structure.point_mobod, instance.point)
    wrench = wrenches.force_wrenches(point, scale_rows(direction, size))
    return Info(actuation=size, wrench=wrenches.on_bodies(wrench, structure.mobod, kinematics))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the body that each acts on."""
    return Description(str(len(structure.names)), rows(structure, structure.body_names))
