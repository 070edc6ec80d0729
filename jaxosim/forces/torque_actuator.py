"""TorqueActuator: a torque on a body and its opposite on another, in proportion to a control.

Source: OpenSim `TorqueActuator`; see docs/theory/actuators.md, "Forces on bodies".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate
from jaxosim.arrays.linalg import scale_rows
from jaxosim.arrays.safe import unit
from jaxosim.forces import wrenches
from jaxosim.forces.actuator import ActuatorSpec, actuation, read_properties, rows
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics, number_records
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_named_frame
from jaxosim.models.spec import GROUND, FrameSpec, Vec3
from jaxosim.pytree import array, pytree

FIELD = "torque_actuators"
TAGS = ("TorqueActuator",)


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator between two bodies; the axis is expressed in `axis_frame`."""

    body_a: str
    body_b: str
    axis: Vec3 = (0.0, 0.0, 1.0)
    axis_frame: FrameSpec = FrameSpec(GROUND)


@dataclass(frozen=True, eq=False)
class Structure:
    """Bodies and control of each actuator."""

    names: tuple[str, ...]
    body_names: tuple[tuple[str, str], ...]  # [torque_actuator] A and B
    mobod_a: np.ndarray  # [torque_actuator] −1 for ground
    mobod_b: np.ndarray  # [torque_actuator] −1 for ground
    axis_body: np.ndarray  # [torque_actuator] −1 for ground
    axis_mobod: np.ndarray  # [torque_actuator] −1 for ground
    control: np.ndarray  # [torque_actuator]


@pytree
class Params:
    """Actuators between bodies."""

    optimal_force: jax.Array = array("torque_actuator", unit="N·m")  # at a control of 1
    axis: jax.Array = array("torque_actuator", 3, unit="1")  # of any length
    orientation: jax.Array = array("torque_actuator", 3, unit="rad")  # of the axis's frame


@pytree
class Instance:
    """Axes of length 1 in the frames of the mobilized bodies that carry them."""

    axis: jax.Array = array("torque_actuator", 3, unit="1")


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("torque_actuator", unit="N·m")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("torque_actuator", unit="N·m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator."""
    element = component.element
    assert element is not None
    frame_a, frame_b = (resolve_named_frame(context, component, tag) for tag in ("bodyA", "bodyB"))
    in_ground = context.boolean(element, "torque_is_global", True)
    return Spec(
        body_a=frame_a.body,
        body_b=frame_b.body,
        axis=wrenches.read_direction(context, element, "axis", (0.0, 0.0, 1.0)),
        axis_frame=FrameSpec(GROUND) if in_ground else frame_a,
        **read_properties(context, element),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    axis_body = lookup.bodies([spec.axis_frame.body for spec in specs])
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        body_names=tuple((spec.body_a, spec.body_b) for spec in specs),
        mobod_a=lookup.carriers(lookup.bodies([spec.body_a for spec in specs])),
        mobod_b=lookup.carriers(lookup.bodies([spec.body_b for spec in specs])),
        axis_body=axis_body,
        axis_mobod=lookup.carriers(axis_body),
        control=lookup.controls([spec.name for spec in specs]),
    )
    params = Params(
        optimal_force=np.array([spec.optimal_force for spec in specs], float),
        axis=np.array([spec.axis for spec in specs], float).reshape(-1, 3),
        orientation=np.array([spec.axis_frame.orientation for spec in specs], float).reshape(-1, 3),
    )
    return structure, params


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"torque_actuator": structure.names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """Axes in the frames of the mobilized bodies that carry them."""
    axis = unit(params.axis)
    return Instance(
        axis=wrenches.carried_directions(frames, structure.axis_body, params.orientation, axis)
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Torques of all actuators."""
    size = actuation(structure, params.optimal_force, controls)
    axis = wrenches.directions(kinematics, structure.axis_mobod, instance.axis)
    wrench = wrenches.torque_wrenches(scale_rows(axis, size))
    return Info(
        actuation=size,
        wrench=wrenches.on_bodies(
            concatenate([wrench, -wrench]),
            np.concatenate([structure.mobod_a, structure.mobod_b]),
            kinematics,
        ),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the bodies that each turns."""
    acts_on = [", ".join(bodies) for bodies in structure.body_names]
    return Description(str(len(acts_on)), rows(structure, acts_on))
