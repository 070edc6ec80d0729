#!/usr/bin/env bash
# The moment arm about a locked, coupled coordinate is NaN, or right, by what was asked before.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: computeMomentArm is a function of the state: asked twice, or in another order, it answers
#   the same.
# Observed: q1 follows q0 by a coupler, and q0 is locked. The arm about q1 is NaN if it is asked for
#   first; after the arm about q0 it is a number, the one of the unlocked model. With q1 locked it is
#   the other way round.
# Output seen, arms (m) in the order of asking:
#   none locked q0 0.3946 q1 0.7892
#   none locked q1 0.7892 q0 0.3946
#   q0 locked q0 0.3946 q1 0.7892
#   q0 locked q1 nan q0 0.3946 q1 0.7892
#   q1 locked q0 nan q1 0.7892 q0 0.3946
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
CASES = [("none", "q0 q1"), ("none", "q1 q0"), ("q0", "q0 q1"), ("q0", "q1 q0 q1")]
CASES += [("q1", "q0 q1 q0")]


def arms(locked, asked):
    """Moment arms of a spring over two pins, coupled by q1 = q0 / 2."""
    model = opensim.Model()
    ground, zero = model.getGround(), opensim.Vec3(0)
    parent, bodies = ground, []
    for number, place in enumerate([zero, opensim.Vec3(0.5, 0, 0)]):
        body = opensim.Body(f"body{number}", 1, zero, opensim.Inertia(0.1, 0.1, 0.1))
        model.addBody(body)
        pin = opensim.PinJoint(f"pin{number}", parent, place, zero, body, zero, zero)
        model.addJoint(pin)
        pin.updCoordinate().setName(f"q{number}")
        pin.updCoordinate().setDefaultValue(0.4 / (1 + number))
        pin.updCoordinate().set_locked(locked == f"q{number}")
        parent = body
        bodies.append(body)
    coupler, names = opensim.CoordinateCouplerConstraint(), opensim.ArrayStr()
    names.append("q0")
    coupler.setIndependentCoordinateNames(names)
    coupler.setDependentCoordinateName("q1")
    coupler.setFunction(opensim.LinearFunction(0.5, 0.0))
    model.addConstraint(coupler)
    spring = opensim.PathSpring("spring", 0.1, 1.0, 0.0)
    spring.updGeometryPath().appendNewPathPoint("origin", ground, opensim.Vec3(0, 0.3, 0))
    spring.updGeometryPath().appendNewPathPoint("end", bodies[1], opensim.Vec3(0.3, 0.1, 0))
    model.addForce(spring)
    state = model.initSystem()
    model.realizePosition(state)
    coordinates = model.getCoordinateSet()
    return [spring.computeMomentArm(state, coordinates.get(name)) for name in asked]


changed = False
for locked, order in CASES:
    asked = order.split()
    found = arms(locked, asked)
    print(locked, "locked", *(f"{name} {arm:.4f}" for name, arm in zip(asked, found)))
    for place, (name, arm) in enumerate(zip(asked, found)):
        if locked not in ("none", asked[0]) and place == 0:
            changed |= not math.isnan(arm)
        else:
            changed |= not abs(arm - {"q0": 0.394593, "q1": 0.789185}[name]) < 1e-6
if changed:
    sys.exit("changed: moment arms about locked, coupled coordinates")
PY
