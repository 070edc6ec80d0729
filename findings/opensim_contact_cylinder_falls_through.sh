#!/usr/bin/env bash
# A ContactCylinder or ContactTorus falls through the ground, without a message.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: HuntCrossleyForce, whose geometry may be any ContactGeometry, pushes a cylinder and a torus
#   out of a half-space, or names them as what it cannot do.
# Observed: no force, no error, no line in the log, whereas a sphere of the same radius is pushed.
# Output seen, forces (N) at a depth of 1 cm, and lines logged:
#   sphere 149.071
#   cylinder 0.0
#   torus 0.0
#   lines 0
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

opensim.Logger.removeFileSink()
opensim.Logger.addFileSink("log.txt")


def pressed(geometry, height):
    """Upward force (N) on geometry of a body that is 1 cm deep in a frictionless half-space."""
    model = opensim.Model()
    ground, zero, up = model.getGround(), opensim.Vec3(0), opensim.Vec3(0, 0, math.pi / 2)
    body = opensim.Body("body", 1, zero, opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.SliderJoint("joint", ground, zero, up, body, zero, up)
    model.addJoint(joint)
    joint.updCoordinate().setDefaultValue(height - 0.01)
    down = opensim.Vec3(0, 0, -math.pi / 2)
    model.addContactGeometry(opensim.ContactHalfSpace(zero, down, ground, "floor"))
    geometry.setFrame(body)
    geometry.setName("geometry")
    model.addContactGeometry(geometry)
    force = opensim.HuntCrossleyForce()
    force.setName("contact")
    for name in ("floor", "geometry"):
        force.addGeometry(name)
    force.setStiffness(1e6)
    force.setDissipation(0)
    force.setStaticFriction(0)
    force.setDynamicFriction(0)
    force.setViscousFriction(0)
    model.addForce(force)
    state = model.initSystem()
    model.realizeAcceleration(state)
    labels, values = force.getRecordLabels(), force.getRecordValues(state)
    names = [labels.get(k) for k in range(labels.size())]
    place = next(k for k, name in enumerate(names) if "body" in name and name.endswith("force.Y"))
    return round(values.get(place), 3)


def sphere(radius):
    """A sphere that has yet to be given a frame."""
    return opensim.ContactSphere(radius, opensim.Vec3(0), opensim.Ground(), "")


cylinder, torus = opensim.ContactCylinder(), opensim.ContactTorus()
cylinder.setRadius(0.1)
torus.setTorusRadius(0.1)
torus.setTubeRadius(0.1)
forces = [pressed(sphere(0.1), 0.1), pressed(cylinder, 0.1), pressed(torus, 0.1)]
for name, force in zip(["sphere", "cylinder", "torus"], forces):
    print(name, force)
lines = len(pathlib.Path("log.txt").read_text().splitlines())
print("lines", lines)
if [*forces, lines] != [149.071, 0.0, 0.0, 0]:
    sys.exit("changed: contact of cylinders and tori with a half-space")
PY
