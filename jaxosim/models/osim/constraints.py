"""Constraints of a file, prescribed coordinates and locked angles → specs.

Source: OpenSim `ConstraintSet`; see docs/theory/constraints.md.
"""

from collections.abc import Sequence

from jaxosim.constraints import CONSTRAINTS, locked_angle, prescribed_motion
from jaxosim.joints import locked_angles
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, set_members
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ConstraintSpec, JointSpec

CONSTRAINT_CLASSES = {tag: one.read for one in CONSTRAINTS for tag in one.TAGS}


def read_constraints(
    context: Context, tree: Component, joints: Sequence[JointSpec]
) -> tuple[ConstraintSpec, ...]:
    """All enforced constraints of known classes, prescribed coordinates, locked angles."""
    found: list[ConstraintSpec] = []
    for component in set_members(tree, "constraintset", *CONSTRAINT_CLASSES):
        element = component.element
        assert element is not None
        if not context.boolean(element, "isEnforced", True):
            continue
        if element.tag in CONSTRAINT_CLASSES:
            found.append(CONSTRAINT_CLASSES[element.tag](context, component))
        else:
            refuse_constraint(context, element)
    locked = (locked_angle.Spec(name) for joint in joints for name in locked_angles(joint))
    return (*found, *prescribed_motion.of_joints(joints), *locked)


def refuse_constraint(context: Context, element: Element) -> None:
    """Refuse a constraint of an unknown class, unless it is switched off."""
    if element.tag not in CONSTRAINT_CLASSES and context.boolean(element, "isEnforced", True):
        reason = (
            "constraints of this class are not simulated; to go without, set isEnforced to false"
        )
        context.refuse(element.tag, element.name, reason)
