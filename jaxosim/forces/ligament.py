"""Ligament: a tension along a path that is a function of its length over the resting length.

Source: OpenSim `Ligament`; see docs/theory/paths.md, "Ligaments".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import put, take
from jaxosim.arrays.safe import clip
from jaxosim.forces.force import Description, ForceInfo, Kinematics, PathJacobian, number_records
from jaxosim.functions import FunctionBank, FunctionParams, FunctionSpec, argument_count
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import build as build_functions
from jaxosim.functions.bank import function_sizes
from jaxosim.functions.simm_spline import Spec as SimmSplineSpec
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.functions import FUNCTION_CLASSES, read_function
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "ligaments"
TAGS = ("Ligament",)

# OpenSim's where the file has none: length over resting length, tension over `pcsa_force`.
_DEFAULT_CURVE = SimmSplineSpec(
    x=(-5.0, 0.998, 0.999, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.601, 1.602, 5.0),
    y=(0.0, 0.0, 0.0, 0.0, 0.035, 0.12, 0.26, 0.55, 1.17, 2.0, 2.0, 2.0, 2.0),
)


@dataclass(frozen=True)
class Spec:
    """A ligament along a path; numbers are SI."""

    name: str
    path: paths.PathSpec
    resting_length: float
    pcsa_force: float = 0.0
    force_length_curve: FunctionSpec = _DEFAULT_CURVE
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """Path and curve of each ligament."""

    names: tuple[str, ...]
    path: np.ndarray  # [ligament]
    curves: FunctionBank


@pytree
class Params:
    """Ligaments."""

    resting_length: jax.Array = array("ligament", unit="m")
    pcsa_force: jax.Array = array("ligament", unit="N")
    curves: FunctionParams = field()


@pytree
class Info(ForceInfo):
    """What each ligament does."""

    tension: jax.Array = array("ligament", unit="N")
    path_tension: jax.Array = array("path", unit="N")


@pytree
class Outputs:
    """What each ligament reports."""

    tension: jax.Array = array("ligament", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one ligament.

    Raises:
      OsimFormatError: the resting length is not above 0, as OpenSim demands, or the curve is not a
        function of one argument.
    """
    element = component.element
    assert element is not None
    name = "force_length_curve"
    curve = _DEFAULT_CURVE
    if context.object_property(element, name, FUNCTION_CLASSES) is not None:
        curve = read_function(context, element, name)
    if argument_count(curve) not in (None, 1):
        raise element.error(
            f"expected in {name} a function of one argument, found {argument_count(curve)}"
        )
    return Spec(
        name=element.name,
        path=paths.read(context, component),
        resting_length=context.number(element, "resting_length", 0.0, above=0),
        pcsa_force=context.number(element, "pcsa_force", 0.0),
        force_length_curve=curve,
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    bank, curves = build_functions([spec.force_length_curve for spec in specs], lookup.source)
    own = tuple(spec.name for spec in specs)
    structure = Structure(names=own, path=lookup.paths(own), curves=bank)
    params = Params(
        resting_length=np.array([spec.resting_length for spec in specs], float),
        pcsa_force=np.array([spec.pcsa_force for spec in specs], float),
        curves=curves,
    )
    return structure, params


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.curves", params.curves)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"ligament": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all ligaments."""
    tension, _ = _tension(structure, params, kinematics)
    count = len(kinematics.path_length)
    return Info(tension=tension, path_tension=put(tension, structure.path, count))


def _tension(
    structure: Structure, params: Params, kinematics: Kinematics
) -> tuple[jax.Array, jax.Array]:
    """Tension (N) and its slope by the path's length (N/m), `[ligament]`; zero while slack."""
    stretch = take(kinematics.path_length, structure.path) / params.resting_length
    curve = evaluate_functions(structure.curves, params.curves, stretch)
    tension = params.pcsa_force * curve.value
    slope = params.pcsa_force * curve.derivative / params.resting_length
    taut = stretch > 1
    return jnp.where(taut, tension, 0.0), jnp.where(taut, slope, 0.0)


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> PathJacobian:
    """Stiffness along the paths; arguments as for `hunt_crossley_jacobian.jacobian`."""
    _, slope = _tension(structure, params, kinematics)
    stiffness = put(clip(slope, low=0.0), structure.path, len(kinematics.path_length))
    return PathJacobian(damping=jnp.zeros_like(stiffness), stiffness=stiffness)


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(tension=info.tension)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the tension."""
    return number_records(structure.names, outputs.tension)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(name, "a path") for name in structure.names])
