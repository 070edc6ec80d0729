"""PointToPointSpring: a linear spring between two points of different bodies.

T = k (L − L₀), also where it pushes.

Source: OpenSim `PointToPointSpring`; Simbody `Force::TwoPointLinearSpring`; see
docs/theory/two_frame_forces.md, "Forces between two points".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.errors import quote
from jaxosim.forces import two_points
from jaxosim.forces.force import Kinematics, MobilityJacobian
from jaxosim.forces.two_points import (
    Info,
    Instance,
    Outputs,
    Structure,
    describe,
    outputs,
    realize_instance,
    records,
)
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.spec import FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Info", "Outputs", "Structure", "describe", "outputs", "realize_instance", "records"]

FIELD = "point_springs"
TAGS = ("PointToPointSpring",)


@dataclass(frozen=True)
class Spec:
    """A spring between two points, each given in a frame; numbers are SI."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]
    points: tuple[Vec3, Vec3]
    stiffness: float = 1.0
    rest_length: float = 0.0
    applies_force: bool = True


@pytree
class Params:
    """Springs between two points."""

    location: jax.Array = array(2, "point_spring", 3, unit="m")  # on their bodies
    reported_location: jax.Array = array(2, "point_spring", 3, unit="m")
    stiffness: jax.Array = array("point_spring", unit="N/m")
    rest_length: jax.Array = array("point_spring", unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one spring.

    Raises:
      OsimFormatError: a frame does not exist, or both are on one body, which OpenSim refuses too.
    """
    element = component.element
    assert element is not None
    first, second = (resolve_frame(context, component, f"socket_body{i}") for i in (1, 2))
    if first.body == second.body:
        raise element.error(f"expected points of two bodies, found both on {quote(first.body)}")
    return Spec(
        name=element.name,
        frames=(first, second),
        points=two_points.read_points(context, component),
        stiffness=context.number(element, "stiffness", 1.0),
        rest_length=context.number(element, "rest_length", 0.0),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure, numbers = two_points.build(specs, lookup)
    stiffness = np.array([spec.stiffness for spec in specs], float)
    rest_length = np.array([spec.rest_length for spec in specs], float)
    return structure, Params(stiffness=stiffness, rest_length=rest_length, **numbers)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_spring": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all springs."""
    line = two_points.realize_line(structure, instance, kinematics)
    tension = params.stiffness * (line.length - params.rest_length)
    return two_points.info(structure, line, tension, kinematics)


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Stiffness; arguments as for `hunt_crossley_jacobian.jacobian`."""
    none = jnp.zeros_like(params.stiffness)
    return two_points.jacobian(structure, kinematics, info, none, params.stiffness)
