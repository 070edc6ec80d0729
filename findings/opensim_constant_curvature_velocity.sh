#!/usr/bin/env bash
# The velocity of a body on a ConstantCurvatureJoint is not the rate of its pose.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: the velocity that OpenSim reports for a body is the rate of change of its pose.
# Observed: on a ConstantCurvatureJoint it is not. The difference quotient of the pose, taken along
#   the motion that the coordinates' speeds describe, is another angular velocity where the joint
#   is bent about two axes, and another linear velocity already where it is bent about one. The
#   pose itself is as expected: bent by a about one axis, an arc of length 1 ends at the height
#   sin(a)/a, whose rate at a = 0.3 is -0.099, not 0.05.
# Output seen (length 1; values (rad) and speeds (rad/s) of the coordinates; rad/s and m/s):
#   values [0.3, 0.0, 0.0], speeds [1.0, 0.0, 0.0]
#     angular   reported [1. 0. 0.]   rate of the pose [1. 0. 0.]
#     linear    reported [0.    0.05  0.496]   rate of the pose [ 0.    -0.099  0.489]
#   values [0.3, 0.4, -0.5], speeds [1.0, -0.7, 0.4]
#     angular   reported [ 0.473  0.011 -1.056]   rate of the pose [ 0.844  0.559 -0.56 ]
#     linear    reported [0.539 0.002 0.241]   rate of the pose [ 0.329 -0.004  0.491]
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import numpy as np
import opensim

opensim.Logger.setLevelString("warn")
STEP = 1e-5  # (s)

model = opensim.Model()
body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
model.addBody(body)
joint = opensim.ConstantCurvatureJoint("joint", model.getGround(), body, opensim.Vec3(0), 1.0)
model.addJoint(joint)
state = model.initSystem()
coordinates = [joint.get_coordinates(i) for i in range(3)]


def array(vector):
    return np.array([vector.get(i) for i in range(vector.size())])


def pose(values):
    """Rotation and position of the body."""
    for coordinate, value in zip(coordinates, values, strict=True):
        coordinate.setValue(state, value, False)
    model.realizePosition(state)
    matrix = body.getTransformInGround(state).R().asMat33()
    rotation = np.array([[matrix.get(i, j) for j in range(3)] for i in range(3)])
    return rotation, array(body.getPositionInGround(state))


def velocities(values, speeds):
    """Angular and linear velocity as reported, then as rates of the pose."""
    print(f"values {values}, speeds {speeds}")
    change = STEP * np.array(speeds)
    (R_after, p_after), (R_before, p_before) = pose(values + change), pose(values - change)
    R, _ = pose(values)
    spin = (R_after - R_before) / (2 * STEP) @ R.T
    rates = [spin[2, 1], spin[0, 2], spin[1, 0]], (p_after - p_before) / (2 * STEP)
    for coordinate, speed in zip(coordinates, speeds, strict=True):
        coordinate.setSpeedValue(state, speed)
    model.realizeVelocity(state)
    if not np.array_equal(array(state.getQDot()), speeds):
        sys.exit("changed: the speeds are not the rates of the coordinates")
    reported = body.getAngularVelocityInGround(state), body.getLinearVelocityInGround(state)
    found = []
    for kind, vector, rate in zip(("angular", "linear"), reported, rates, strict=True):
        found += [array(vector).round(3), np.round(rate, 3)]
        print(f"  {kind:9} reported {found[-2]}   rate of the pose {found[-1]}")
    return found


one_axis = velocities([0.3, 0.0, 0.0], [1.0, 0.0, 0.0])
if not np.allclose(one_axis, [[1, 0, 0], [1, 0, 0], [0, 0.05, 0.496], [0, -0.099, 0.489]]):
    sys.exit("changed: bent about one axis, the body has another velocity")
angular, spin, linear, rate = velocities([0.3, 0.4, -0.5], [1.0, -0.7, 0.4])
if not np.allclose([spin, rate], [[0.844, 0.559, -0.560], [0.329, -0.004, 0.491]]):
    sys.exit("changed: the pose is another")
if not np.allclose([angular, linear], [[0.473, 0.011, -1.056], [0.539, 0.002, 0.241]]):
    sys.exit("changed: bent about several axes, another velocity is reported")
PY
