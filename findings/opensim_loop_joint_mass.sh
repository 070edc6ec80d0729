#!/usr/bin/env bash
# A body that is the child of two joints moves with other inertia than its own, or with its mass twice.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a joint that closes a loop leaves mass and inertia as they are. OpenSim splits the child
#   into the body and a slave, each with half of the mass, welded to each other.
# Observed: the inertia of the slave about its mass center is that of the body about its origin per
#   unit mass, instead of half of the body's. And if the joint that closes the loop is a WeldJoint
#   between the same two bodies as a PinJoint, a constraint is added and the joint kept, so that the
#   system weighs as much as if the second body were there twice.
# Output seen (kg·m² about z: a body on two PinJoints to ground; then the weld):
#   mass 3 kg: of the body 0.144, of the slave 0.115, together 0.258, of the whole body 0.287
#   mass 1 kg: of the body 0.131, of the slave 0.269, together 0.400, of the whole body 0.263
#   two bodies of 2 kg, the second on a PinJoint and a WeldJoint: total mass 6.0 kg
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import numpy as np
import opensim
from opensim import Vec3

opensim.Logger.setLevelString("error")
INERTIA, CENTER = 0.25, (0.1, 0.05)  # (kg·m²) about z and the mass center; (m)


def body(name, mass):
    return opensim.Body(name, mass, Vec3(*CENTER, 0), opensim.Inertia(0.2, 0.3, INERTIA))


def of_two_pins(mass):
    """Inertia about z (kg·m²) that each of the two coordinates moves."""
    model = opensim.Model()
    one = body("one", mass)
    model.addBody(one)
    for name in "jk":
        model.addJoint(opensim.PinJoint(name, model.getGround(), one))
    state = model.initSystem()
    matrix = opensim.Matrix()
    model.getMatterSubsystem().calcM(state, matrix)
    return np.diag(matrix.to_numpy())


for mass in (3.0, 1.0):
    own, slave = of_two_pins(mass)
    whole = INERTIA + mass * np.dot(CENTER, CENTER)
    print(
        f"mass {mass:g} kg: of the body {own:.3f}, of the slave {slave:.3f}, "
        f"together {own + slave:.3f}, of the whole body {whole:.3f}"
    )
    if not np.isclose(own, whole / 2):
        sys.exit("changed: the body does not have half of its inertia")
    if not np.isclose(slave, whole / mass + mass / 2 * np.dot(CENTER, CENTER)):
        sys.exit("changed: the slave has another inertia")

model = opensim.Model()
first, second = body("first", 2.0), body("second", 2.0)
model.addBody(first)
model.addBody(second)
model.addJoint(opensim.PinJoint("j", model.getGround(), first))
model.addJoint(opensim.PinJoint("k", first, second))
model.addJoint(opensim.WeldJoint("loop", first, second))
total = model.getTotalMass(model.initSystem())
print(f"two bodies of 2 kg, the second on a PinJoint and a WeldJoint: total mass {total} kg")
if total != 6.0:
    sys.exit("changed: another total mass")
PY
