"""CustomJoint: six axes whose values are functions of its coordinates.

Source: OpenSim `CustomJoint`, `SpatialTransform`; see docs/theory/joints.md, "Custom joints".
"""

import math
from dataclasses import replace

from jaxosim.errors import quote
from jaxosim.joints.joint import is_rotational
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.functions import argument_count, is_constant, read_function
from jaxosim.models.osim.values import words
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import (
    ConstantSpec,
    CoordinateSpec,
    FunctionSpec,
    JointSpec,
    LinearFunctionSpec,
    TransformAxisSpec,
    Vec3,
)

KIND = "CustomJoint"
COUNT = None  # 1 to 6
ANGULAR_VELOCITY = False

_AXES: dict[str, Vec3] = {
    "rotation1": (1.0, 0.0, 0.0),
    "rotation2": (0.0, 1.0, 0.0),
    "rotation3": (0.0, 0.0, 1.0),
    "translation1": (1.0, 0.0, 0.0),
    "translation2": (0.0, 1.0, 0.0),
    "translation3": (0.0, 0.0, 1.0),
}
_COLLINEAR = 1e-5  # OpenSim's bound on |a × b|


def read(context: Context, element: Element, joint: JointSpec) -> JointSpec:
    """The joint with its SpatialTransform, its coordinates in OpenSim's order."""
    listed = joint.coordinates
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
    return replace(joint, coordinates=coordinates, transform=transform)


def transform_axes(joint: JointSpec) -> tuple[TransformAxisSpec, ...]:
    """Its six axes."""
    assert joint.transform is not None
    return joint.transform


def rotational(joint: JointSpec, coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational."""
    return is_rotational(transform_axes(joint), coordinate)


def _read_transform(context: Context, joint: Element) -> tuple[TransformAxisSpec, ...]:
    element = context.property(joint, "SpatialTransform")
    if element is None:
        raise joint.error("expected a SpatialTransform")
    for child in element.children:
        if child.name in _AXES and child.tag != "TransformAxis":
            raise child.error(f"expected a TransformAxis, found {quote(child.tag)}")
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
    function = _read_axis_function(context, element, len(coordinates))
    if not coordinates and isinstance(function, LinearFunctionSpec):
        # As OpenSim, which takes the coefficient after the last argument, of which there is none.
        function = ConstantSpec(function.coefficients[0])
    count = argument_count(function)
    if count is not None and count != len(coordinates):
        # OpenSim differs: it reads past the arguments, or calls the value zero.
        raise element.error(
            f"expected a function of {len(coordinates)} coordinate(s), this one takes {count}"
        )
    return TransformAxisSpec(axis, coordinates, function)


def _read_axis_function(context: Context, axis: Element, count: int) -> FunctionSpec:
    """The function of an axis; where its element is empty, its one coordinate itself."""
    holder = context.property(axis, "function")
    if holder is None or holder.children or count == 0:
        return read_function(context, axis, "function")
    if count > 1:
        raise holder.error(f"expected a function of {count} coordinates, found none")
    return LinearFunctionSpec((1.0, 0.0))


def _sine(a: Vec3, b: Vec3) -> float:
    """|a × b| of two axes as they stand in the file."""
    return math.hypot(
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
