"""Constraints of a file, and prescribed coordinates → specs.

Source: OpenSim `ConstraintSet`; see docs/theory/constraints.md.
"""

from collections.abc import Sequence

from jaxosim.constraints import CONSTRAINTS, coordinate_coupler_constraint, prescribed_motion
from jaxosim.joints import JOINTS
from jaxosim.models.osim_xml import Element
from jaxosim.models.reader_context import Context
from jaxosim.models.reader_frames import Component, set_members
from jaxosim.models.spec import ConstraintSpec, JointSpec

CONSTRAINT_CLASSES = {tag: one.read for one in CONSTRAINTS for tag in one.TAGS}
_ROTATIONS = 3  # of a joint whose first speeds are an angular velocity, no rates of angles


def read_constraints(
    context: Context, tree: Component, joints: Sequence[JointSpec]
) -> tuple[ConstraintSpec, ...]:
    """All enforced constraints of known classes, then the prescribed coordinates."""
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
    prescribed = prescribed_motion.of_joints(joints)
    angles = {
        coordinate.name
        for joint in joints
        if joint.kind in JOINTS and JOINTS[joint.kind].ANGULAR_VELOCITY
        for coordinate in joint.coordinates[:_ROTATIONS]
    }
    reason = "angles that are no integrals of speeds cannot be held by a constraint"
    for motion in prescribed:
        if motion.name in angles:
            context.refuse("Coordinate", motion.name, reason)
    for one in found:
        if isinstance(one, coordinate_coupler_constraint.Spec):
            if angles & {one.dependent, *one.independent}:
                context.refuse(coordinate_coupler_constraint.TAGS[0], one.name, reason)
    return (*found, *prescribed)


def refuse_constraint(context: Context, element: Element) -> None:
    """Refuse a constraint of an unknown class, unless it is switched off."""
    if element.tag not in CONSTRAINT_CLASSES and context.boolean(element, "isEnforced", True):
        reason = (
            "constraints of this class are not simulated; to go without, set isEnforced to false"
        )
        context.refuse(element.tag, element.name, reason)
