#!/usr/bin/env bash
# The moment arm about a driven coordinate loses digits with the square of its coupler's slope.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: q1 = slope · q0. A path that crosses q0 alone has an arm r about it, and about q1 the arm
#   r / slope: a quotient of two well known numbers, with sixteen digits whatever the slope is.
# Observed: at a slope of 1e-4 eight digits are right, at 1e-6 four, at 1e-7 one or two, and at 1e-8
#   the arm is NaN. Splines of patellas in public models have such slopes in some poses.
# Output seen (arm about q0 0.19309 m):
#   slope 1e-02: arm about q1 19.3091 m, relative error 9e-13
#   slope 1e-04: arm about q1 1930.91 m, relative error 4e-09
#   slope 1e-06: arm about q1 193074 m, relative error 9e-05
#   slope 1e-07: arm about q1 1.97637e+06 m, relative error 2e-02
#   slope 1e-08: arm about q1 nan m, relative error nan
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import math
import sys

import opensim


def arms(slope):
    model = opensim.Model()
    ground = model.getGround()
    coordinates, bodies = [], []
    for name in ("q0", "q1"):
        body = opensim.Body(f"body_{name}", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
        model.addBody(body)
        joint = opensim.PinJoint(f"joint_{name}", ground, body)
        joint.updCoordinate().setName(name)
        model.addJoint(joint)
        coordinates.append(joint.getCoordinate())
        bodies.append(body)
    coupler = opensim.CoordinateCouplerConstraint()
    independent = opensim.ArrayStr()
    independent.append("q0")
    coupler.setIndependentCoordinateNames(independent)
    coupler.setDependentCoordinateName("q1")
    coupler.setFunction(opensim.LinearFunction(slope, 0.0))
    model.addConstraint(coupler)
    actuator = opensim.PathActuator()
    actuator.addNewPathPoint("origin", ground, opensim.Vec3(-0.1, 0.3, 0))
    actuator.addNewPathPoint("insertion", bodies[0], opensim.Vec3(0.1, 0.2, 0))
    model.addForce(actuator)
    state = model.initSystem()
    coordinates[0].setValue(state, 0.4)
    model.realizePosition(state)
    return [actuator.computeMomentArm(state, coordinate) for coordinate in coordinates]


errors = {}
for slope in (1e-2, 1e-4, 1e-6, 1e-7, 1e-8):
    driving, driven = arms(slope)
    errors[slope] = abs(driven * slope / driving - 1)
    print(f"slope {slope:.0e}: arm about q1 {driven:g} m, relative error {errors[slope]:.0e}")
if not (errors[1e-2] < 1e-11 and errors[1e-6] > 1e-6 and math.isnan(errors[1e-8])):
    sys.exit("changed: the arms are as exact as their quotient")
PY
