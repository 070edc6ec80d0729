"""Blankevoort1991Ligament: a tension of the strain of a path, quadratic first, then linear, damped.

F = k ε²/(2 εₜ) up to the transition strain εₜ and k (ε − εₜ/2) beyond it; while the taut path
lengthens, c ε̇ is added, faded in over the first hundredth of strain.

Source: OpenSim `Blankevoort1991Ligament`; see docs/theory/paths.md, "Blankevoort's ligaments".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import put, take
from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.forces.force import Description, ForceInfo, Kinematics, PathJacobian
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "blankevoort1991_ligaments"
TAGS = ("Blankevoort1991Ligament",)
_FADED_IN = 0.01  # strain from which the damping is whole


@dataclass(frozen=True)
class Spec:
    """A ligament along a path; numbers are SI, stiffness and damping per unit of strain."""

    name: str
    path: paths.PathSpec
    linear_stiffness: float
    transition_strain: float
    damping_coefficient: float
    slack_length: float
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The path of each ligament."""

    names: tuple[str, ...]
    path: np.ndarray  # [blankevoort1991_ligament]


@pytree
class Params:
    """Ligaments."""

    linear_stiffness: jax.Array = array("blankevoort1991_ligament", unit="N")
    transition_strain: jax.Array = array("blankevoort1991_ligament", unit="1")
    damping_coefficient: jax.Array = array("blankevoort1991_ligament", unit="N·s")
    slack_length: jax.Array = array("blankevoort1991_ligament", unit="m")


@pytree
class Outputs:
    """What each ligament reports."""

    spring_force: jax.Array = array("blankevoort1991_ligament", unit="N")
    damping_force: jax.Array = array("blankevoort1991_ligament", unit="N")
    total_force: jax.Array = array("blankevoort1991_ligament", unit="N")
    length: jax.Array = array("blankevoort1991_ligament", unit="m")
    lengthening_speed: jax.Array = array("blankevoort1991_ligament", unit="m/s")
    strain: jax.Array = array("blankevoort1991_ligament", unit="1")
    strain_rate: jax.Array = array("blankevoort1991_ligament", unit="1/s")


@pytree
class Info(ForceInfo):
    """What each ligament does."""

    reported: Outputs
    path_tension: jax.Array = array("path", unit="N")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one ligament.

    Raises:
      OsimFormatError: a number is negative, or the slack length not above 0.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        path=paths.read(context, component),
        linear_stiffness=context.number(element, "linear_stiffness", 1.0, least=0),
        transition_strain=context.number(element, "transition_strain", 0.06, least=0),
        damping_coefficient=context.number(element, "damping_coefficient", 0.003, least=0),
        # OpenSim differs: it loads a ligament of slack length 0, whose strain is infinite.
        slack_length=context.number(element, "slack_length", 0.0, above=0),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    own = tuple(spec.name for spec in specs)
    return Structure(names=own, path=lookup.paths(own)), columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"blankevoort1991_ligament": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all ligaments."""
    length = take(kinematics.path_length, structure.path)
    speed = take(kinematics.lengthening_speed, structure.path)
    strain, rate = length / params.slack_length - 1, speed / params.slack_length
    spring, _ = _spring(params, strain)
    damping = _damping(params, strain) * clip(rate, low=0.0)
    total = spring + damping
    reported = Outputs(
        spring_force=spring,
        damping_force=damping,
        total_force=total,
        length=length,
        lengthening_speed=speed,
        strain=strain,
        strain_rate=rate,
    )
    count = len(kinematics.path_length)
    return Info(reported=reported, path_tension=put(total, structure.path, count))


def _spring(params: Params, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Elastic tension and its slope by the strain, `[blankevoort1991_ligament]` (N)."""
    k, transition = params.linear_stiffness, params.transition_strain
    stretched = clip(strain, low=0.0)
    in_toe = stretched < transition
    share = jnp.where(in_toe, safe_divide(stretched, transition), 1.0)
    toe, beyond = 0.5 * k * share * stretched, k * (stretched - transition / 2)
    return jnp.where(in_toe, toe, beyond), jnp.where(strain > 0, k * share, 0.0)


def _damping(params: Params, strain: jax.Array) -> jax.Array:
    """Damping tension by the rate of strain, `[blankevoort1991_ligament]` (N·s)."""
    x = clip(clip(strain / _FADED_IN, low=0.0), high=1.0)
    return params.damping_coefficient * x**3 * (10 + x * (6 * x - 15))


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> PathJacobian:
    """Damping and stiffness along the paths; arguments as for `hunt_crossley_jacobian.jacobian`."""
    own = info.reported
    _, slope = _spring(params, own.strain)
    damping = jnp.where(own.strain_rate > 0, _damping(params, own.strain), 0.0)
    along = (damping / params.slack_length, slope / params.slack_length)
    return PathJacobian(*(put(x, structure.path, len(kinematics.path_length)) for x in along))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return info.reported


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the fields of `Outputs`, in order."""
    values = np.stack([np.asarray(values) for values in vars(outputs).values()], axis=-1)
    return {name: row.tolist() for name, row in zip(structure.names, values, strict=True)}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(str(len(structure.names)), [(name, "a path") for name in structure.names])
