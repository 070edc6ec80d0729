"""Joints, one module for each OpenSim class, all with the same names.

- `KIND`, the class; `COUNT` of its coordinates, None if that depends on the joint;
  `ANGULAR_VELOCITY`, whether its first three speeds are the angular velocity;
- `read`: what the file says, beside frames and coordinates;
- `transform_axes`: its six axes, as a CustomJoint has them;
- `rotational`: OpenSim's motion type of a coordinate.

Those whose pose six axes do not give further have

- `FIELD` of `JointParams`; `REVERSIBLE`, whether the child may stand nearer to ground;
- `Properties`, `Params` and `build`: their numbers; `inboard_frame`: their frame F;
- `Info` and `realize`: pose and hinge columns, and `realize_on_host`: the same with NumPy; `bias`:
  the rate of the hinge map times the speeds.

What all share is in `joint.py`.
"""

from types import ModuleType

from jaxosim.joints import (
    ball_joint,
    constant_curvature_joint,
    custom_joint,
    ellipsoid_joint,
    free_joint,
    gimbal_joint,
    pin_joint,
    planar_joint,
    scapulothoracic_joint,
    slider_joint,
    universal_joint,
    weld_joint,
)
from jaxosim.joints.joint import ROTATIONS
from jaxosim.models.spec import JointSpec

JOINTS: dict[str, ModuleType] = {
    joint.KIND: joint
    for joint in (
        weld_joint,
        pin_joint,
        slider_joint,
        universal_joint,
        gimbal_joint,
        ball_joint,
        planar_joint,
        free_joint,
        custom_joint,
        ellipsoid_joint,
        scapulothoracic_joint,
        constant_curvature_joint,
    )
}
# Those with a law of their own beside the six axes.
LAWS: tuple[ModuleType, ...] = (
    ellipsoid_joint,
    scapulothoracic_joint,
    constant_curvature_joint,
)


def locked_angles(joint: JointSpec) -> tuple[str, ...]:
    """The locked angles of a joint whose speeds are no rates of angles; none if all are locked."""
    if joint.kind not in JOINTS or not JOINTS[joint.kind].ANGULAR_VELOCITY:
        return ()
    angles = joint.coordinates[:ROTATIONS]
    locked = tuple(angle.name for angle in angles if angle.locked)
    return locked if len(locked) < len(angles) else ()
