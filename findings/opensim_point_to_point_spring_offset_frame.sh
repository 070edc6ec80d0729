#!/usr/bin/env bash
# A PointToPointSpring between offset frames acts at points of the bodies.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a point given in a PhysicalOffsetFrame lies in that frame; the end of the spring is the
#   same whether it is given as the frame's origin or as the same place in the frame's body.
# Observed: the force acts on the body at the point whose numbers, in the body's own frame, are
#   those given. The recorded point, however, is the one in the offset frame.
# Output seen (body at x = 0.2, frame 0.5 further, stiffness 100, rest length 0.1; so the length is
#   0.7 and the force 60):
#   (0.5, 0, 0) in body: force -60.0, recorded point 0.7, acceleration -60.0
#   (0, 0, 0) in tip:    force -10.0, recorded point 0.7, acceleration -10.0
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


def pull(in_frame):
    """Force and point recorded for a body, and its acceleration, along x."""
    model = opensim.Model()
    model.setGravity(opensim.Vec3(0))
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.SliderJoint("joint", model.getGround(), body)
    joint.updCoordinate().set_default_value(0.2)
    model.addJoint(joint)
    place = opensim.Vec3(0.5, 0.0, 0.0)
    tip = opensim.PhysicalOffsetFrame("tip", body, opensim.Transform(place))
    body.addComponent(tip)
    end = (tip, opensim.Vec3(0)) if in_frame else (body, place)
    spring = opensim.PointToPointSpring(model.getGround(), opensim.Vec3(0), *end, 100.0, 0.1)
    spring.setName("spring")
    model.addForce(spring)
    state = model.initSystem()
    model.realizeAcceleration(state)
    labels, values = spring.getRecordLabels(), spring.getRecordValues(state)
    record = {labels.get(i): values.get(i) for i in range(labels.getSize())}
    name = f"spring.{end[0].getName()}"
    acceleration = joint.getCoordinate().getAccelerationValue(state)
    numbers = record[f"{name}.force.X"], record[f"{name}.point.X"], acceleration
    return [round(number, 9) for number in numbers]


in_body, in_frame = pull(False), pull(True)
for label, numbers in (("(0.5, 0, 0) in body:", in_body), ("(0, 0, 0) in tip:   ", in_frame)):
    print(f"{label} force {numbers[0]}, recorded point {numbers[1]}, acceleration {numbers[2]}")
if in_body != [-60.0, 0.7, -60.0] or in_frame != [-10.0, 0.7, -10.0]:
    sys.exit("changed: the spring pulls in another way")
PY
