"""ExpressionBasedPointToPointForce: a formula of distance and its rate pulls two points together.

Source: OpenSim `ExpressionBasedPointToPointForce`; see docs/theory/two_frame_forces.md,
"Forces between two points" and "Expressions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax

from jaxosim.forces import two_points
from jaxosim.forces.force import Kinematics, MobilityJacobian, read_expression
from jaxosim.forces.two_points import (
    Info,
    Instance,
    Line,
    Outputs,
    describe,
    outputs,
    realize_instance,
    records,
)
from jaxosim.functions.expressions import Expression, evaluate_each, slopes
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.spec import FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Info", "Outputs", "Structure", "describe", "outputs", "realize_instance", "records"]

FIELD = "point_expressions"
TAGS = ("ExpressionBasedPointToPointForce",)
VARIABLES = ("d", "ddot")


@dataclass(frozen=True)
class Spec:
    """A force between two points, each given in a frame."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]
    points: tuple[Vec3, Vec3]
    expression: Expression
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure(two_points.Structure):
    """The bodies that each force connects, and its formula."""

    expressions: tuple[Expression, ...]


@pytree
class Params:
    """The points of the forces; other numbers are part of the formulas."""

    location: jax.Array = array(2, "point_expression", 3, unit="m")  # on their bodies
    reported_location: jax.Array = array(2, "point_expression", 3, unit="m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: a frame does not exist, or the formula cannot be read.
    """
    element = component.element
    assert element is not None
    first, second = (_read_frame(context, component, f"body{i}") for i in (1, 2))
    return Spec(
        name=element.name,
        frames=(first, second),
        points=two_points.read_points(context, component),
        expression=read_expression(context, element, "expression", VARIABLES),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def _read_frame(context: Context, component: Component, tag: str) -> FrameSpec:
    """A property that is the path of a frame from the model, or a name in the BodySet."""
    root = component
    while root.owner is not None:
        root = root.owner
    assert component.element is not None
    name = context.text(component.element, tag)
    found = root.find(name) if name else root
    path = f"/{name}" if found is not None and found is not root else f"/bodyset/{name}"
    return resolve_frame(context, component, tag, path)


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    shared, numbers = two_points.build(specs, lookup)
    structure = Structure(
        names=shared.names,
        pairs=shared.pairs,
        expressions=tuple(spec.expression for spec in specs),
    )
    return structure, Params(**numbers)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"point_expression": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all forces."""
    line = two_points.realize_line(structure, instance, kinematics)
    tension = evaluate_each(structure.expressions, _variables(line))
    return two_points.info(structure, line, tension, kinematics)


def _variables(line: Line) -> dict[str, jax.Array]:
    """What formulas may use, `[force]`."""
    return dict(zip(VARIABLES, (line.length, line.lengthening_speed), strict=True))


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """The formulas' derivatives; arguments as for `hunt_crossley_jacobian.jacobian`."""
    variables = _variables(info.line)
    stiffness, damping = (slopes(structure.expressions, variables, name) for name in VARIABLES)
    return two_points.jacobian(structure, kinematics, info, damping, stiffness)
