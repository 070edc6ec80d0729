#!/usr/bin/env bash
# The activation of a disabled ActivationCoordinateActuator goes on; that of a disabled muscle stands.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a force with appliesForce false exerts nothing, and its states stand still, as those of
#   muscles do.
# Observed: muscles set the rates of their states to zero where they are disabled. An
#   ActivationCoordinateActuator exerts nothing either, but its activation still follows the control,
#   so that it begins with another force where it is enabled again.
# Output seen, rates of the activation at control 1, enabled and disabled:
#   ActivationCoordinateActuator 50.0 50.0
#   Thelen2003Muscle 110.145 0.0
#   Millard2012EquilibriumMuscle 165.217 0.0
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


def rates(make):
    """Rate of the activation of a force on a pendulum, enabled and disabled."""
    model = opensim.Model()
    body = opensim.Body("body", 1.0, opensim.Vec3(0, -1, 0), opensim.Inertia(1))
    model.addBody(body)
    joint = opensim.PinJoint("joint", model.getGround(), body)
    joint.updCoordinate().setName("angle")
    model.addJoint(joint)
    model.addForce(make(model, body))
    state = model.initSystem()
    found = []
    for applies in (True, False):
        model.getForceSet().get(0).setAppliesForce(state, applies)
        model.realizePosition(state)
        model.setControls(state, opensim.Vector(1, 1.0))
        model.realizeAcceleration(state)
        found.append(model.getStateVariableDerivativeValue(state, "/forceset/force/activation"))
    return found


def actuator(model, body):
    force = opensim.ActivationCoordinateActuator()
    force.setName("force")
    force.set_coordinate("angle")
    return force


def muscle(kind):
    def make(model, body):
        force = kind("force", 100.0, 0.4, 0.6, 0.0)
        force.addNewPathPoint("origin", model.getGround(), opensim.Vec3(0.1, 0, 0))
        force.addNewPathPoint("insertion", body, opensim.Vec3(0, -1, 0))
        return force

    return make


seen = {"ActivationCoordinateActuator": rates(actuator)}
for kind in (opensim.Thelen2003Muscle, opensim.Millard2012EquilibriumMuscle):
    seen[kind.__name__] = rates(muscle(kind))
for name, (enabled, disabled) in seen.items():
    print(name, round(enabled, 3), round(disabled, 3))
goes_on = seen.pop("ActivationCoordinateActuator")
if goes_on[0] == 0 or goes_on[1] != goes_on[0]:
    sys.exit("changed: a disabled ActivationCoordinateActuator no longer activates")
if any(disabled != 0 or enabled == 0 for enabled, disabled in seen.values()):
    sys.exit("changed: a disabled muscle's activation no longer stands")
PY
