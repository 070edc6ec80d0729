"""PathSpring: a spring along a path, whose tension grows with stretch and with lengthening speed.

T = k s (1 + d L̇), with s the stretch beyond the resting length, zero while the path is shorter.
As in OpenSim, a path that shortens faster than 1/d pushes.

Source: OpenSim `PathSpring`; see docs/theory/paths.md, "Path springs".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import put, take
from jaxosim.arrays.safe import clip
from jaxosim.forces.force import Description, ForceInfo, Kinematics, PathJacobian, number_records
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "path_springs"
TAGS = ("PathSpring",)


@dataclass(frozen=True)
class Spec:
    """A spring along a path; numbers are SI."""

    name: str
    path: paths.PathSpec
    resting_length: float
    stiffness: float
    dissipation: float
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The path of each spring."""

    names: tuple[str, ...]
    path: np.ndarray  # [path_spring]


@pytree
class Params:
    """Springs along paths."""

    resting_length: jax.Array = array("path_spring", unit="m")
    stiffness: jax.Array = array("path_spring", unit="N/m")
    dissipation: jax.Array = array("path_spring", unit="s/m")


@pytree
class Info(ForceInfo):
    """What each spring does."""

    tension: jax.Array = array("path_spring", unit="N")
    path_tension: jax.Array = array("path", unit="N")


@pytree
class Outputs:
    """What each spring reports."""

    tension: jax.Array = array("path_spring", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one spring.

    Raises:
      OsimFormatError: a number is missing or negative, which OpenSim refuses too.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        path=paths.read(context, component),
        resting_length=context.number(element, "resting_length", None, least=0),
        stiffness=context.number(element, "stiffness", None, least=0),
        dissipation=context.number(element, "dissipation", None, least=0),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        path=lookup.paths([spec.name for spec in specs]),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"path_spring": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all springs."""
    speed = take(kinematics.lengthening_speed, structure.path)
    tension = params.stiffness * _stretch(structure, params, kinematics)
    tension = tension * (1 + params.dissipation * speed)
    count = len(kinematics.path_length)
    return Info(tension=tension, path_tension=put(tension, structure.path, count))


def _stretch(structure: Structure, params: Params, kinematics: Kinematics) -> jax.Array:
    """Length beyond the resting length, never negative, `[path_spring]` (m)."""
    length = take(kinematics.path_length, structure.path)
    return clip(length - params.resting_length, low=0.0)


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> PathJacobian:
    """Damping and stiffness along the paths; arguments as for `hunt_crossley_jacobian.jacobian`."""
    stretch = _stretch(structure, params, kinematics)
    speed = take(kinematics.lengthening_speed, structure.path)
    stiffness = clip(params.stiffness * (1 + params.dissipation * speed), low=0.0)
    along = (
        params.stiffness * params.dissipation * stretch,
        jnp.where(stretch > 0, stiffness, 0.0),
    )
    return PathJacobian(*(put(x, structure.path, len(kinematics.path_length)) for x in along))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(tension=info.tension)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the tension."""
    return number_records(structure.names, outputs.tension)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(name, "a path") for name in structure.names])
