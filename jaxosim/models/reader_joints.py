"""Joints and coordinates of a file → specs.

Source: OpenSim `Joint`, `CustomJoint`, `Coordinate`; see docs/theory/joints.md, "Joint classes" and
"Custom joints".
"""

import math

from jaxosim.errors import quote
from jaxosim.models.osim_values import words
from jaxosim.models.osim_xml import Element
from jaxosim.models.reader_context import Context, member_list
from jaxosim.models.reader_frames import Component, resolve_frame
from jaxosim.models.reader_functions import (
    FUNCTION_CLASSES,
    argument_count,
    is_constant,
    read_function,
)
from jaxosim.models.spec import (
    CoordinateSpec,
    FrameSpec,
    JointSpec,
    TransformAxisSpec,
    Vec3,
)

COORDINATE_COUNTS = {
    "WeldJoint": 0,
    "PinJoint": 1,
    "SliderJoint": 1,
    "UniversalJoint": 2,
    "GimbalJoint": 3,
    "BallJoint": 3,
    "PlanarJoint": 3,
    "FreeJoint": 6,
}
_AXES: dict[str, Vec3] = {
    "rotation1": (1.0, 0.0, 0.0),
    "rotation2": (0.0, 1.0, 0.0),
    "rotation3": (0.0, 0.0, 1.0),
    "translation1": (1.0, 0.0, 0.0),
    "translation2": (0.0, 1.0, 0.0),
    "translation3": (0.0, 0.0, 1.0),
}
OTHER_JOINT = "joints of this class are not simulated"
_COLLINEAR = 1e-5  # OpenSim's bound on |a × b|
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
    if element.tag == "CustomJoint":
        return _custom_joint(context, element, parent, child, listed)
    count = COORDINATE_COUNTS.get(element.tag)
    if count is None:
        context.refuse(element.tag, element.name, OTHER_JOINT)
    elif not _lists_coordinates(element):
        listed = default_coordinates("", count)
    elif len(listed) != count:
        raise element.error(f"expected {count} coordinate(s) in a {element.tag}, not {len(listed)}")
    return JointSpec(element.tag, element.name, parent, child, listed)


def default_coordinates(joint_name: str, count: int) -> tuple[CoordinateSpec, ...]:
    """The coordinates OpenSim makes up for a joint; in a file the joint is still nameless then."""
    return tuple(CoordinateSpec(f"{joint_name}_coord_{i}") for i in range(count))


def _lists_coordinates(joint: Element) -> bool:
    return joint.child("coordinates") is not None


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
    function = context.object_property(element, "prescribed_function", FUNCTION_CLASSES)
    # OpenSim takes back the flag if there is no function.
    if context.boolean(element, "prescribed", False) and function is not None:
        reason = "prescribed coordinates are not simulated; set prescribed to false, or lock them"
        context.refuse("Coordinate", element.name, reason)
    return CoordinateSpec(
        name=element.name,
        default_value=default,
        default_speed_value=context.number(element, "default_speed_value", 0.0),
        range=(low, high),
        clamped=clamped,
        locked=context.boolean(element, "locked", False),
    )


def _custom_joint(
    context: Context,
    element: Element,
    parent: FrameSpec,
    child: FrameSpec,
    listed: tuple[CoordinateSpec, ...],
) -> JointSpec:
    refused_before = len(context.unsupported)
    transform = _read_transform(context, element)
    # OpenSim's order is that of first use. It makes up coordinates if none is listed.
    used = dict.fromkeys(name for axis in transform for name in axis.coordinates)
    by_name = {coordinate.name: coordinate for coordinate in listed}
    extra = [name for name in by_name if name not in used]
    if extra:
        raise element.error(f"expected a use in SpatialTransform of coordinate {quote(extra[0])}")
    missing = [name for name in used if listed and name not in by_name]
    if missing:
        raise element.error(f"expected a Coordinate {quote(missing[0])}, SpatialTransform uses it")
    if not 1 <= len(used) <= 6:
        raise element.error(f"expected 1 to 6 coordinates in a CustomJoint, found {len(used)}")
    coordinates = tuple(by_name.get(name, CoordinateSpec(name)) for name in used)
    moving = {name for a in transform if not is_constant(a.function) for name in a.coordinates}
    idle = [c.name for c in coordinates if not c.locked and c.name not in moving]
    if idle and len(context.unsupported) == refused_before:
        # OpenSim differs: it simulates with a singular mass matrix.
        raise element.error(f"expected coordinate {quote(idle[0])} to move something")
    return JointSpec("CustomJoint", element.name, parent, child, coordinates, transform)


def _read_transform(context: Context, joint: Element) -> tuple[TransformAxisSpec, ...]:
    element = context.property(joint, "SpatialTransform")
    if element is None:
        raise joint.error("expected a SpatialTransform")
    transform = tuple(_read_axis(context, element, name) for name in _AXES)
    for triplet in (transform[:3], transform[3:]):
        a, b, c = (axis.axis for axis in triplet)
        if min(_sine(a, b), _sine(a, c), _sine(b, c)) < _COLLINEAR:
            raise element.error("expected three axes of which no two are collinear")
    return transform


def _read_axis(context: Context, transform: Element, name: str) -> TransformAxisSpec:
    element = context.object_property(transform, name, ("TransformAxis",))
    if element is None:
        element = transform.append(Element("TransformAxis", name=name))
        axis = _AXES[name]
    else:
        # Not the axis of `name`: an axis that is written starts from the default of its class.
        axis = context.vector(element, "axis", _AXES["rotation1"])
    coordinates = words(context.property(element, "coordinates"))
    function = read_function(context, element, "function")
    count = argument_count(function)
    if count is not None and count != len(coordinates):
        # OpenSim differs: it reads past the arguments, or calls the value zero.
        raise element.error(
            f"expected a function of {len(coordinates)} coordinate(s), this one takes {count}"
        )
    return TransformAxisSpec(axis, coordinates, function)


def _sine(a: Vec3, b: Vec3) -> float:
    """|a × b| of two axes as they stand in the file."""
    return math.hypot(
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
