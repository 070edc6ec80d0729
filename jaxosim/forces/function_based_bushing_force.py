"""FunctionBasedBushingForce: elastic forces that are functions of one deflection each.

Source: OpenSim `FunctionBasedBushingForce`; see docs/theory/two_frame_forces.md, "Bushings".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax

from jaxosim.arrays.safe import clip
from jaxosim.forces import bushings, two_frames
from jaxosim.forces.bushings import Info, Outputs, describe, realize_instance, records
from jaxosim.forces.force import Kinematics, MobilityJacobian
from jaxosim.functions import FunctionBank, FunctionParams, FunctionSpec, FunctionValues
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import build as compile_functions
from jaxosim.functions.bank import function_sizes
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.functions import argument_count, read_function
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree

__all__ = ["Info", "Outputs", "Structure", "describe", "realize_instance", "records"]

FIELD = "function_bushings"
TAGS = ("FunctionBasedBushingForce",)
_FUNCTIONS = (
    *(f"m_{axis}_theta_{axis}_function" for axis in "xyz"),
    *(f"f_{axis}_delta_{axis}_function" for axis in "xyz"),
)


@dataclass(frozen=True)
class Spec:
    """A bushing between two frames; `functions` are of the moments, then of the forces."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]
    functions: tuple[FunctionSpec, ...]
    rotational_damping: Vec3 = ZERO
    translational_damping: Vec3 = ZERO
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure(bushings.Structure):
    """The bodies that each bushing connects, and its functions."""

    functions: FunctionBank  # bushing · 6 + deflection


@pytree
class Params:
    """Where the bushings are, their functions and damping."""

    translation: jax.Array = array(2, "function_bushing", 3, unit="m")  # on their bodies
    orientation: jax.Array = array(2, "function_bushing", 3, unit="rad")
    rotational_damping: jax.Array = array("function_bushing", 3, unit="N·m·s/rad")
    translational_damping: jax.Array = array("function_bushing", 3, unit="N·s/m")
    functions: FunctionParams = field()


def read(context: Context, component: Component) -> Spec:
    """What the file says of one bushing.

    Raises:
      OsimFormatError: a frame does not exist, or a function is not one of one argument.
    """
    element = component.element
    assert element is not None
    rotational, translational = bushings.read_damping(context, component)
    found = tuple(read_function(context, element, name, optional=True) for name in _FUNCTIONS)
    for name, function in zip(_FUNCTIONS, found, strict=True):
        if argument_count(function) not in (None, 1):
            raise element.error(
                f"expected in {name} a function of one argument, found {argument_count(function)}"
            )
    return Spec(
        name=element.name,
        frames=bushings.read_frames(context, component),
        functions=found,
        rotational_damping=rotational,
        translational_damping=translational,
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    shared, numbers = bushings.build(specs, lookup)
    all_functions = [function for spec in specs for function in spec.functions]
    bank, coefficients = compile_functions(all_functions, lookup.source)
    structure = Structure(names=shared.names, pairs=shared.pairs, functions=bank)
    return structure, Params(functions=coefficients, **numbers)


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"function_bushing": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: two_frames.Placement,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all bushings."""
    deflection = bushings.realize_deflection(structure, instance, kinematics)
    elastic = -_values(structure, params, deflection).value.reshape(-1, 6)
    return bushings.info(structure, params, deflection, elastic, kinematics)


def _values(
    structure: Structure, params: Params, deflection: bushings.Deflection
) -> FunctionValues:
    """Values and slopes of all functions, `[bushing · 6 + deflection]`."""
    return evaluate_functions(structure.functions, params.functions, deflection.value.reshape(-1))


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Damping, and the functions' slopes; arguments as for `hunt_crossley_jacobian.jacobian`."""
    slopes = _values(structure, params, info.deflection).derivative.reshape(-1, 6)
    return bushings.jacobian(structure, params, kinematics, info, clip(slopes, low=0.0))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return bushings.outputs_about_frames(info)
