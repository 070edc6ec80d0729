"""ClutchedPathSpring: a spring along a path that a control engages, with a state of its own.

The stretch s follows the path while the control is not zero, and relaxes with a time constant while
it is; T = c k s (1 + d L̇), with c the control within [0, 1]. As in OpenSim 4.6, a spring whose
`appliesForce` is false pulls all the same.

Source: OpenSim `ClutchedPathSpring`; see docs/theory/paths.md, "Path springs".
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
from jaxosim.forces.actuator import rows
from jaxosim.forces.force import (
    Description,
    ForceInfo,
    Kinematics,
    PathJacobian,
    StateJacobian,
    number_records,
)
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import ControlSpec, StateSpec
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

FIELD = "clutched_path_springs"
TAGS = ("ClutchedPathSpring",)
_VARIABLE = "stretch"
_ENGAGED = float(np.finfo(float).eps) ** 0.875  # control above which OpenSim's clutch is engaged


@dataclass(frozen=True)
class Spec:
    """A clutched spring along a path; numbers are SI."""

    name: str
    path: paths.PathSpec
    stiffness: float
    dissipation: float
    relaxation_time_constant: float
    initial_stretch: float
    min_control: float = 0.0
    max_control: float = 1.0
    applies_force: bool = True

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """That of the clutch."""
        return (ControlSpec(self.name, self.min_control, self.max_control),)

    @property
    def states(self) -> tuple[StateSpec, ...]:
        """The stretch."""
        return (StateSpec(_VARIABLE, self.initial_stretch),)


@dataclass(frozen=True, eq=False)
class Structure:
    """Path, control and state of each spring."""

    names: tuple[str, ...]
    path: np.ndarray  # [clutched_path_spring]
    control: np.ndarray  # [clutched_path_spring]
    state: np.ndarray  # [clutched_path_spring] the stretch


@pytree
class Params:
    """Clutched springs along paths."""

    stiffness: jax.Array = array("clutched_path_spring", unit="N/m")
    dissipation: jax.Array = array("clutched_path_spring", unit="s/m")
    relaxation_time_constant: jax.Array = array("clutched_path_spring", unit="s")


@pytree
class Info(ForceInfo):
    """What each spring does."""

    actuation: jax.Array = array("clutched_path_spring", unit="N")
    rate: jax.Array = array("clutched_path_spring", unit="m/s")  # of the stretch
    engagement: jax.Array = array("clutched_path_spring", unit="1")  # the control within [0, 1]
    path_tension: jax.Array = array("path", unit="N")
    state_rate: jax.Array = array("force_state", unit="m/s")


@pytree
class Outputs:
    """What each spring reports."""

    actuation: jax.Array = array("clutched_path_spring", unit="N")
    stretch_rate: jax.Array = array("clutched_path_spring", unit="m/s")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one spring.

    Raises:
      OsimFormatError: stiffness or dissipation is missing, or a number is out of range.
    """
    element = component.element
    assert element is not None
    return Spec(
        name=element.name,
        path=paths.read(context, component),
        stiffness=context.number(element, "stiffness", None, least=0),
        dissipation=context.number(element, "dissipation", None, least=0),
        # OpenSim differs: with a time constant of 0 the rate of its stretch is infinite.
        relaxation_time_constant=context.number(
            element, "relaxation_time_constant", 0.001, above=0
        ),
        initial_stretch=context.number(element, "initial_stretch", 0.0, least=0),
        min_control=context.number(element, "min_control", 0.0, allow_infinite=True),
        max_control=context.number(element, "max_control", 1.0, allow_infinite=True),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    own = tuple(spec.name for spec in specs)
    structure = Structure(
        names=own,
        path=lookup.paths(own),
        control=lookup.controls(own),
        state=lookup.force_states(own, _VARIABLE),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"clutched_path_spring": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Tensions of all springs, and rates of their stretches."""
    control = take(controls, structure.control)
    stretch = take(kinematics.force_states, structure.state)
    speed = take(kinematics.lengthening_speed, structure.path)
    engagement = clip(clip(control, low=0.0), high=1.0)
    tension = engagement * params.stiffness * stretch * (1 + params.dissipation * speed)
    rate = jnp.where(control > _ENGAGED, speed, -stretch / params.relaxation_time_constant)
    return Info(
        actuation=tension,
        rate=rate,
        engagement=jnp.where(control > _ENGAGED, engagement, 0.0),
        path_tension=put(tension, structure.path, len(kinematics.path_length)),
        state_rate=put(rate, structure.state, len(kinematics.force_states)),
    )


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> list[PathJacobian | StateJacobian]:
    """An engaged spring is a path spring, whose stretch follows the path; others relax."""
    stretch = take(kinematics.force_states, structure.state)
    speed = take(kinematics.lengthening_speed, structure.path)
    strength = info.engagement * params.stiffness
    along = (
        clip(strength * params.dissipation * stretch, low=0.0),
        clip(strength * (1 + params.dissipation * speed), low=0.0),
    )
    relaxing = jnp.where(info.engagement > 0, 0.0, -1 / params.relaxation_time_constant)
    count = len(kinematics.force_states)
    return [
        PathJacobian(*(put(x, structure.path, len(kinematics.path_length)) for x in along)),
        StateJacobian(
            rate=put(relaxing, structure.state, count),
            coordinate_force=jnp.zeros((len(kinematics.q), count), relaxing.dtype),
        ),
    ]


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation, stretch_rate=info.rate)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the tension."""
    return number_records(structure.names, outputs.actuation)


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    count = len(structure.names)
    return Description(str(count), rows(structure, ["a path"] * count))
