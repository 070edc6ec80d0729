"""ExpressionBasedPathForce: the tension of a path is a formula of its stretch and its speed.

The stretch beyond the resting length is called `s`, the lengthening speed `ldot`. With
`clamp_stretch`, OpenSim's default, the stretch of a path shorter than its resting length is zero.

Source: OpenSim `ExpressionBasedPathForce`; see docs/theory/paths.md, "Formulas along paths".
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
from jaxosim.forces.force import (
    Description,
    ForceInfo,
    Kinematics,
    PathJacobian,
    number_records,
    read_expression,
)
from jaxosim.functions.expressions import Expression, evaluate_each, slopes
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "path_expressions"
TAGS = ("ExpressionBasedPathForce",)
VARIABLES = ("s", "ldot")


@dataclass(frozen=True)
class Spec:
    """A formula along a path; numbers are SI."""

    name: str
    path: paths.PathSpec
    expression: Expression
    resting_length: float = 0.0
    clamp_stretch: bool = True
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """Path and formula of each force."""

    names: tuple[str, ...]
    path: np.ndarray  # [path_expression]
    clamp_stretch: np.ndarray  # [path_expression] bool
    expressions: tuple[Expression, ...]


@pytree
class Params:
    """Formulas along paths; other numbers are part of the formulas."""

    resting_length: jax.Array = array("path_expression", unit="m")


@pytree
class Info(ForceInfo):
    """What each force does."""

    tension: jax.Array = array("path_expression", unit="N")
    path_tension: jax.Array = array("path", unit="N")


@pytree
class Outputs:
    """What each force reports."""

    tension: jax.Array = array("path_expression", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: there is no path, the formula cannot be read, or the resting length is
        negative, which OpenSim refuses too.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        path=paths.read(context, component),
        expression=read_expression(context, element, "expression", VARIABLES),
        resting_length=context.number(element, "resting_length", 0.0, least=0),
        clamp_stretch=context.boolean(element, "clamp_stretch", True),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        path=np.array([lookup.path[spec.name] for spec in specs], int),
        clamp_stretch=np.array([spec.clamp_stretch for spec in specs], bool),
        expressions=tuple(spec.expression for spec in specs),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"path_expression": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all paths."""
    tension = evaluate_each(structure.expressions, _variables(structure, params, kinematics))
    count = len(kinematics.path_length)
    return Info(tension=tension, path_tension=put(tension, structure.path, count))


def _variables(
    structure: Structure, params: Params, kinematics: Kinematics
) -> dict[str, jax.Array]:
    """What formulas may use, `[path_expression]`."""
    stretch = take(kinematics.path_length, structure.path) - params.resting_length
    stretch = jnp.where(structure.clamp_stretch & (stretch < 0), 0.0, stretch)
    return {"s": stretch, "ldot": take(kinematics.lengthening_speed, structure.path)}


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> PathJacobian:
    """The formulas' derivatives; arguments as for `hunt_crossley_jacobian.jacobian`."""
    variables = _variables(structure, params, kinematics)
    stiffness, damping = (
        clip(slopes(structure.expressions, variables, name), low=0.0) for name in VARIABLES
    )
    slack = structure.clamp_stretch & (variables["s"] <= 0)
    along = damping, jnp.where(slack, 0.0, stiffness)
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
