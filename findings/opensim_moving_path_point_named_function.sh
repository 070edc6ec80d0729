#!/usr/bin/env bash
# A MovingPathPoint ignores a function that is named as its property.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a property that holds one function may be written in short, as a function that has the
#   property's name; TransformAxis reads <LinearFunction name="function"> like a LinearFunction
#   within <function>. MovingPathPoint reads x_location in the same way, or refuses it.
# Observed: MovingPathPoint passes over <LinearFunction name="x_location"> without a message at the
#   level of a warning, and the point stays at the default, 0.
# Output seen (2 x + 0.3 at x = 0.5 is 1.3):
#   body on a TransformAxis:   in long 1.3, in short 1.3
#   MovingPathPoint:           in long 1.3, in short 0.0
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys
from pathlib import Path

import opensim

opensim.Logger.setLevelString("warn")
NUMBERS = "<coefficients>2 0.3</coefficients>"
FILE = """
<OpenSimDocument Version="40600"><Model name="model">
<BodySet><objects>
  <Body name="body"><mass>1</mass><inertia>1 1 1 0 0 0</inertia></Body>
</objects></BodySet>
<JointSet><objects><CustomJoint name="joint">
  <socket_parent_frame>/ground</socket_parent_frame>
  <socket_child_frame>/bodyset/body</socket_child_frame>
  <coordinates><Coordinate name="x"><default_value>0.5</default_value></Coordinate></coordinates>
  <SpatialTransform><TransformAxis name="translation1">
    <coordinates>x</coordinates><axis>1 0 0</axis>{axis}
  </TransformAxis></SpatialTransform>
</CustomJoint></objects></JointSet>
<ForceSet><objects><PathActuator name="force"><GeometryPath name="path"><PathPointSet><objects>
  <PathPoint name="origin"><socket_parent_frame>/ground</socket_parent_frame></PathPoint>
  <MovingPathPoint name="moving"><socket_parent_frame>/ground</socket_parent_frame>
    <socket_x_coordinate>/jointset/joint/x</socket_x_coordinate>
    <socket_y_coordinate>/jointset/joint/x</socket_y_coordinate>
    <socket_z_coordinate>/jointset/joint/x</socket_z_coordinate>{point}
  </MovingPathPoint>
</objects></PathPointSet></GeometryPath></PathActuator></objects></ForceSet>
</Model></OpenSimDocument>"""


def in_long(name):
    return f"<{name}><LinearFunction>{NUMBERS}</LinearFunction></{name}>"


def in_short(name):
    return f'<LinearFunction name="{name}">{NUMBERS}</LinearFunction>'


def places(form):
    """Where the body and the point are along x."""
    text = FILE.format(axis=form("function"), point=form("x_location"))
    Path("model.osim").write_text(text.strip())
    model = opensim.Model("model.osim")
    state = model.initSystem()
    model.realizePosition(state)
    force = opensim.PathActuator.safeDownCast(model.getForceSet().get("force"))
    point = force.getGeometryPath().getPathPointSet().get("moving")
    body = model.getBodySet().get("body")
    found = body.getPositionInGround(state).get(0), point.getLocation(state).get(0)
    return [round(number, 9) for number in found]


long, short = places(in_long), places(in_short)
LABELS = ("body on a TransformAxis:", "MovingPathPoint:")
for label, first, second in zip(LABELS, long, short, strict=True):
    print(f"{label:26} in long {first}, in short {second}")
if long != [1.3, 1.3] or short != [1.3, 0.0]:
    sys.exit("changed: the functions are read in another way")
PY
