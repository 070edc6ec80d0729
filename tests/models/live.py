"""Comparison of what the reader says with a live OpenSim model."""

import numpy as np

from jaxosim.models.osim.frames import rotation

# Numbers of the file come through exactly; poses are multiplied out by both sides.
POSE_TOLERANCE = 1e-15


def vec(value):
    """A SimTK vector as a tuple."""
    return tuple(value.get(i) for i in range(value.size()))


def members(live_set):
    """The members of an OpenSim set."""
    return [live_set.get(i) for i in range(live_set.getSize())]


def assert_pose(frame, live_frame, extra=None):
    """A FrameSpec is the pose of an OpenSim frame, or of something placed in that frame."""
    pose = live_frame.findTransformInBaseFrame()
    if extra is not None:
        pose = pose.compose(extra)
    R = [[pose.R().get(i, j) for j in range(3)] for i in range(3)]
    assert frame.body == live_frame.findBaseFrame().getName()
    np.testing.assert_allclose(frame.translation, vec(pose.p()), rtol=0, atol=POSE_TOLERANCE)
    np.testing.assert_allclose(rotation(frame.orientation), R, rtol=0, atol=POSE_TOLERANCE)


def assert_same_bodies(ours, live):
    """Bodies agree in order, names and numbers."""
    bodies = members(live.getBodySet())
    assert [body.name for body in ours.bodies] == [body.getName() for body in bodies]
    for body, expected in zip(ours.bodies, bodies, strict=True):
        inertia = expected.get_inertia()
        assert body.mass == expected.getMass()
        assert body.mass_center == vec(expected.getMassCenter())
        assert body.inertia == tuple(inertia.get(i) for i in range(6))


def assert_same_joints(ours, live):
    """Joints agree in order, names, kinds, frames, and names of coordinates."""
    joints = members(live.getJointSet())
    assert [j.name for j in ours.joints] == [j.getName() for j in joints]
    assert [j.kind for j in ours.joints] == [j.getConcreteClassName() for j in joints]
    for joint, expected in zip(ours.joints, joints, strict=True):
        names = [expected.get_coordinates(i).getName() for i in range(expected.numCoordinates())]
        # Of several coordinates of one name ours bear their joints' names before it.
        assert [c.name.rpartition("/")[2] for c in joint.coordinates] == names
        assert_pose(joint.parent, expected.getParentFrame())
        assert_pose(joint.child, expected.getChildFrame())
