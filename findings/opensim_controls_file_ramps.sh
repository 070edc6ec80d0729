#!/usr/bin/env bash
# The rows of a controls file are played as ramps, not as the steps of option 0.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: PrescribedController documents interpolation_method as constant (0), linear (1), cubic
#   (3) or quintic (5) and names no default. A file with one row of controls per control step is
#   played as it was recorded: each row holds until the next one.
# Observed: without interpolation_method the rows are joined by straight lines, so the control
#   half-way between a row of 0 and a row of 1 is 0.5 and a recorded step arrives early. A model
#   that is saved keeps interpolation_method empty, and its file does not tell which one is in
#   force. The value 2, which is not in the list, is taken without a message and means straight
#   lines too.
# Output seen (at 0.0, 0.5, 1.0, 2.5 and 3.0 s; the rows at 0, 1, 2 and 3 s are 0, 1, 1 and 0):
#   interpolation_method not set: [0.0, 0.5, 1.0, 0.5, 0.0]
#   interpolation_method 0:       [0.0, 0.0, 1.0, 1.0, 0.0]
#   interpolation_method 1:       [0.0, 0.5, 1.0, 0.5, 0.0]
#   interpolation_method 2:       [0.0, 0.5, 1.0, 0.5, 0.0]
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
HEADER = "controls\nversion=1\nnRows=4\nnColumns=2\ninDegrees=no\nendheader\n"
ROWS = "time\tmotor\n0.0\t0.0\n1.0\t1.0\n2.0\t1.0\n3.0\t0.0\n"
Path("controls.sto").write_text(HEADER + ROWS)


def controls(method):
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
    if method is not None:
        controller.set_interpolation_method(method)
    model.addController(controller)
    state = model.initSystem()
    played = []
    for time in (0.0, 0.5, 1.0, 2.5, 3.0):
        state.setTime(time)
        model.realizeVelocity(state)
        played.append(abs(round(model.getControls(state).get(0), 9)))
    name = "not set:" if method is None else f"{method}:"
    print(f"interpolation_method {name:8} {played}")
    return played


ramps, steps = [0.0, 0.5, 1.0, 0.5, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0]
if [controls(method) for method in (None, 0, 1, 2)] != [ramps, steps, ramps, ramps]:
    sys.exit("changed: the rows are played in another way")
PY
