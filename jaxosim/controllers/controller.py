"""What all controllers share: the actuators that they are connected to, and what they sense.

Source: OpenSim `Controller`, whose files up to 4.5 list actuators by name; see
docs/theory/actuators.md, "Controllers".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import jax

from jaxosim.models.osim.context import CannotContinue, Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ControlOwner

_ALL = "ALL"  # in capitals or not


@dataclass(frozen=True)
class Actuators:
    """The actuators of a file, in the order of their controls."""

    by_name: Mapping[str, ControlOwner]
    by_path: Mapping[str, ControlOwner]
    muscles: frozenset[str]  # names of those that are muscles
    has_name_lists: bool  # whether the file's version takes `actuator_list`


class MuscleMotion(NamedTuple):
    """What controllers may know of the muscles, `[muscle]`."""

    lengthening_speed: jax.Array  # m/s, of the path
    max_speed: jax.Array  # m/s, of the fiber: maximal contraction velocity times optimal length


def read_actuators(
    context: Context, element: Element, actuators: Actuators
) -> tuple[ControlOwner, ...]:
    """The actuators of a controller, in the order in which it lists them.

    Raises:
      OsimFormatError: one of them does not exist, or is listed twice.
      CannotContinue: one of them may be missing because something in the file was refused.
    """
    names = context.property(element, "actuator_list") if actuators.has_name_lists else None
    if names is not None:
        tag, labels, known = names.tag, names.text.split(), actuators.by_name
        if _ALL in (label.upper() for label in labels):
            return tuple(known.values())
    else:
        tag, known = "socket_actuators", actuators.by_path
        labels = context.text(element, tag).split()
    listed: set[str] = set()
    for label in labels:
        if label not in known:
            kind = "names" if names is not None else "absolute paths"
            fail(context, element, f"expected {kind} of actuators in {tag}, found {label}")
        if label in listed:
            fail(context, element, f"expected every actuator once in {tag}, found {label} again")
        listed.add(label)
    return tuple(known[label] for label in labels)


def refuse_several_controls(
    context: Context, element: Element, owners: Iterable[ControlOwner]
) -> None:
    """Refuse a controller of one control for each actuator if one of these has several."""
    for owner in owners:
        if len(owner.controls) != 1:
            # OpenSim differs: it adds numbers from beyond the one that it has computed.
            reason = f"expected actuators of one control, {owner.name} has {len(owner.controls)}"
            context.refuse(element.tag, element.name, reason)


def fail(context: Context, element: Element, message: str) -> NoReturn:
    """Refuse a controller whose actuators are not those that it needs.

    Raises:
      OsimFormatError: with this message, unless something was refused that may be the reason.
      CannotContinue: otherwise.
    """
    if context.unsupported:
        raise CannotContinue
    raise element.error(message)
