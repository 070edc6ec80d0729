#!/usr/bin/env bash
# After State.setTime a prescribed coordinate has its old value and speed, and the new acceleration.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a coordinate prescribed as a function of time has value, speed and acceleration of one
#   time once the state is realized, as for every quantity that depends on time.
# Observed: setTime and realizeAcceleration leave value and speed as initSystem has set them, and take
#   the acceleration at the new time. After Model.assemble all three are of the new time.
# Output seen for x(t) = 0.2 sin(3 t + 0.1) + 0.3, as time, value, speed, acceleration:
#   initSystem 0.0 0.319967 0.597002 -0.1797
#   setTime 0.4 0.319967 0.597002 -1.734405
#   assemble 0.4 0.492712 0.160499 -1.734405
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import opensim

opensim.Logger.setLevelString("off")

model, zero = opensim.Model(), opensim.Vec3(0)
body = opensim.Body("body", 1, zero, opensim.Inertia(1, 1, 1))
model.addBody(body)
joint = opensim.SliderJoint("joint", model.getGround(), body)
model.addJoint(joint)
coordinate = joint.updCoordinate()
coordinate.setPrescribedFunction(opensim.Sine(0.2, 3.0, 0.1, 0.3))
coordinate.setDefaultIsPrescribed(True)
state = model.initSystem()


def motion():
    """Time, value, speed and acceleration."""
    model.realizeAcceleration(state)
    getters = (coordinate.getValue, coordinate.getSpeedValue, coordinate.getAccelerationValue)
    return [state.getTime(), *(round(get(state), 6) for get in getters)]


found = {"initSystem": motion()}
state.setTime(0.4)
found["setTime"] = motion()
model.assemble(state)
found["assemble"] = motion()
for name, row in found.items():
    print(name, *row)
if found != {
    "initSystem": [0.0, 0.319967, 0.597002, -0.1797],
    "setTime": [0.4, 0.319967, 0.597002, -1.734405],
    "assemble": [0.4, 0.492712, 0.160499, -1.734405],
}:
    sys.exit("changed: a prescribed coordinate when the time is set")
PY
