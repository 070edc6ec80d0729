"""ExpressionBasedBushingForce: elastic forces that are formulas of the six deflections.

Source: OpenSim `ExpressionBasedBushingForce`; see docs/theory/two_frame_forces.md, "Bushings" and
"Expressions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax

from jaxosim.arrays.indexing import stack
from jaxosim.arrays.safe import clip
from jaxosim.forces import bushings, two_frames
from jaxosim.forces.bushings import Deflection, Info, Outputs, describe, realize_instance, records
from jaxosim.forces.force import Kinematics, MobilityJacobian, read_expression
from jaxosim.functions.expressions import Expression, evaluate_each, slopes
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Info", "Outputs", "Structure", "describe", "realize_instance", "records"]

FIELD = "expression_bushings"
TAGS = ("ExpressionBasedBushingForce",)
VARIABLES = ("theta_x", "theta_y", "theta_z", "delta_x", "delta_y", "delta_z")
_EXPRESSIONS = tuple(f"{letter}{axis}_expression" for letter in "MF" for axis in "xyz")


@dataclass(frozen=True)
class Spec:
    """A bushing between two frames; `expressions` are of the moments, then of the forces."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]
    expressions: tuple[Expression, ...]
    rotational_damping: Vec3 = ZERO
    translational_damping: Vec3 = ZERO
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure(bushings.Structure):
    """The bodies that each bushing connects, and its formulas."""

    expressions: tuple[tuple[Expression, ...], ...]  # [deflection][bushing]


@pytree
class Params:
    """Where the bushings are, and their damping; other numbers are part of the formulas."""

    translation: jax.Array = array(2, "expression_bushing", 3, unit="m")  # on their bodies
    orientation: jax.Array = array(2, "expression_bushing", 3, unit="rad")
    rotational_damping: jax.Array = array("expression_bushing", 3, unit="N·m·s/rad")
    translational_damping: jax.Array = array("expression_bushing", 3, unit="N·s/m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one bushing.

    Raises:
      OsimFormatError: a frame does not exist, or a formula cannot be read.
    """
    element = component.element
    assert element is not None
    rotational, translational = bushings.read_damping(context, component)
    return Spec(
        name=element.name,
        frames=bushings.read_frames(context, component),
        expressions=tuple(
            read_expression(context, element, tag, VARIABLES) for tag in _EXPRESSIONS
        ),
        rotational_damping=rotational,
        translational_damping=translational,
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    shared, numbers = bushings.build(specs, lookup)
    expressions = tuple(tuple(spec.expressions[row] for spec in specs) for row in range(6))
    structure = Structure(names=shared.names, pairs=shared.pairs, expressions=expressions)
    return structure, Params(**numbers)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"expression_bushing": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: two_frames.Placement,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all bushings."""
    deflection = bushings.realize_deflection(structure, instance, kinematics)
    variables = _variables(deflection)
    elastic = -stack([evaluate_each(one, variables) for one in structure.expressions], axis=-1)
    return bushings.info(structure, params, deflection, elastic, kinematics)


def _variables(deflection: Deflection) -> dict[str, jax.Array]:
    """The deflections by their names in formulas, `[bushing]` each."""
    return {name: deflection.value[:, column] for column, name in enumerate(VARIABLES)}


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Damping, and the stiffness of each formula against its own deflection.

    Arguments are as for `hunt_crossley_jacobian.jacobian`.
    """
    variables = _variables(info.deflection)
    own = zip(structure.expressions, VARIABLES, strict=True)
    stiffness = stack([slopes(one, variables, name) for one, name in own], axis=-1)
    return bushings.jacobian(structure, params, kinematics, info, clip(stiffness, low=0.0))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return bushings.outputs_about_frames(info)
