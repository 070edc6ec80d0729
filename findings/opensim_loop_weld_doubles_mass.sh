#!/usr/bin/env bash
# A WeldJoint or FreeJoint that closes a loop makes its child's mass count twice.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: two bodies of 1 and 10 kg on pins weigh 11 kg, whichever joint connects them besides: the
#   graph of the joints has a loop, and OpenSim closes it by a constraint.
# Observed: with a pin or ball 11 kg, one half of the second body being a further body `b_slave_0`
#   that is welded to it; with a weld or a free joint 21 kg, without any message.
# Output seen, the joint, mass (kg) and bodies of the system:
#   none 11.0 a b
#   PinJoint 11.0 a b b_slave_0
#   BallJoint 11.0 a b b_slave_0
#   WeldJoint 21.0 a b
#   FreeJoint 21.0 a b
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


def seen(kind):
    """Mass and bodies of two bodies on pins that a joint of this class connects."""
    model, zero = opensim.Model(), opensim.Vec3(0)
    bodies = [opensim.Body(name, mass, zero, opensim.Inertia(1, 1, 1)) for name, mass in MASSES]
    for body in bodies:
        model.addBody(body)
        pin = opensim.PinJoint(f"pin_{body.getName()}", model.getGround(), zero, zero, body, zero, zero)
        model.addJoint(pin)
    if kind != "none":
        ends = bodies[0], zero, zero, bodies[1], zero, zero
        model.addJoint(getattr(opensim, kind)("loop", *ends))
    state = model.initSystem()
    model.realizePosition(state)
    mass = model.getMatterSubsystem().calcSystemMass(state)
    return [mass, *(body.getName() for body in model.getBodyList())]


MASSES = [("a", 1.0), ("b", 10.0)]
EXPECTED = {
    "none": [11.0, "a", "b"],
    "PinJoint": [11.0, "a", "b", "b_slave_0"],
    "BallJoint": [11.0, "a", "b", "b_slave_0"],
    "WeldJoint": [21.0, "a", "b"],
    "FreeJoint": [21.0, "a", "b"],
}
found = {kind: seen(kind) for kind in EXPECTED}
for kind, row in found.items():
    print(kind, *row)
if found != EXPECTED:
    sys.exit("changed: the bodies and their mass where joints close a loop")
PY
