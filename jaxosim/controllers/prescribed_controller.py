"""PrescribedController: controls that are functions of time, one for each actuator.

Source: OpenSim `PrescribedController`; see docs/theory/actuators.md, "Controllers".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import segment_sum
from jaxosim.controllers.controller import (
    Actuators,
    MuscleMotion,
    fail,
    read_actuators,
    refuse_several_controls,
)
from jaxosim.functions import FunctionBank, FunctionParams, FunctionSpec
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import argument_count, function_sizes
from jaxosim.functions.bank import build as compile_functions
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context, member_list
from jaxosim.models.osim.functions import read_function_element
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import pytree

FIELD = "prescribed_controllers"
TAGS = ("PrescribedController",)
_FUNCTIONS = "ControlFunctions"


@dataclass(frozen=True)
class Spec:
    """Functions of time, one for each actuator."""

    name: str
    actuators: tuple[str, ...]  # names of the forces
    functions: tuple[FunctionSpec, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """The control that each function adds to; controllers may share one."""

    names: tuple[str, ...]  # [prescribed_control] of the controllers
    control: np.ndarray  # [prescribed_control]
    functions: FunctionBank  # [prescribed_control]


@pytree
class Params:
    """The functions of time, of controls (1)."""

    functions: FunctionParams = field()


def read(context: Context, element: Element, actuators: Actuators) -> Spec:
    """What the file says of one controller; what it cannot drive is refused.

    Raises:
      OsimFormatError: an actuator does not exist or is listed twice, or there is not one function
        of one argument for each.
      CannotContinue: something in the file was refused that may be the reason.
    """
    if context.property(element, "controls_file") is not None:
        reason = "controls files are never opened; put functions in ControlFunctions in its place"
        context.refuse(element.tag, element.name, reason)
    owners = read_actuators(context, element, actuators)
    refuse_several_controls(context, element, owners)
    members = member_list(context.object_property(element, _FUNCTIONS, ()), "objects")
    if len(members) != len(owners):
        counts = f"expected a function in {_FUNCTIONS} for each of {len(owners)} actuators"
        fail(context, element, f"{counts}, found {len(members)}")
    functions = tuple(read_function_element(context, member) for member in members)
    for function in functions:
        count = argument_count(function)
        if count not in (None, 1):
            raise element.error(
                f"expected in {_FUNCTIONS} functions of one argument, found {count}"
            )
    return Spec(element.name, tuple(owner.name for owner in owners), functions)


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and coefficients."""
    functions = [function for spec in specs for function in spec.functions]
    bank, coefficients = compile_functions(functions, lookup.source)
    structure = Structure(
        names=tuple(spec.name for spec in specs for _ in spec.actuators),
        control=lookup.controls([name for spec in specs for name in spec.actuators]),
        functions=bank,
    )
    return structure, Params(functions=coefficients)


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"prescribed_control": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    time: jax.Array,
    muscles: MuscleMotion,
    control_count: int,
) -> jax.Array:
    """What all controllers together add to the controls at a time (s), `[control]` (1)."""
    at = jnp.broadcast_to(time, (structure.functions.count,))
    values = evaluate_functions(structure.functions, params.functions, at).value
    return segment_sum(values, structure.control, control_count)


def describe(structure: Structure) -> str:
    """How many there are, and how many controls they add to."""
    return f"{len(set(structure.names))}, of {len(set(structure.control.tolist()))} controls"
