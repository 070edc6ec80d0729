"""Joints, one module for each OpenSim class, all with the same names.

- `KIND`, the class; `COUNT` of its coordinates, None if that depends on the joint;
  `ANGULAR_VELOCITY`, whether its first three speeds are the angular velocity;
- `read`: what the file says, beside frames and coordinates;
- `transform_axes`: its six axes, as a CustomJoint has them;
- `rotational`: OpenSim's motion type of a coordinate.

What all share is in `joint.py`.
"""

from types import ModuleType

from jaxosim.joints import (
    ball_joint,
    custom_joint,
    free_joint,
    gimbal_joint,
    pin_joint,
    planar_joint,
    slider_joint,
    universal_joint,
    weld_joint,
)

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
    )
}
