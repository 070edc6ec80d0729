"""BodyActuator: a torque on a body and a force at a point of it, which are six controls.

Source: OpenSim `BodyActuator`; see docs/theory/actuators.md, "Forces on bodies".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import matvec
from jaxosim.forces import wrenches
from jaxosim.forces.actuator import rows
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_body
from jaxosim.models.spec import GROUND, ZERO, ControlSpec, Vec3
from jaxosim.pytree import array, pytree

FIELD = "body_actuators"
TAGS = ("BodyActuator",)

_COUNT = 6  # controls: a torque, then a force


@dataclass(frozen=True)
class Spec:
    """An actuator of a body; the point is in `point_frame`, the controls in `force_frame`."""

    name: str
    body: str
    point: Vec3 = ZERO
    point_frame: str = GROUND
    force_frame: str = GROUND
    applies_force: bool = True

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """The six, named as Moco does."""
        return tuple(ControlSpec(f"{self.name}_{i}", -math.inf, math.inf) for i in range(_COUNT))


@dataclass(frozen=True, eq=False)
class Structure:
    """Body and controls of each actuator."""

    names: tuple[str, ...]
    body_names: tuple[str, ...]  # [body_actuator]
    mobod: np.ndarray  # [body_actuator]
    point_body: np.ndarray  # [body_actuator] in which the point is given, −1 for ground
    point_mobod: np.ndarray  # [body_actuator] −1 for ground
    force_body: np.ndarray  # [body_actuator] in which torque and force are given, −1 for ground
    force_mobod: np.ndarray  # [body_actuator] −1 for ground
    control: np.ndarray  # [body_actuator] the first of six


@pytree
class Params:
    """Actuators of bodies."""

    point: jax.Array = array("body_actuator", 3, unit="m")  # in its body, or in ground


@pytree
class Instance:
    """In the frames of the mobilized bodies that carry them."""

    point: jax.Array = array("body_actuator", 3, unit="m")
    rotation: jax.Array = array("body_actuator", 3, 3, unit="1")  # of the force's body


@pytree
class Info(ForceInfo):
    """What each actuator does, in ground."""

    torque: jax.Array = array("body_actuator", 3, unit="N·m")
    force: jax.Array = array("body_actuator", 3, unit="N")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each actuator does, in ground."""

    torque: jax.Array = array("body_actuator", 3, unit="N·m")
    force: jax.Array = array("body_actuator", 3, unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator."""
    element = component.element
    assert element is not None
    body = resolve_body(context, component, "socket_body")
    in_ground = context.boolean(element, "spatial_force_is_global", True)
    return Spec(
        name=element.name,
        body=body,
        point=context.vector(element, "point", ZERO),
        point_frame=GROUND if context.boolean(element, "point_is_global", False) else body,
        force_frame=GROUND if in_ground else body,
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    point_body = lookup.bodies([spec.point_frame for spec in specs])
    force_body = lookup.bodies([spec.force_frame for spec in specs])
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        body_names=tuple(spec.body for spec in specs),
        mobod=lookup.carriers(lookup.bodies([spec.body for spec in specs])),
        point_body=point_body,
        point_mobod=lookup.carriers(point_body),
        force_body=force_body,
        force_mobod=lookup.carriers(force_body),
        control=lookup.controls([spec.name for spec in specs]),
    )
    return structure, Params(point=np.array([s.point for s in specs], float).reshape(-1, 3))


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"body_actuator": structure.names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """Points and bodies in the frames of the mobilized bodies that carry them."""
    return Instance(
        point=frames.carried(structure.point_body, params.point),
        rotation=frames.rotation[structure.force_body],
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Torques and forces of all actuators."""
    given = take(controls, (structure.control[:, None] + np.arange(_COUNT)).reshape(-1))
    given = given.reshape(len(structure.names), 2, 3)
    torque, force = (
        wrenches.directions(
            kinematics, structure.force_mobod, matvec(instance.rotation, given[:, half])
        )
        for half in range(2)
    )
    point = wrenches.points(kinematics, structure.point_mobod, instance.point)
    wrench = wrenches.torque_wrenches(torque) + wrenches.force_wrenches(point, force)
    return Info(
        torque=torque,
        force=force,
        wrench=wrenches.on_bodies(wrench, structure.mobod, kinematics),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(torque=info.torque, force=info.force)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """No record values: OpenSim has none of this class."""
    return {name: [] for name in structure.names}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the body that each acts on."""
    return Description(str(len(structure.names)), rows(structure, structure.body_names))
