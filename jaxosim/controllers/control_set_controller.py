"""ControlSetController: controls that a file gives as nodes over time, joined by lines or steps.

The file is a ControlSet in XML or a table of controls. It must be beside its model: a model comes
from a stranger, so nothing outside its folder is opened.

Source: OpenSim `ControlSetController`, `ControlSet`, `ControlLinear`; see
docs/theory/actuators.md, "Controllers".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
from jaxosim.errors import JaxosimError, OsimFormatError, quote
from jaxosim.functions import (
    FunctionBank,
    FunctionParams,
    FunctionSpec,
    constant,
    piecewise_constant_function,
    piecewise_linear_function,
)
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import build as compile_functions
from jaxosim.functions.bank import function_sizes
from jaxosim.host.files import find_within
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element, parse_document, read_bytes
from jaxosim.pytree import pytree

FIELD = "control_set_controllers"
TAGS = ("ControlSetController",)
_NO_FILE = ("", "Unassigned")
_SUFFIX = ".excitation"  # that a control may have after the name of its actuator


class Control(NamedTuple):
    """A control over time."""

    name: str
    function: FunctionSpec
    sign: int  # of the time that is the function's argument: steps are taken backwards


@dataclass(frozen=True)
class Spec:
    """Controls over time, one for each actuator."""

    name: str
    actuators: tuple[str, ...] = ()  # names of the forces
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, eq=False)
class Structure:
    """The control that each function adds to; controllers may share one."""

    names: tuple[str, ...]  # [file_control] of the controllers
    control: np.ndarray  # [file_control]
    sign: np.ndarray  # [file_control]
    functions: FunctionBank  # [file_control]


@pytree
class Params:
    """The functions of time, of controls (1)."""

    functions: FunctionParams = field()


def is_enabled(context: Context, element: Element) -> bool:
    """Whether a controller adds to controls: OpenSim enables every one that names a file."""
    return context.text(element, "controls_file") not in _NO_FILE


def read(context: Context, element: Element, actuators: Actuators) -> Spec:
    """What the file says of one controller, and what the file that it names says.

    Raises:
      OsimFormatError: the file that it names cannot be read or is not in the model's folder, or
        an actuator does not exist.
      CannotContinue: something in the file was refused that may be the reason.
    """
    read_actuators(context, element, actuators)  # which are then connected by name in any case
    controls = _controls(context, element)
    if controls is None:
        return Spec(element.name)
    owners = {}
    for control in controls:
        name = control.name
        if name.endswith(_SUFFIX) and name != _SUFFIX:
            name = name.removesuffix(_SUFFIX)
        if name not in actuators.by_name:
            fail(context, element, f"expected controls of actuators in its file, found {name}")
        # Of two controls of an actuator OpenSim takes the first that has its very name.
        if name not in owners or (control.name == name != owners[name].name):
            owners[name] = control
    refuse_several_controls(context, element, [actuators.by_name[name] for name in owners])
    return Spec(element.name, tuple(owners), tuple(owners.values()))


def _controls(context: Context, element: Element) -> list[Control] | None:
    """The controls in the file that a controller names; None if some are refused."""
    name = context.text(element, "controls_file").replace("\\", "/")
    # OpenSim differs: it looks in the working directory.
    path = find_within(context.home, name)
    if path is None:
        raise element.error(
            f"expected as controls_file a file in the model's folder, found {quote(name)}"
        )
    context.files.append(path)
    try:
        # OpenSim takes whatever has .sto in its name for a table.
        return _of_table(path) if ".sto" in name else _of_document(context, element, path)
    except (JaxosimError, OSError) as error:
        raise element.error(f"{path}: {error}") from error


def _of_table(path: Path) -> list[Control]:
    """The columns of a table; their values are joined by lines, which go on beyond the ends."""
    from jaxosim.sto.table import read_table  # whose package imports the class of models

    read_bytes(path)  # is of bearable size
    table = read_table(path)
    return [
        _control(label, table.time, values, steps=False, goes_on=True)
        for label, values in zip(table.labels, table.values.T, strict=True)
    ]


def _of_document(context: Context, controller: Element, path: Path) -> list[Control] | None:
    """The controls of a ControlSet; None if some are refused."""
    controls = parse_document(read_bytes(path), "ControlSet").model
    defaults = controls.child("defaults")
    members = controls.child("objects")
    own = Context({one.tag: one for one in (defaults.children if defaults is not None else ())})
    found = []
    for member in members.children if members is not None else ():
        # OpenSim connects as many actuators as controls are such, and forgets the last ones.
        if member.tag != "ControlLinear" or not own.boolean(member, "is_model_control", True):
            reason = "in its file, only ControlLinear with is_model_control is simulated"
            context.refuse(controller.tag, controller.name, reason)
            return None
        found.append(_read_control(own, member))
    return found


def _read_control(context: Context, element: Element) -> Control:
    holder = context.property(element, "x_nodes")
    nodes = holder.children if holder is not None else []
    time, value = (
        np.array([context.number(node, tag, 0.0) for node in nodes]) for tag in ("t", "value")
    )
    steps = context.boolean(element, "use_steps", False)
    goes_on = context.boolean(element, "extrapolate", True)
    try:
        return _control(element.name, time, value, steps=steps, goes_on=goes_on)
    except OsimFormatError as error:
        raise element.error(str(error)) from error


def _control(
    name: str, time: np.ndarray, value: np.ndarray, *, steps: bool, goes_on: bool
) -> Control:
    """A control by its nodes.

    Args:
      name: of the control.
      time: `[node]` (s).
      value: `[node]` (1).
      steps: whether each value holds from the node before until its own; else lines join them.
      goes_on: whether the outer lines go on beyond the nodes; else the outer values hold.

    Raises:
      OsimFormatError: there are no nodes, or they are not in order.
    """
    if not len(time) or not np.isfinite([time, value]).all() or (np.diff(time) <= 0).any():
        # OpenSim differs: such a control is NaN, or what its bisection happens to find.
        raise OsimFormatError(f"expected nodes of {quote(name)}, one or more, in ascending order")
    x, y = tuple(time.tolist()), tuple(value.tolist())
    if len(x) == 1:
        return Control(name, constant.Spec(y[0]), 1)
    if steps:
        backwards = tuple(-t for t in reversed(x))
        return Control(name, piecewise_constant_function.Spec(backwards, y[::-1]), -1)
    if not goes_on:
        x, y = (x[0] - 1, *x, x[-1] + 1), (y[0], *y, y[-1])
    return Control(name, piecewise_linear_function.Spec(x, y), 1)


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and coefficients."""
    controls = [control for spec in specs for control in spec.controls]
    bank, coefficients = compile_functions([one.function for one in controls], lookup.source)
    structure = Structure(
        names=tuple(spec.name for spec in specs for _ in spec.actuators),
        control=lookup.controls([name for spec in specs for name in spec.actuators]),
        sign=np.array([one.sign for one in controls], float),
        functions=bank,
    )
    return structure, Params(functions=coefficients)


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"file_control": structure.names}


def evaluate(
    structure: Structure,
    params: Params,
    time: jax.Array,
    muscles: MuscleMotion,
    control_count: int,
) -> jax.Array:
    """What all controllers together add to the controls at a time (s), `[control]` (1)."""
    at = jnp.asarray(structure.sign, time.dtype) * time
    values = evaluate_functions(structure.functions, params.functions, at).value
    return segment_sum(values, structure.control, control_count)


def describe(structure: Structure) -> str:
    """How many there are, and how many controls they add to."""
    return f"{len(set(structure.names))}, of {len(set(structure.control.tolist()))} controls"
