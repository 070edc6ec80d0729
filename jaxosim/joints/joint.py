"""What the classes of joints share: their coordinates, and the six axes of the simple ones."""

from collections.abc import Sequence
from dataclasses import replace

from jaxosim.functions.constant import Spec as ConstantSpec
from jaxosim.functions.linear_function import Spec as LinearFunctionSpec
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import CoordinateSpec, JointSpec, TransformAxisSpec, Vec3

ROTATIONS = 3  # of Ball and Free joints, whose first speeds are an angular velocity
X: Vec3 = (1.0, 0.0, 0.0)
Y: Vec3 = (0.0, 1.0, 0.0)
Z: Vec3 = (0.0, 0.0, 1.0)


def default_coordinates(joint_name: str, count: int) -> tuple[CoordinateSpec, ...]:
    """The coordinates OpenSim makes up for a joint; in a file the joint is still nameless then."""
    return tuple(CoordinateSpec(f"{joint_name}_coord_{i}") for i in range(count))


def with_coordinates(element: Element, joint: JointSpec, count: int) -> JointSpec:
    """The joint with as many coordinates as its class has: those of the file, or default ones."""
    if element.child("coordinates") is None:
        return replace(joint, coordinates=default_coordinates("", count))
    if len(joint.coordinates) != count:
        raise element.error(
            f"expected {count} coordinate(s) in a {element.tag}, not {len(joint.coordinates)}"
        )
    return joint


def built_in_axes(
    joint: JointSpec, driven: Sequence[int], rotations: tuple[Vec3, Vec3, Vec3] = (X, Y, Z)
) -> tuple[TransformAxisSpec, ...]:
    """Six axes in the form of a CustomJoint's SpatialTransform.

    Args:
      joint: of a class whose coordinates each drive one axis.
      driven: the axes that the coordinates drive, one each.
      rotations: the three rotation axes.
    """
    axes = [TransformAxisSpec(axis, (), ConstantSpec(0.0)) for axis in (*rotations, X, Y, Z)]
    for coordinate, index in zip(joint.coordinates, driven, strict=False):
        axes[index] = TransformAxisSpec(
            axes[index].axis, (coordinate.name,), LinearFunctionSpec((1.0, 0.0))
        )
    return tuple(axes)


def is_rotational(axes: Sequence[TransformAxisSpec], coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational: the last axis with slope ±1 decides."""
    rotational = False
    for index, axis in enumerate(axes):
        if coordinate in axis.coordinates and isinstance(axis.function, LinearFunctionSpec):
            slope = axis.function.coefficients[axis.coordinates.index(coordinate)]
            if abs(slope) == 1.0:
                rotational = index < 3
    return rotational


def required_numbers(context: Context, element: Element, tag: str, count: int) -> tuple[float, ...]:
    """A property of some numbers, without which the joint means nothing."""
    found = context.property(element, tag)
    if found is None:
        # OpenSim differs: its poses become NaN.
        raise element.error(f"expected a {tag}")
    return numbers(found, count)
