"""WeldJoint: no coordinates, two bodies that move as one.

Source: OpenSim `WeldJoint`; see docs/theory/joints.md, "Joint classes".
"""

from jaxosim.joints.joint import built_in_axes, is_rotational, with_coordinates
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import JointSpec, TransformAxisSpec

KIND = "WeldJoint"
COUNT = 0
ANGULAR_VELOCITY = False


def read(context: Context, element: Element, joint: JointSpec) -> JointSpec:
    """The joint with its coordinates checked."""
    return with_coordinates(element, joint, COUNT)


def transform_axes(joint: JointSpec) -> tuple[TransformAxisSpec, ...]:
    """Its six axes."""
    return built_in_axes(joint, ())


def rotational(joint: JointSpec, coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational."""
    return is_rotational(transform_axes(joint), coordinate)
