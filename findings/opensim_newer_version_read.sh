#!/usr/bin/env bash
# A model file that is newer than OpenSim is read without a message, although an old one is not.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: 4.6 writes files of version 40600. It refuses a file whose version is later, as it
#   refuses one that is too old, or says that it may not understand all of it.
# Observed: a file is refused if its version is 10900 and converted, with a line in the log, if it
#   is 10901. Versions 40700 and 50000 are read as 40600 is, with the same log even at the level
#   "trace". In all three an element of the body that 4.6 does not know is skipped without a
#   message; the model that is saved again says 40600 and lacks the element.
# Output seen (between lines that OpenSim writes itself; the log without the line "Loaded model"):
#   10900: refused: Model file model.osim is using unsupported file format. Please open model and
#          save it in OpenSim version 3.3 to upgrade.
#   10901: read, mass 2.0, saved as 40600, log: ['Updating Model file from 10901 to latest
#          format...']
#   40600: read, mass 2.0, saved as 40600, log: []
#   40700: read, mass 2.0, saved as 40600, log: []
#   50000: read, mass 2.0, saved as 40600, log: []
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import re
import sys
from pathlib import Path

import opensim

# The older files list the ground as a body and hold each joint in its body.
OLD = """
<BodySet><objects>
  <Body name="ground"><mass>0</mass></Body>
  <Body name="body">
    <mass>2</mass>
    <inertia_xx>1</inertia_xx><inertia_yy>1</inertia_yy><inertia_zz>1</inertia_zz>
    <Joint><WeldJoint name="joint"><parent_body>ground</parent_body></WeldJoint></Joint>
  </Body>
</objects></BodySet>
"""
NEW = """
<BodySet><objects>
  <Body name="body">
    <mass>2</mass><inertia>1 1 1 0 0 0</inertia>
    <stiffness>7</stiffness>
  </Body>
</objects></BodySet>
<JointSet><objects>
  <WeldJoint name="joint">
    <socket_parent_frame>/ground</socket_parent_frame>
    <socket_child_frame>/bodyset/body</socket_child_frame>
  </WeldJoint>
</objects></JointSet>
"""

sink = opensim.StringLogSink()
opensim.Logger.removeFileSink()
opensim.Logger.addSink(sink)
opensim.Logger.setLevelString("trace")


def load(version, content):
    text = f'<OpenSimDocument Version="{version}"><Model name="model">{content}</Model>'
    Path("model.osim").write_text(text + "</OpenSimDocument>")
    sink.clear()
    try:
        model = opensim.Model("model.osim")
        model.initSystem()
    except RuntimeError as error:
        reason = str(error).splitlines()[0].partition("': ")[2]
        print(f"{version}: refused: {reason}")
        return "refused" if "unsupported file format" in reason else reason
    log = [line for line in sink.getString().splitlines() if "Loaded model" not in line]
    model.printToXML("saved.osim")
    saved = Path("saved.osim").read_text()
    written = re.search('Version="([0-9]+)"', saved).group(1)
    mass = model.getBodySet().get("body").getMass()
    print(f"{version}: read, mass {mass}, saved as {written}, log: {log}")
    return mass, written, "stiffness" in saved, log


seen = [load(version, OLD) for version in (10900, 10901)]
seen += [load(version, NEW) for version in (40600, 40700, 50000)]
updated = (2.0, "40600", False, ["Updating Model file from 10901 to latest format..."])
silent = (2.0, "40600", False, [])
if seen != ["refused", updated, silent, silent, silent]:
    sys.exit("changed: the versions are treated in another way")
PY
