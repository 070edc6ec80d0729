"""Controllers of a file → specs.

Source: OpenSim `ControllerSet`; see docs/theory/actuators.md, "Controllers".
"""

from collections.abc import Iterable

from jaxosim.controllers import CONTROLLERS
from jaxosim.controllers.controller import Actuators
from jaxosim.forces import FORCES
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, set_members
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ControllerSpec, ControlOwner, ForceSpec
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.muscle import MuscleSpec

CONTROLLER_CLASSES = {tag: one for one in CONTROLLERS for tag in one.TAGS}
_FORCES = frozenset(tag for force in (*MUSCLES, *FORCES) for tag in force.TAGS)
_LISTED_BY_PATH = 40600  # the first version whose controllers name actuators by path


def read_controllers(
    context: Context, tree: Component, forces: Iterable[ForceSpec], version: int
) -> tuple[ControllerSpec, ...]:
    """All enabled controllers of known classes; the others are refused."""
    actuators = _actuators(tree, forces, version)
    enabled = [
        component.element
        for component in set_members(tree, "controllerset", *CONTROLLER_CLASSES)
        if component.element and _is_enabled(context, component.element)
    ]
    for element in enabled:
        refuse_controller(context, element)
    return tuple(
        CONTROLLER_CLASSES[element.tag].read(context, element, actuators)
        for element in enabled
        if element.tag in CONTROLLER_CLASSES
    )


def _is_enabled(context: Context, controller: Element) -> bool:
    """Whether a controller adds to controls."""
    own = getattr(CONTROLLER_CLASSES.get(controller.tag), "is_enabled", None)
    if own is not None:
        return own(context, controller)
    return context.boolean(controller, "enabled", True)


def refuse_controller(context: Context, controller: Element) -> None:
    """Refuse a controller of an unknown class, unless it is switched off."""
    if controller.tag not in CONTROLLER_CLASSES and context.boolean(controller, "enabled", True):
        reason = "controllers of this class are not simulated; to go without, set enabled to false"
        context.refuse(controller.tag, controller.name, reason)


def _actuators(tree: Component, forces: Iterable[ForceSpec], version: int) -> Actuators:
    """What controllers may name, in the order of the forces, as controls are."""
    by_name = {force.name: force for force in forces if isinstance(force, ControlOwner)}
    by_path = {}
    homes = {home: tree.parts[home[1:]].parts for home in ("/forceset", "/componentset")}
    for home, parts in {"": tree.parts, **homes}.items():
        for name, part in parts.items():
            if name in by_name and part.element is not None and part.element.tag in _FORCES:
                by_path[f"{home}/{name}"] = by_name[name]
    muscles = frozenset(name for name, one in by_name.items() if isinstance(one, MuscleSpec))
    return Actuators(by_name, by_path, muscles, has_name_lists=version < _LISTED_BY_PATH)
