#!/usr/bin/env bash
# The length of a Scholz2015GeometryPath depends on the poses in which it was asked for before.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: in one pose of a model a path has one length, whatever has been computed before.
# Observed: a path over a fixed cylinder, from ground to a body that turns about the cylinder's axis,
#   is 0.30 m long at 120 degrees in a new state, where it passes the cylinder by, 0.84 m in a state
#   that was led there in steps of 30 degrees, and 1.09 m in one that comes from 240 degrees at once.
#   No time passes: the coordinate is set and the pose realized. Moment arms follow the length.
# Output seen, lengths in m:
#   120 degrees, new state 0.3000
#   120 degrees, in steps of 30 from 0 0.8431
#   120 degrees, at once from 240 1.0893
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

opensim.Logger.setLevelString("off")


def length_after(*degrees):
    """Of the path at the last angle, a new state having been at the others before."""
    model = opensim.Model()
    model.setName("model")
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1))
    model.addBody(body)
    joint = opensim.PinJoint("joint", model.getGround(), body)
    model.addJoint(joint)
    cylinder = opensim.ContactCylinder()
    cylinder.setName("cylinder")
    cylinder.setRadius(0.1)
    cylinder.setFrame(model.getGround())
    model.addContactGeometry(cylinder)
    path = opensim.Scholz2015GeometryPath()
    path.setName("path")
    path.appendPathPoint(model.getGround(), opensim.Vec3(-0.3, 0, 0))
    path.appendObstacle(cylinder, opensim.Vec3(0, -0.1, 0))
    path.appendPathPoint(body, opensim.Vec3(0.3, 0, 0))
    model.addComponent(path)
    state = model.initSystem()
    for angle in degrees:
        state.updQ()[0] = math.radians(angle)
        model.realizePosition(state)
        length = path.getLength(state)
    return f"{length:.4f}"


found = {
    "new state": length_after(120),
    "in steps of 30 from 0": length_after(*range(0, 121, 30)),
    "at once from 240": length_after(*range(0, 241, 30), 120),
}
for name, length in found.items():
    print("120 degrees,", name, length)
if list(found.values()) != ["0.3000", "0.8431", "1.0893"]:
    sys.exit("changed: lengths at 120 degrees")
PY
