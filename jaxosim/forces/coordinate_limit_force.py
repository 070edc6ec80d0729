"""CoordinateLimitForce: stiff, damped stops that fade in beyond a coordinate's limits.

Source: OpenSim `CoordinateLimitForce`; see docs/theory/coordinate_forces.md,
"Coordinate limit forces".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.safe import clip
from jaxosim.forces.force import (
    CoordinateJacobian,
    Description,
    ForceInfo,
    Kinematics,
    read_coordinate,
)
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.pytree import array, pytree

FIELD = "limits"
TAGS = ("CoordinateLimitForce",)


@dataclass(frozen=True)
class Spec:
    """Numbers as in the file: degrees for a rotational coordinate."""

    name: str
    coordinate: str
    upper_stiffness: float = 1.0
    upper_limit: float = 0.0
    lower_stiffness: float = 1.0
    lower_limit: float = 0.0
    damping: float = 0.001
    transition: float = 0.1
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The coordinate of each limit."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [limit]


@pytree
class Params:
    """Coordinate limits in SI units (`build` converts the file's degrees)."""

    upper_stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")
    upper_limit: jax.Array = array("limit", unit="rad | m")
    lower_stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")
    lower_limit: jax.Array = array("limit", unit="rad | m")
    damping: jax.Array = array("limit", unit="N·m·s/rad | N·s/m")
    transition: jax.Array = array("limit", unit="rad | m")


@pytree
class Info(ForceInfo):
    """What each limit does."""

    force: jax.Array = array("limit", unit="N·m | N")
    potential_energy: jax.Array = array("limit", unit="J")
    stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")  # −∂force/∂q
    damping: jax.Array = array("limit", unit="N·m·s/rad | N·s/m")  # −∂force/∂u
    coordinate_force: jax.Array = array("coordinate", unit="N·m | N")


@pytree
class Outputs:
    """What each limit reports."""

    force: jax.Array = array("limit", unit="N·m | N")
    potential_energy: jax.Array = array("limit", unit="J")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one limit."""
    element = component.element
    assert element is not None
    # OpenSim differs: asked to compute dissipated energy, it adds a state that moves nothing.
    spec = Spec(
        name=element.name,
        coordinate=read_coordinate(context, element),
        upper_stiffness=context.number(element, "upper_stiffness", 1.0),
        upper_limit=context.number(element, "upper_limit", 0.0),
        lower_stiffness=context.number(element, "lower_stiffness", 1.0),
        lower_limit=context.number(element, "lower_limit", 0.0),
        damping=context.number(element, "damping", 0.001),
        # OpenSim differs: it accepts a negative one, whose steps then run backwards.
        transition=context.number(element, "transition", 0.1, above=0),
        applies_force=context.boolean(element, "appliesForce", True),
    )
    if 0.0 in (spec.upper_stiffness, spec.lower_stiffness):
        # OpenSim differs: it divides by them, and the torque becomes NaN.
        raise element.error("expected stiffnesses other than 0")
    ends = (spec.upper_limit, spec.transition), (spec.lower_limit, -spec.transition)
    if any(limit + transition == limit for limit, transition in ends):
        raise element.error("expected a transition that is not lost beside the limits in rounding")
    return spec


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers; a rotational coordinate's file numbers are per degree."""
    coordinate = lookup.coordinates([spec.coordinate for spec in specs])
    degree = np.where(lookup.rotational[coordinate], np.pi / 180, 1.0)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(spec, name) for spec in specs], float)

    params = Params(
        upper_stiffness=column("upper_stiffness") / degree,
        upper_limit=column("upper_limit") * degree,
        lower_stiffness=column("lower_stiffness") / degree,
        lower_limit=column("lower_limit") * degree,
        damping=column("damping") / degree,
        transition=column("transition") * degree,
    )
    return Structure(names=tuple(spec.name for spec in specs), coordinate=coordinate), params


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"limit": structure.names}


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates whose values the forces depend on."""
    return structure.coordinate


def _step(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Smooth step from 0 to 1 over z in [0, 1], and its slope."""
    z = clip(z, 0.0, 1.0)
    rest = 1 - z
    return z**3 * (10 - 15 * z + 6 * z * z), 30 * z * z * rest * rest


def _energy(stiffness: jax.Array, beyond: jax.Array, transition: jax.Array) -> jax.Array:
    """Energy stored `beyond` a limit."""
    d = clip(beyond, low=0.0)
    x = clip(d / transition, high=1.0)
    fading = stiffness * x**3 * (2 - 2.5 * x + 6 / 7 * x * x) * d * d
    full = stiffness * (d * d / 2 - transition * transition / 7)
    return jnp.where(d >= transition, full, fading)


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all limits."""
    q, u = (take(x, structure.coordinate) for x in (kinematics.q, kinematics.u))
    over, under = q - params.upper_limit, params.lower_limit - q
    upper, upper_slope = _step(over / params.transition)
    lower, lower_slope = _step(under / params.transition)
    damping = params.damping * (upper + lower)
    force = -params.upper_stiffness * upper * over + params.lower_stiffness * lower * under
    stiffness = params.upper_stiffness * (
        upper + upper_slope / params.transition * over
    ) + params.lower_stiffness * (lower + lower_slope / params.transition * under)
    force = force - damping * u
    return Info(
        force=force,
        potential_energy=_energy(params.upper_stiffness, over, params.transition)
        + _energy(params.lower_stiffness, under, params.transition),
        stiffness=stiffness,
        damping=damping,
        coordinate_force=segment_sum(force, structure.coordinate, len(kinematics.q)),
    )


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> CoordinateJacobian:
    """Damping and stiffness; arguments as for `hunt_crossley_jacobian.jacobian`."""
    return CoordinateJacobian(
        *(
            segment_sum(values, structure.coordinate, len(kinematics.q))
            for values in (info.damping, clip(info.stiffness, low=0.0))
        )
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(force=info.force, potential_energy=info.potential_energy)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and potential energy."""
    values = np.stack([outputs.force, outputs.potential_energy], axis=-1)
    return {name: row.tolist() for name, row in zip(structure.names, values, strict=True)}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the coordinate that each acts on."""
    acts_on = [coordinate_names[int(c)] for c in structure.coordinate]
    return Description(str(len(acts_on)), list(zip(structure.names, acts_on, strict=True)))
