#!/usr/bin/env bash
# A formula's blanks are removed even inside numbers.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: the documentation says that an expression cannot have white space; a formula with a
#   blank between two numbers is refused, as one with a blank between two names is.
# Observed: white space is removed first, also inside a number: "1 2*q" is read as 12*q, without a
#   message.
# Output seen (q = 0.5; an ExpressionBasedCoordinateForce):
#   '12*q'       -> 6.0
#   '1 2*q'      -> 6.0
#   '2 .5 + q'   -> 3.0
#   'q q'        -> refused: No value specified for variable qq
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


def force_of(formula):
    """The force (N) at q = 0.5, or the reason why there is none."""
    model = opensim.Model()
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.SliderJoint("joint", model.getGround(), body)
    joint.updCoordinate().setName("slide")
    joint.updCoordinate().set_default_value(0.5)
    model.addJoint(joint)
    force = opensim.ExpressionBasedCoordinateForce("slide", formula)
    model.addForce(force)
    try:
        state = model.initSystem()
        model.realizeDynamics(state)
    except RuntimeError as error:
        return "refused: " + str(error).splitlines()[0].split("): ")[-1].split("const': ")[-1]
    return force.getForceMagnitude(state)


seen = {formula: force_of(formula) for formula in ("12*q", "1 2*q", "2 .5 + q", "q q")}
for formula, force in seen.items():
    print(f"{formula!r:12} -> {force}")
*numbers, refused = seen.values()
if numbers != [6.0, 6.0, 3.0]:
    sys.exit("changed: the blanks are treated in another way")
if "variable qq" not in str(refused):
    sys.exit("changed: the names are not joined")
PY
