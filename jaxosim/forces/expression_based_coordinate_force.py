"""ExpressionBasedCoordinateForce: a formula of a coordinate's value and speed acts on it.

Source: OpenSim `ExpressionBasedCoordinateForce`; see docs/theory/coordinate_forces.md,
"Expression-based coordinate forces".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.safe import clip
from jaxosim.forces.force import (
    CoordinateJacobian,
    Description,
    ForceInfo,
    Kinematics,
    number_records,
    read_coordinate,
    read_expression,
)
from jaxosim.functions.expressions import Expression, evaluate_each, slopes
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.pytree import array, pytree

FIELD = "coordinate_expressions"
TAGS = ("ExpressionBasedCoordinateForce",)
VARIABLES = ("q", "qdot")


@dataclass(frozen=True)
class Spec:
    """A formula on a coordinate."""

    name: str
    coordinate: str
    expression: Expression
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The coordinate and formula of each force."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [coordinate_expression]
    expressions: tuple[Expression, ...]


@pytree
class Params:
    """None: all numbers are part of the formulas."""


@pytree
class Info(ForceInfo):
    """What each force does."""

    force: jax.Array = array("coordinate_expression", unit="N·m | N")
    coordinate_force: jax.Array = array("coordinate", unit="N·m | N")


@pytree
class Outputs:
    """What each force reports."""

    force: jax.Array = array("coordinate_expression", unit="N·m | N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: the coordinate does not exist, or the formula cannot be read.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        coordinate=read_coordinate(context, element),
        expression=read_expression(context, element, "expression", VARIABLES),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and formulas."""
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        coordinate=lookup.coordinates([spec.coordinate for spec in specs]),
        expressions=tuple(spec.expression for spec in specs),
    )
    return structure, Params()


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"coordinate_expression": structure.names}


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates whose values the forces depend on."""
    return structure.coordinate


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Values of all formulas."""
    force = evaluate_each(structure.expressions, _variables(structure, kinematics))
    count = len(kinematics.q)
    return Info(force=force, coordinate_force=segment_sum(force, structure.coordinate, count))


def _variables(structure: Structure, kinematics: Kinematics) -> dict[str, jax.Array]:
    """What formulas may use, `[coordinate_expression]`."""
    values = (take(x, structure.coordinate) for x in (kinematics.q, kinematics.u))
    return dict(zip(VARIABLES, values, strict=True))


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> CoordinateJacobian:
    """The formulas' derivatives; arguments as for `hunt_crossley_jacobian.jacobian`."""
    variables = _variables(structure, kinematics)
    stiffness, damping = (
        clip(-slopes(structure.expressions, variables, name), low=0.0) for name in VARIABLES
    )
    count = len(kinematics.q)
    return CoordinateJacobian(
        *(segment_sum(values, structure.coordinate, count) for values in (damping, stiffness))
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(force=info.force)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the force."""
    return number_records(structure.names, outputs.force)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the coordinate that each acts on."""
    acts_on = [coordinate_names[int(c)] for c in structure.coordinate]
    return Description(str(len(acts_on)), list(zip(structure.names, acts_on, strict=True)))
