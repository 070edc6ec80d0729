"""ToyReflexController: controls of muscles in proportion to the speed at which they lengthen.

Source: OpenSim `ToyReflexController`; see docs/theory/actuators.md, "Controllers".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import segment_sum, take
from jaxosim.arrays.safe import clip
from jaxosim.controllers.controller import Actuators, MuscleMotion, fail, read_actuators
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "toy_reflex_controllers"
TAGS = ("ToyReflexController",)


@dataclass(frozen=True)
class Spec:
    """The gain of a reflex, and its muscles."""

    name: str
    actuators: tuple[str, ...]  # names of the muscles
    gain: float


@dataclass(frozen=True, eq=False)
class Structure:
    """The muscles that each reflex drives; controllers may share one."""

    names: tuple[str, ...]  # [toy_reflex_controller]
    controller: np.ndarray  # [reflex] the controller
    muscle: np.ndarray  # [reflex]
    control: np.ndarray  # [reflex]


@pytree
class Params:
    """Gains of the controllers."""

    gain: jax.Array = array("toy_reflex_controller", unit="1")


def read(context: Context, element: Element, actuators: Actuators) -> Spec:
    """What the file says of one controller.

    Raises:
      OsimFormatError: an actuator does not exist, is listed twice or is no muscle.
      CannotContinue: something in the file was refused that may be the reason.
    """
    names = tuple(owner.name for owner in read_actuators(context, element, actuators))
    for name in names:
        if name not in actuators.muscles:
            fail(context, element, f"expected muscles as actuators, found {name}")
    return Spec(element.name, names, context.number(element, "gain", 1.0))


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and gains."""
    muscles = [name for spec in specs for name in spec.actuators]
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        controller=np.repeat(np.arange(len(specs)), [len(spec.actuators) for spec in specs]),
        muscle=np.array([lookup.muscle[name] for name in muscles], int),
        control=lookup.controls(muscles),
    )
    return structure, Params(gain=np.array([spec.gain for spec in specs], float))


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the axes; that of controllers without muscles, which `names` leaves out, too."""
    return {"toy_reflex_controller": len(structure.names)}


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis; a controller without muscles adds nothing."""
    return {"toy_reflex_controller": structure.names if len(structure.muscle) else ()}


def evaluate(
    structure: Structure,
    params: Params,
    time: jax.Array,
    muscles: MuscleMotion,
    control_count: int,
) -> jax.Array:
    """What all controllers together add to the controls, `[control]` (1)."""
    stretch = take(clip(muscles.lengthening_speed, low=0.0) / muscles.max_speed, structure.muscle)
    gain = take(params.gain, structure.controller)
    return segment_sum(gain * stretch, structure.control, control_count)


def describe(structure: Structure) -> str:
    """How many there are, and how many controls they add to."""
    return f"{len(structure.names)}, of {len(set(structure.control.tolist()))} controls"
