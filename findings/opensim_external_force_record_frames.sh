#!/usr/bin/env bash
# The record of an ExternalForce has the force in ground and its point in the frame of the body.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: force and point of one record, labeled Fx, Fy, Fz, px, py, pz, are in one frame.
# Observed: a force expressed in ground, whose point is given in ground as (0.1, 0.2, 0), on a body at
#   x = 1 that is turned by 90 degrees about z: the force is recorded as given, in ground, and the point
#   as (0.2, 0.9, 0), in the frame of the body.
# Output seen, force and point as recorded:
#   1.0 2.0 3.0 at 0.2 0.9 0.0
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import math
import pathlib
import sys

import opensim

opensim.Logger.setLevelString("off")

ROW = "1\t2\t3\t0.1\t0.2\t0"
pathlib.Path("forces.sto").write_text(
    "forces\nversion=1\nnRows=2\nnColumns=7\ninDegrees=no\nendheader\n"
    f"time\tfx\tfy\tfz\tpx\tpy\tpz\n0\t{ROW}\n1\t{ROW}\n"
)
model, data = opensim.Model(), opensim.Storage("forces.sto")
body = opensim.Body("body", 1, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
model.addBody(body)
joint = opensim.PlanarJoint("joint", model.getGround(), body)
model.addJoint(joint)
joint.upd_coordinates(0).setDefaultValue(math.pi / 2)
joint.upd_coordinates(1).setDefaultValue(1.0)
force = opensim.ExternalForce(data, "f", "p", "", "body", "ground", "ground")
force.setName("force")
force.set_data_source_name(data.getName())
model.addForce(force)
state = model.initSystem()
model.realizeAcceleration(state)
labels, values = force.getRecordLabels(), force.getRecordValues(state)
names = [labels.get(place).rsplit("_", 1)[1] for place in range(labels.size())]
found = [round(values.get(place), 6) for place in range(values.size())]
print(*found[:3], "at", *found[3:])
if names != ["Fx", "Fy", "Fz", "px", "py", "pz"] or found != [1.0, 2.0, 3.0, 0.2, 0.9, 0.0]:
    sys.exit("changed: the record of an ExternalForce")
PY
