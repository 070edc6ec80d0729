#!/usr/bin/env bash
# A ClutchedPathSpring whose appliesForce is false pulls as before.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a force whose appliesForce is false exerts nothing, as a PathSpring and a PathActuator.
# Observed: the property of a ClutchedPathSpring has no effect on the state that initSystem makes.
#   Here a tension of 20 N accelerates a mass of 1 kg.
# Output seen, accelerations with appliesForce true and false:
#   PathSpring -20.0 0.0
#   PathActuator -20.0 0.0
#   ClutchedPathSpring -20.0 -20.0
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import pathlib
import sys

import opensim

opensim.Logger.setLevelString("off")

POINT = (
    "<PathPoint name='{0}'><socket_parent_frame>{1}</socket_parent_frame>"
    "<location>0 0 0</location></PathPoint>"
)
PATH = (
    "<GeometryPath name='path'><PathPointSet><objects>"
    + POINT.format("origin", "/ground")
    + POINT.format("end", "/bodyset/body")
    + "</objects></PathPointSet></GeometryPath>"
)
NUMBERS = {
    "PathSpring": {"resting_length": 0.3, "stiffness": 100, "dissipation": 0.1},
    "PathActuator": {"optimal_force": 20},
    "ClutchedPathSpring": {"initial_stretch": 0.2, "stiffness": 100, "dissipation": 0.1},
}


def acceleration(name, applies):
    """Of a body on a slider, half a meter from the ground, at control 1."""
    numbers = "".join(f"<{tag}>{value}</{tag}>" for tag, value in NUMBERS[name].items())
    pathlib.Path("model.osim").write_text(
        "<OpenSimDocument Version='40600'><Model name='model'><gravity>0 0 0</gravity>"
        "<BodySet><objects><Body name='body'><mass>1</mass><inertia>1 1 1 0 0 0</inertia></Body>"
        "</objects></BodySet><JointSet><objects><SliderJoint name='joint'>"
        "<socket_parent_frame>/ground</socket_parent_frame>"
        "<socket_child_frame>/bodyset/body</socket_child_frame>"
        "<coordinates><Coordinate name='x'><default_value>0.5</default_value></Coordinate>"
        "</coordinates></SliderJoint></objects></JointSet>"
        f"<ForceSet><objects><{name} name='force'><appliesForce>{applies}</appliesForce>"
        f"{PATH}{numbers}</{name}></objects></ForceSet></Model></OpenSimDocument>"
    )
    model = opensim.Model("model.osim")
    state = model.initSystem()
    model.realizeVelocity(state)
    if model.getNumControls():
        model.setControls(state, opensim.Vector(1, 1.0))
    model.realizeAcceleration(state)
    return model.getCoordinateSet().get(0).getAccelerationValue(state)


seen = {name: [acceleration(name, applies) for applies in ("true", "false")] for name in NUMBERS}
for name, (enabled, disabled) in seen.items():
    print(name, round(enabled, 6), round(disabled, 6))
clutched = seen.pop("ClutchedPathSpring")
if clutched[0] == 0 or clutched[1] != clutched[0]:
    sys.exit("changed: a disabled ClutchedPathSpring no longer pulls")
if any(disabled != 0 or enabled == 0 for enabled, disabled in seen.values()):
    sys.exit("changed: another disabled force pulls")
PY
