#!/usr/bin/env bash
# The equilibrium of a moving Millard muscle never takes the speed of its path.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: Millard2012EquilibriumMuscle::computeFiberEquilibrium(state, solveForVelocity) takes the
#   speed of the path from the state where the flag is set, as its documentation says, and shares
#   it between fiber and tendon, as that of computeInitialFiberEquilibrium says.
# Observed: the flag has no effect. Whatever the speed, the fiber is at rest afterwards and the
#   length and force are those of a path at rest. A Thelen2003Muscle of the same kind shares it.
# Output seen (activation 0.5, path 0.31 m, its speed and the fiber's in m/s, force in N):
#   Millard, flag False, path  0.0: fiber velocity  0.0000, tendon force 503.46
#   Millard, flag False, path  0.3: fiber velocity  0.0000, tendon force 503.46
#   Millard, flag True , path  0.3: fiber velocity  0.0000, tendon force 503.46
#   Thelen,              path  0.3: fiber velocity  0.3004, tendon force 710.15
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


def equilibrium(muscle_class, speed, solve):
    """Fiber velocity and tendon force after equilibration of a straight muscle in motion."""
    model = opensim.Model()
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.SliderJoint("joint", model.getGround(), body)
    joint.updCoordinate().set_default_value(0.31)
    joint.updCoordinate().set_default_speed_value(speed)
    model.addJoint(joint)
    muscle = muscle_class("muscle", 1000.0, 0.1, 0.2, 0.0)
    muscle.addNewPathPoint("origin", model.getGround(), opensim.Vec3(0))
    muscle.addNewPathPoint("insertion", body, opensim.Vec3(0))
    model.addForce(muscle)
    state = model.initSystem()
    muscle.setActivation(state, 0.5)
    solve(muscle, state)
    model.realizeDynamics(state)
    return muscle.getFiberVelocity(state), muscle.getTendonForce(state)


def flagged(flag):
    return lambda muscle, state: muscle.computeFiberEquilibrium(state, flag)


def initial(muscle, state):
    muscle.computeInitialFiberEquilibrium(state)


millard, thelen = opensim.Millard2012EquilibriumMuscle, opensim.Thelen2003Muscle
seen = {
    "Millard, flag False, path  0.0": equilibrium(millard, 0.0, flagged(False)),
    "Millard, flag False, path  0.3": equilibrium(millard, 0.3, flagged(False)),
    "Millard, flag True , path  0.3": equilibrium(millard, 0.3, flagged(True)),
    "Thelen,              path  0.3": equilibrium(thelen, 0.3, initial),
}
for label, (velocity, force) in seen.items():
    print(f"{label}: fiber velocity {velocity:7.4f}, tendon force {force:.2f}")
*of_millard, of_thelen = seen.values()
if any(abs(velocity) > 1e-6 or abs(force - 503.4627) > 1e-3 for velocity, force in of_millard):
    sys.exit("changed: the equilibrium of the Millard muscle depends on the speed or the flag")
if abs(of_thelen[0] - 0.3004) > 1e-3:
    sys.exit("changed: the equilibrium of the Thelen muscle is another")
PY
