#!/usr/bin/env bash
# A control that is not a model control is played, and another one of its file is dropped for it.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: of a ControlSet a ControlSetController leaves out the controls whose is_model_control is
#   false, and plays the others. A ControlConstant has the flag false by default.
# Observed: it counts the controls whose flag is true, and plays that many from the beginning of the
#   set. Where the first of two has the flag false, the first is played and the second is not, without
#   a message.
# Output seen, accelerations of two masses of 1 kg that the file pushes with 2 N and 3 N, by flags:
#   true true [2.0, 3.0]
#   true false [2.0, 0.0]
#   false true [2.0, 0.0]
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

BODY = "<Body name='{0}_body'><mass>1</mass><inertia>1 1 1 0 0 0</inertia></Body>"
JOINT = (
    "<SliderJoint name='{0}_joint'><socket_parent_frame>/ground</socket_parent_frame>"
    "<socket_child_frame>/bodyset/{0}_body</socket_child_frame>"
    "<coordinates><Coordinate name='{0}'/></coordinates></SliderJoint>"
)
ACTUATOR = (
    "<CoordinateActuator name='{0}'><coordinate>{0}</coordinate><optimal_force>1</optimal_force>"
    "<min_control>-10</min_control><max_control>10</max_control></CoordinateActuator>"
)
CONTROL = (
    "<ControlLinear name='{0}'><is_model_control>{1}</is_model_control><x_nodes>"
    "<ControlLinearNode><t>0</t><value>{2}</value></ControlLinearNode></x_nodes></ControlLinear>"
)


def both(element):
    """An element for either coordinate."""
    return "".join(element.format(name) for name in ("first", "second"))


def accelerations(enabled, *flags):
    """Of two masses of 1 kg, pushed by controls of 2 and 3, which a file gives."""
    controls = zip(("first", "second"), flags, (2, 3))
    pathlib.Path("controls.xml").write_text(
        "<OpenSimDocument Version='40600'><ControlSet name='controls'><objects>"
        + "".join(CONTROL.format(*control) for control in controls)
        + "</objects></ControlSet></OpenSimDocument>"
    )
    pathlib.Path("model.osim").write_text(
        "<OpenSimDocument Version='40600'><Model name='model'><gravity>0 0 0</gravity>"
        f"<BodySet><objects>{both(BODY)}</objects></BodySet>"
        f"<JointSet><objects>{both(JOINT)}</objects></JointSet>"
        f"<ForceSet><objects>{both(ACTUATOR)}</objects></ForceSet>"
        f"<ControllerSet><objects><ControlSetController name='player'><enabled>{enabled}</enabled>"
        "<controls_file>controls.xml</controls_file></ControlSetController></objects>"
        "</ControllerSet></Model></OpenSimDocument>"
    )
    model = opensim.Model("model.osim")
    state = model.initSystem()
    model.realizeAcceleration(state)
    coordinates = model.getCoordinateSet()
    return [round(coordinates.get(i).getAccelerationValue(state), 6) for i in (0, 1)]


expected = {
    ("true", "true"): [2.0, 3.0],
    ("true", "false"): [2.0, 0.0],
    ("false", "true"): [2.0, 0.0],
}
seen = {flags: accelerations("true", *flags) for flags in expected}
for flags, values in seen.items():
    print(*flags, values)
if seen != expected:
    sys.exit("changed: which controls of a set are played")
PY
