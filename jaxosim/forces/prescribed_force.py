"""PrescribedForce: a force at a point of a body, and a torque on it, that are functions of time.

Source: OpenSim `PrescribedForce`; see docs/theory/two_frame_forces.md, "Prescribed forces".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import matmul, matvec, transpose
from jaxosim.forces import wrenches
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics
from jaxosim.functions import FunctionBank, FunctionParams, FunctionSpec
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import build as compile_functions
from jaxosim.functions.bank import function_sizes
from jaxosim.functions.constant import Spec as ConstantSpec
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context, member_list
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.osim.functions import argument_count, read_function_element
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec
from jaxosim.pytree import array, pytree

FIELD = "prescribed_forces"
TAGS = ("PrescribedForce",)
_SETS = ("forceFunctions", "pointFunctions", "torqueFunctions")
_NONE = (ConstantSpec(0.0),) * 3


@dataclass(frozen=True)
class Spec:
    """Functions of time for the components of force, point and torque; none for what is absent."""

    name: str
    frame: FrameSpec
    functions: tuple[tuple[FunctionSpec, ...], ...]
    force_is_global: bool = True
    point_is_global: bool = False
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The body of each force, and which of its parts there are."""

    names: tuple[str, ...]
    body: np.ndarray  # [prescribed_force] −1 for ground
    mobod: np.ndarray  # [prescribed_force] −1 finds ground, the last frame
    given: np.ndarray  # [prescribed_force, 3] bool: force, point, torque
    force_is_global: np.ndarray  # [prescribed_force] bool, also of torques
    point_is_global: np.ndarray  # [prescribed_force] bool
    functions: FunctionBank  # force · 9 + part · 3 + axis


@pytree
class Params:
    """The frames of the forces, on their bodies, and the functions of time."""

    translation: jax.Array = array("prescribed_force", 3, unit="m")
    orientation: jax.Array = array("prescribed_force", 3, unit="rad")
    functions: FunctionParams = field()


@pytree
class Instance:
    """The frames in the mobilized bodies that carry them."""

    rotation: jax.Array = array("prescribed_force", 3, 3, unit="1")
    position: jax.Array = array("prescribed_force", 3, unit="m")


@pytree
class Info(ForceInfo):
    """What each force does, in ground, and the point in its frame."""

    force: jax.Array = array("prescribed_force", 3, unit="N")
    point: jax.Array = array("prescribed_force", 3, unit="m")
    torque: jax.Array = array("prescribed_force", 3, unit="N·m")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")  # about the common point


@pytree
class Outputs:
    """What each force reports: force and torque in ground, the point in its frame."""

    force: jax.Array = array("prescribed_force", 3, unit="N")
    point: jax.Array = array("prescribed_force", 3, unit="m")
    torque: jax.Array = array("prescribed_force", 3, unit="N·m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: the frame does not exist, or a set has not three functions of one argument.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        frame=resolve_frame(context, component, "socket_frame"),
        functions=tuple(_read_functions(context, element, name) for name in _SETS),
        force_is_global=context.boolean(element, "forceIsGlobal", True),
        point_is_global=context.boolean(element, "pointIsGlobal", False),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def _read_functions(context: Context, element: Element, name: str) -> tuple[FunctionSpec, ...]:
    members = member_list(context.object_property(element, name, ()), "objects")
    if len(members) not in (0, 3):
        raise element.error(f"expected three functions in {name}, or none, found {len(members)}")
    functions = tuple(read_function_element(context, member) for member in members)
    for function in functions:
        if argument_count(function) not in (None, 1):
            count = argument_count(function)
            raise element.error(f"expected in {name} functions of one argument, found {count}")
    return functions


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    components = [one for spec in specs for part in spec.functions for one in part or _NONE]
    bank, coefficients = compile_functions(components, lookup.source)
    body = lookup.bodies([spec.frame.body for spec in specs])
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        body=body,
        mobod=lookup.carriers(body),
        given=np.array([[bool(p) for p in spec.functions] for spec in specs]).reshape(-1, 3),
        force_is_global=np.array([spec.force_is_global for spec in specs], bool),
        point_is_global=np.array([spec.point_is_global for spec in specs], bool),
        functions=bank,
    )
    params = Params(
        translation=np.array([s.frame.translation for s in specs], float).reshape(-1, 3),
        orientation=np.array([s.frame.orientation for s in specs], float).reshape(-1, 3),
        functions=coefficients,
    )
    return structure, params


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"prescribed_force": structure.names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """The frames in the mobilized bodies that carry them."""
    return Instance(
        rotation=frames.turned(structure.body, params.orientation),
        position=frames.carried(structure.body, params.translation),
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all, at this time."""
    time = jnp.broadcast_to(kinematics.time, (structure.functions.count,))
    values = evaluate_functions(structure.functions, params.functions, time).value
    force, given_point, torque = jnp.moveaxis(values.reshape(-1, 3, 3), 1, 0)
    pose = take(kinematics.pose, structure.mobod)
    rotation = matmul(pose[..., :3], instance.rotation)
    origin = matvec(pose[..., :3], instance.position) + pose[..., 3]
    in_ground = structure.force_is_global[:, None]
    force, torque = (jnp.where(in_ground, x, matvec(rotation, x)) for x in (force, torque))
    in_ground = (structure.point_is_global & structure.given[:, 1])[:, None]
    ground = kinematics.pose[-1:, :, 3]  # its origin from the common point
    point = jnp.where(in_ground, given_point + ground, origin + matvec(rotation, given_point))
    wrench = wrenches.force_wrenches(point, force) + wrenches.torque_wrenches(torque)
    return Info(
        force=force,
        point=matvec(transpose(rotation), point - origin),
        torque=torque,
        wrench=wrenches.on_bodies(wrench, structure.mobod, kinematics),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(force=info.force, point=info.point, torque=info.torque)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force, point and torque, as far as they are given."""
    rows = zip(outputs.force, outputs.point, outputs.torque, strict=True)
    found = {}
    for name, (force, point, torque), parts in zip(
        structure.names, rows, structure.given, strict=True
    ):
        has_force, has_point, has_torque = parts
        shown = [(force, has_force), (point, has_force and has_point), (torque, has_torque)]
        found[name] = [float(x) for values, given in shown if given for x in np.asarray(values)]
    return found


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    rows = [(name, "a body, by time") for name in structure.names]
    return Description(str(len(structure.names)), rows)
