#!/usr/bin/env bash
# A controller adds to the default controls of the model instead of replacing them.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: the documentation of Model::updDefaultControls says that these values are used unless a
#   controller updates them; a PrescribedController whose function is 0.25 gives the control 0.25.
# Observed: the value of the function is added to the default. Only Model::setControls replaces
#   the sum. (That several controllers of one actuator add up is documented.)
# Output seen:
#   default 0.0, function 0.25 -> control 0.25
#   default 1.0, function 0.25 -> control 1.25
#   setControls 0.5            -> control 0.5
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import opensim

opensim.Logger.setLevelString("warn")
model = opensim.Model()
body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
model.addBody(body)
joint = opensim.SliderJoint("joint", model.getGround(), body)
joint.updCoordinate().setName("slide")
model.addJoint(joint)
motor = opensim.CoordinateActuator("slide")
motor.setName("motor")
model.addForce(motor)
controller = opensim.PrescribedController()
controller.addActuator(motor)
controller.prescribeControlForActuator("motor", opensim.Constant(0.25))
model.addController(controller)
state = model.initSystem()

seen = []
for default in (0.0, 1.0):
    model.setDefaultControls(opensim.Vector(1, default))
    state.setTime(state.getTime() + 0.1)
    model.realizeVelocity(state)
    seen.append(model.getControls(state).get(0))
    print(f"default {default}, function 0.25 -> control {seen[-1]}")
model.setControls(state, opensim.Vector(1, 0.5))
model.realizeDynamics(state)
seen.append(model.getControls(state).get(0))
print(f"setControls 0.5            -> control {seen[-1]}")
if seen != [0.25, 1.25, 0.5]:
    sys.exit("changed: the controls are combined in another way")
PY
