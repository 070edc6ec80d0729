#!/usr/bin/env bash
# A controller that names its actuators refuses the controls file that it accepts without names.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a PrescribedController needs to know its actuators; one that is connected to the
#   actuator named by the only column of its controls file is complete and plays the file.
# Observed: the connection makes initSystem() fail; its message counts no control functions, as if
#   no file were named. The same controller without any actuator plays the file and connects the
#   actuator by itself.
# Output seen (the control at 0.5 s, half-way between the rows 0 and 1):
#   actuator not connected: control 0.5, actuators afterwards ['/forceset/motor']
#   actuator connected: The number of control functions (0) does not match the number of
#   actuators (1) connected to the controller.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys
from pathlib import Path

import opensim

opensim.Logger.setLevelString("warn")
HEADER = "controls\nversion=1\nnRows=2\nnColumns=2\ninDegrees=no\nendheader\n"
Path("controls.sto").write_text(HEADER + "time\t/forceset/motor\n0.0\t0.0\n1.0\t1.0\n")


def outcome(connected):
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
    controller.set_controls_file("controls.sto")
    if connected:
        controller.addActuator(motor)
    model.addController(controller)
    try:
        state = model.initSystem()
    except RuntimeError as error:
        return str(error).split(": ", 1)[1].splitlines()[0]
    state.setTime(0.5)
    model.realizeVelocity(state)
    socket = controller.getSocket("actuators")
    paths = [socket.getConnecteePath(i) for i in range(socket.getNumConnectees())]
    return f"control {model.getControls(state).get(0):.1f}, actuators afterwards {paths}"


alone, connected = outcome(False), outcome(True)
print("actuator not connected:", alone)
print("actuator connected:", connected)
if alone != "control 0.5, actuators afterwards ['/forceset/motor']":
    sys.exit("changed: the controller without actuators does not play the file")
if "does not match" not in connected:
    sys.exit("changed: the connected controller is not refused")
PY
