"""ActivationCoordinateActuator: a generalized force that follows a control with a delay.

Source: OpenSim `ActivationCoordinateActuator`; see docs/theory/actuators.md, "States".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import put, segment_sum, take
from jaxosim.forces.actuator import ActuatorSpec, read_properties, rows
from jaxosim.forces.force import (
    Description,
    ForceInfo,
    Kinematics,
    StateJacobian,
    number_records,
    read_coordinate,
)
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import StateSpec
from jaxosim.pytree import array, pytree

FIELD = "activation_coordinate_actuators"
TAGS = ("ActivationCoordinateActuator",)
_VARIABLE = "activation"


@dataclass(frozen=True, kw_only=True)
class Spec(ActuatorSpec):
    """An actuator of a coordinate; numbers are SI."""

    coordinate: str
    activation_time_constant: float
    default_activation: float

    @property
    def states(self) -> tuple[StateSpec, ...]:
        """The activation."""
        return (StateSpec(_VARIABLE, self.default_activation),)


@dataclass(frozen=True, eq=False)
class Structure:
    """Coordinate, control and state of each actuator."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [activation_coordinate_actuator]
    control: np.ndarray  # [activation_coordinate_actuator]
    state: np.ndarray  # [activation_coordinate_actuator] the activation
    applies_force: np.ndarray  # [activation_coordinate_actuator] bool; activations go on


@pytree
class Params:
    """Actuators of coordinates with activations."""

    # At an activation of 1.
    optimal_force: jax.Array = array("activation_coordinate_actuator", unit="N·m | N")
    activation_time_constant: jax.Array = array("activation_coordinate_actuator", unit="s")


@pytree
class Info(ForceInfo):
    """What each actuator does."""

    actuation: jax.Array = array("activation_coordinate_actuator", unit="N·m | N")
    rate: jax.Array = array("activation_coordinate_actuator", unit="1/s")  # of the activation
    coordinate_force: jax.Array = array("coordinate", unit="N·m | N")
    state_rate: jax.Array = array("force_state", unit="1/s")


@pytree
class Outputs:
    """What each actuator reports."""

    actuation: jax.Array = array("activation_coordinate_actuator", unit="N·m | N")
    activation_rate: jax.Array = array("activation_coordinate_actuator", unit="1/s")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one actuator.

    Raises:
      OsimFormatError: no such coordinate, or a time constant that is not positive.
    """
    element = component.element
    assert element is not None
    return Spec(
        coordinate=read_coordinate(context, element),
        # OpenSim differs: activations become infinite at once, or leave the control.
        activation_time_constant=context.number(element, "activation_time_constant", 0.01, above=0),
        default_activation=context.number(element, "default_activation", 0.5),
        **read_properties(context, element),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    names = tuple(spec.name for spec in specs)
    structure = Structure(
        names=names,
        coordinate=lookup.coordinates([spec.coordinate for spec in specs]),
        control=lookup.controls(names),
        state=lookup.force_states(names, _VARIABLE),
        applies_force=np.array([spec.applies_force for spec in specs], bool),
    )
    return structure, columns(Params, specs)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"activation_coordinate_actuator": structure.names}


def driven_coordinates(structure: Structure) -> np.ndarray:
    """The coordinates along which the forces act, whatever their values are."""
    return structure.coordinate


def evaluate(
    structure: Structure,
    params: Params,
    instance: None,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Generalized forces of all actuators, and rates of their activations."""
    activation = take(kinematics.force_states, structure.state)
    force = _gain(structure, params) * activation
    rate = (take(controls, structure.control) - activation) / params.activation_time_constant
    return Info(
        actuation=force,
        rate=rate,
        coordinate_force=segment_sum(force, structure.coordinate, len(kinematics.q)),
        state_rate=put(rate, structure.state, len(kinematics.force_states)),
    )


def _gain(structure: Structure, params: Params) -> jax.Array:
    """Force by activation, `[activation_coordinate_actuator]` (N·m | N)."""
    return jnp.where(structure.applies_force, params.optimal_force, 0.0)


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> StateJacobian:
    """Activations follow the controls by themselves and take the forces with them."""
    count = len(kinematics.force_states)
    gain = put(_gain(structure, params), structure.state, count)
    drives = np.zeros((len(kinematics.q), count), bool)
    drives[structure.coordinate, structure.state] = True
    return StateJacobian(
        rate=put(-1 / params.activation_time_constant, structure.state, count),
        coordinate_force=jnp.where(drives, gain[None], 0.0),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(actuation=info.actuation, activation_rate=info.rate)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: the actuation."""
    reported = number_records(structure.names, outputs.actuation)
    return {
        name: reported[name]
        for name, works in zip(structure.names, structure.applies_force, strict=True)
        if works
    }


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the coordinate that each acts on."""
    acts_on = [coordinate_names[int(c)] for c in structure.coordinate]
    return Description(str(len(acts_on)), rows(structure, acts_on))
