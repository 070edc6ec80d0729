#!/usr/bin/env bash
# A path through a torus a centimeter in radius becomes a meter long between two neighboring poses.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a path that wraps over a torus is about as long as the way between its ends, here 0.2 m,
#   and its length is a continuous function of the pose, save where a way round is lost.
# Observed: from one pose to another, 0.005 rad away, the length jumps from 0.28 to 1.13 m; the ends
#   are 0.2 m apart. Wraps of public models do the same (EDCM of MoBL_ARMS_J): the tendon of a muscle
#   is then stretched by more than its own length.
# Output seen (inner radius 0.01 m, outer radius 0.013 m):
#   length at 0.000 rad: 0.211 m
#   length at 0.180 rad: 0.277 m
#   length at 0.185 rad: 1.135 m
#   length at 0.300 rad: 0.340 m
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import opensim

model = opensim.Model()
ground = model.getGround()
body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
model.addBody(body)
joint = opensim.PinJoint("joint", ground, body)
model.addJoint(joint)
torus = opensim.WrapTorus()
torus.setName("torus")
torus.set_inner_radius(0.01)
torus.set_outer_radius(0.013)
torus.set_xyz_body_rotation(opensim.Vec3(-2.0, -0.1, -1.3))
ground.addWrapObject(torus)
force = opensim.PathActuator()
force.addNewPathPoint("origin", ground, opensim.Vec3(-0.1, 0.03, 0.02))
force.addNewPathPoint("insertion", body, opensim.Vec3(0.1, 0.03, 0.01))
model.addForce(force)
model.finalizeConnections()
force.updGeometryPath().addPathWrap(ground.getWrapObject("torus"))
state = model.initSystem()
lengths = {}
for angle in (0.0, 0.18, 0.185, 0.3):
    joint.getCoordinate().setValue(state, angle)
    model.realizePosition(state)
    lengths[angle] = force.getGeometryPath().getLength(state)
    print(f"length at {angle:.3f} rad: {lengths[angle]:.3f} m")
if not (lengths[0.18] < 0.3 and lengths[0.185] > 1.0):
    sys.exit("changed: the length no longer jumps")
PY
