#!/usr/bin/env bash
# A FunctionBasedPath whose coordinate path has no leading slash pulls, and reports moment arm 0.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a coordinate path without a slash at its beginning, relative to the model, is refused, or
#   works as one with it; computeMomentArm is what the tension acts with.
# Observed: both spellings load and connect, and give the same length and the same acceleration.
#   computeMomentArm compares the text of the property with the absolute path of the coordinate, and
#   answers 0 where the slash is missing.
# Output seen, of a mass of 1 kg that a tension of 2 N pulls along a path of length 1 - 0.5 q:
#   /jointset/slide/q length 0.9 acceleration 1.0 moment arm 0.5
#   jointset/slide/q length 0.9 acceleration 1.0 moment arm 0.0
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

MODEL = """<OpenSimDocument Version="40600"><Model name="model"><gravity>0 0 0</gravity>
<BodySet><objects><Body name="mass"><mass>1</mass><inertia>1 1 1 0 0 0</inertia></Body></objects>
</BodySet>
<JointSet><objects><SliderJoint name="slide"><socket_parent_frame>/ground</socket_parent_frame>
<socket_child_frame>/bodyset/mass</socket_child_frame>
<coordinates><Coordinate name="q"/></coordinates></SliderJoint></objects></JointSet>
<ForceSet><objects><PathActuator name="cable"><optimal_force>1</optimal_force>
<min_control>0</min_control><max_control>10</max_control>
<FunctionBasedPath name="path"><coordinate_paths>{}</coordinate_paths>
<length_function><LinearFunction><coefficients>-0.5 1</coefficients></LinearFunction>
</length_function></FunctionBasedPath></PathActuator></objects></ForceSet>
</Model></OpenSimDocument>"""


def measured(named):
    """Length, acceleration and moment arm at q = 0.2 under a tension of 2 N."""
    pathlib.Path("model.osim").write_text(MODEL.format(named))
    model = opensim.Model("model.osim")
    state = model.initSystem()
    coordinate = model.getCoordinateSet().get("q")
    coordinate.setValue(state, 0.2)
    controls = opensim.Vector(1, 2.0)
    model.realizeVelocity(state)
    model.setControls(state, controls)
    model.realizeAcceleration(state)
    path = opensim.PathActuator.safeDownCast(model.getComponent("/forceset/cable")).getPath()
    found = path.getLength(state), coordinate.getAccelerationValue(state)
    return [round(value, 9) for value in (*found, path.computeMomentArm(state, coordinate))]


expected = {
    "/jointset/slide/q": [0.9, 1.0, 0.5],
    "jointset/slide/q": [0.9, 1.0, 0.0],
}
seen = {named: measured(named) for named in expected}
for named, (length, acceleration, arm) in seen.items():
    print(f"{named} length {length} acceleration {acceleration} moment arm {arm}")
if seen != expected:
    sys.exit("changed: the moment arm by a coordinate without a slash")
PY
