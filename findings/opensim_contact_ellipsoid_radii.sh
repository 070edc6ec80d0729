#!/usr/bin/env bash
# A ContactEllipsoid is pressed as if its semi-axes were its radii of curvature.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: HuntCrossleyForce follows Hertz, so the force depends on the radii of curvature at the
#   contact. At the pole of its short axis an ellipsoid of semi-axes 0.2, 0.1, 0.2 m has the curvature
#   of a sphere of radius 0.2**2 / 0.1 = 0.4 m, and should be pushed like that sphere.
# Observed: it is pushed like a sphere of radius 0.2 m, with 71 % of the force.
# Output seen, forces (N) at a depth of 1 cm:
#   sphere 0.4 298.142
#   sphere 0.2 210.819
#   ellipsoid 0.2 0.1 0.2 210.819
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


ellipsoid = opensim.ContactEllipsoid()
ellipsoid.setRadii(opensim.Vec3(0.2, 0.1, 0.2))
forces = [pressed(sphere(0.4), 0.4), pressed(sphere(0.2), 0.2), pressed(ellipsoid, 0.1)]
for name, force in zip(["sphere 0.4", "sphere 0.2", "ellipsoid 0.2 0.1 0.2"], forces):
    print(name, force)
if forces != [298.142, 210.819, 210.819]:
    sys.exit("changed: the force on spheres, or on an ellipsoid")
PY
