#!/usr/bin/env bash
# The time constants of one DeGrooteFregly2016Muscle hold for all others of the process.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: each DeGrooteFregly2016Muscle has its own activation_time_constant,
#   deactivation_time_constant and activation_dynamics_smoothing, which are properties of it.
# Observed: the muscle whose activation is differentiated first sets all three for every other
#   muscle of the process, also for those of other models.
# Output seen (1/s; activation 0.5, control 1; "law" is the formula that the class documents):
#   model of 2
#     fast  0.01 s   rate 25.9473   law 25.9473
#     slow  0.05 s   rate 25.9473   law 9.1480
#   model of 1
#     slow  0.05 s   rate 25.9473   law 9.1480
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

opensim.Logger.setLevelString("warn")
CONSTANTS = {"fast": 0.01, "slow": 0.05}
ACTIVATION, CONTROL = 0.5, 1.0


def law(muscle):
    """The rate that the muscle's own properties give."""
    factor = 0.5 + 1.5 * ACTIVATION
    smoothing = muscle.get_activation_dynamics_smoothing()
    half = 0.5 * math.tanh(smoothing * (CONTROL - ACTIVATION))
    rising = (0.5 + half) / (muscle.get_activation_time_constant() * factor)
    falling = (0.5 - half) * factor / muscle.get_deactivation_time_constant()
    return (rising + falling) * (CONTROL - ACTIVATION)


def rates(*names):
    """The rates that OpenSim computes in a new model, with those of the law."""
    model = opensim.Model()
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.SliderJoint("joint", model.getGround(), body)
    joint.updCoordinate().set_default_value(0.3)
    model.addJoint(joint)
    muscles = []
    for name in names:
        muscle = opensim.DeGrooteFregly2016Muscle()
        muscle.setName(name)
        muscle.set_activation_time_constant(CONSTANTS[name])
        muscle.set_default_activation(ACTIVATION)
        muscle.addNewPathPoint("origin", model.getGround(), opensim.Vec3(0))
        muscle.addNewPathPoint("insertion", body, opensim.Vec3(0))
        model.addForce(muscle)
        muscles.append(muscle)
    print(f"model of {len(names)}")
    state = model.initSystem()
    model.realizeVelocity(state)
    model.setControls(state, opensim.Vector(len(names), CONTROL))
    model.realizeAcceleration(state)
    found = []
    for muscle in muscles:
        path = f"{muscle.getAbsolutePathString()}/activation"
        found.append((model.getStateVariableDerivativeValue(state, path), law(muscle)))
        rate, own_rate = found[-1]
        constant = muscle.get_activation_time_constant()
        print(f"  {muscle.getName()} {constant:5} s   rate {rate:.4f}   law {own_rate:.4f}")
    return found


(fast, own), (slow, slow_law) = rates("fast", "slow")
((alone, alone_law),) = rates("slow")
if abs(fast - own) > 1e-9 or abs(slow_law - own) < 1 or alone_law != slow_law:
    sys.exit("changed: the first muscle does not follow its own constants")
if slow != fast or alone != fast:
    sys.exit("changed: the other muscles do not take the constants of the first")
PY
