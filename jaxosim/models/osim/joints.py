"""Joints and coordinates of a file → specs.

Source: OpenSim `Joint`, `Coordinate`; see docs/theory/joints.md, "Joint classes".
"""

import math

from jaxosim.errors import quote
from jaxosim.joints import JOINTS
from jaxosim.models.osim.context import Context, member_list
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.osim.functions import read_function
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ConstantSpec, CoordinateSpec, JointSpec

_OTHER_JOINT = "joints of this class are not simulated"
_REFUSED = {
    "CantileverFreeBeamJoint": "joints of this class come with OpenSim 4.6.1",
}
_CLAMP_SLACK = math.sqrt(2.220446049250313e-16)  # SimTK::SqrtEps


def read_joint(context: Context, joint: Component) -> JointSpec:
    """One joint with its coordinates; a joint of a class we do not simulate is refused."""
    element = joint.element
    assert element is not None
    parent = resolve_frame(context, joint, "socket_parent_frame")
    child = resolve_frame(context, joint, "socket_child_frame")
    if parent.body == child.body:
        raise element.error(f"expected a joint between two bodies, both are {quote(child.body)}")
    listed = tuple(_read_coordinate(context, c) for c in member_list(element, "coordinates"))
    found = JointSpec(element.tag, element.name, parent, child, listed)
    if element.tag in JOINTS:
        return JOINTS[element.tag].read(context, element, found)
    refuse_joint(context, element)
    return found


def refuse_joint(context: Context, element: Element) -> None:
    """Refuse a joint of a class we do not simulate."""
    context.refuse(element.tag, element.name, _REFUSED.get(element.tag, _OTHER_JOINT))


def _read_coordinate(context: Context, element: Element) -> CoordinateSpec:
    if element.tag != "Coordinate":
        raise element.error(f"expected a Coordinate, found {quote(element.tag)}")
    default = context.number(element, "default_value", 0.0)
    low, high = context.range(element, (-10.0, 10.0))
    clamped = context.boolean(element, "clamped", False)
    if clamped and low > high:
        raise element.error(f"expected a range in ascending order, found {low} and {high}")
    if clamped and not low - _CLAMP_SLACK < default < high + _CLAMP_SLACK:
        raise element.error(f"expected default_value within {low} and {high}, found {default}")
    function = context.optional_object_property(element, "prescribed_function")
    prescribed = None
    # OpenSim takes back the flag if there is no function.
    if context.boolean(element, "prescribed", False) and function is not None:
        prescribed = read_function(context, element, "prescribed_function", optional=True)
    locked = context.boolean(element, "locked", False)
    if locked and prescribed is not None:
        # OpenSim keeps both and fails to assemble, unless the function stands still there.
        if prescribed != ConstantSpec(default):
            reason = "a coordinate cannot be locked and move; set locked or prescribed to false"
            context.refuse("Coordinate", element.name, reason)
        prescribed = None
    return CoordinateSpec(
        name=element.name,
        default_value=default,
        default_speed_value=context.number(element, "default_speed_value", 0.0),
        range=(low, high),
        clamped=clamped,
        locked=locked,
        is_free_to_satisfy_constraints=context.boolean(
            element, "is_free_to_satisfy_constraints", False
        ),
        prescribed_function=prescribed,
    )
