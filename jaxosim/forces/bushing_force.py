"""BushingForce: linear springs and dampers against six deflections of two frames.

OpenSim also integrates the energy that a bushing dissipates, on which nothing depends; it is not a
state here.

Source: OpenSim `BushingForce`; Simbody `Force::LinearBushing`; see
docs/theory/two_frame_forces.md, "Bushings".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax

from jaxosim.arrays.indexing import concatenate
from jaxosim.forces import bushings, two_frames
from jaxosim.forces.bushings import Info, Outputs, Structure, describe, realize_instance, records
from jaxosim.forces.force import Kinematics, MobilityJacobian
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Info", "Outputs", "Structure", "describe", "realize_instance", "records"]

FIELD = "bushings"
TAGS = ("BushingForce",)
_NUMBERS = (
    "rotational_stiffness",
    "translational_stiffness",
    "rotational_damping",
    "translational_damping",
)


@dataclass(frozen=True)
class Spec:
    """A bushing between two frames; numbers are SI."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]
    rotational_stiffness: Vec3 = ZERO
    translational_stiffness: Vec3 = ZERO
    rotational_damping: Vec3 = ZERO
    translational_damping: Vec3 = ZERO
    applies_force: bool = True


@pytree
class Params:
    """Where the bushings are, and how stiff."""

    translation: jax.Array = array(2, "bushing", 3, unit="m")  # of both frames, on their bodies
    orientation: jax.Array = array(2, "bushing", 3, unit="rad")
    rotational_stiffness: jax.Array = array("bushing", 3, unit="N·m/rad")
    translational_stiffness: jax.Array = array("bushing", 3, unit="N/m")
    rotational_damping: jax.Array = array("bushing", 3, unit="N·m·s/rad")
    translational_damping: jax.Array = array("bushing", 3, unit="N·s/m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one bushing.

    Raises:
      OsimFormatError: a stiffness or damping is negative, which OpenSim refuses too.
    """
    element = component.element
    assert element is not None
    values = {tag: context.vector(element, tag, ZERO) for tag in _NUMBERS}
    for tag, value in values.items():
        if min(value) < 0.0:
            raise element.error(f"expected a {tag} of 0 or more, found {min(value)}")
    return Spec(
        name=element.name,
        frames=bushings.read_frames(context, component),
        applies_force=context.boolean(element, "appliesForce", True),
        **values,
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure, numbers = bushings.build(specs, lookup)
    stiffness = {tag: bushings.vectors(specs, tag) for tag in _NUMBERS[:2]}
    return structure, Params(**numbers, **stiffness)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"bushing": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: two_frames.Placement,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all bushings."""
    deflection = bushings.realize_deflection(structure, instance, kinematics)
    elastic = -_stiffness(params) * deflection.value
    return bushings.info(structure, params, deflection, elastic, kinematics)


def _stiffness(params: Params) -> jax.Array:
    """Stiffness along the deflections, `[bushing, 6]`."""
    return concatenate([params.rotational_stiffness, params.translational_stiffness], axis=-1)


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Damping and stiffness; arguments as for `hunt_crossley_jacobian.jacobian`."""
    return bushings.jacobian(structure, params, kinematics, info, _stiffness(params))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return bushings.outputs_about_bodies(structure, info, body_position)
