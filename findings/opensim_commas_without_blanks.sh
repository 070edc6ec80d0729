#!/usr/bin/env bash
# A vector in a model file loses its numbers when the commas have no blanks after them.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a reader that accepts "0.4, 0.5, 0.6" as three numbers accepts "0.4,0.5,0.6" as well,
#   or refuses the file.
# Observed: the text without blanks is dropped and the property becomes its default, here a center
#   of mass at the origin. The model loads and simulates; only two lines in the log, at the level
#   of a warning, tell of it.
# Output seen (the log's warnings begin "Failed to read"):
#   '0.4 0.5 0.6'    -> [0.4, 0.5, 0.6]
#   '0.4, 0.5, 0.6'  -> [0.4, 0.5, 0.6]
#   '0.4,0.5,0.6'    -> [0.0, 0.0, 0.0]
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

opensim.Logger.setLevelString("warn")
model = opensim.Model()
body = opensim.Body("body", 1.0, opensim.Vec3(0.4, 0.5, 0.6), opensim.Inertia(1, 1, 1))
model.addBody(body)
model.addJoint(opensim.FreeJoint("joint", model.getGround(), body))
model.finalizeConnections()
model.printToXML("written.osim")
text = Path("written.osim").read_text()

seen = {}
for value in ("0.4 0.5 0.6", "0.4, 0.5, 0.6", "0.4,0.5,0.6"):
    element = f"<mass_center>{value}</mass_center>"
    Path("edited.osim").write_text(re.sub("<mass_center>.*?</mass_center>", element, text))
    loaded = opensim.Model("edited.osim")
    loaded.initSystem()
    center = loaded.getBodySet().get("body").getMassCenter()
    seen[value] = [center.get(axis) for axis in range(3)]
    print(f"{value!r:16} -> {seen[value]}")
if list(seen.values()) != [[0.4, 0.5, 0.6], [0.4, 0.5, 0.6], [0.0, 0.0, 0.0]]:
    sys.exit("changed: the numbers are read in another way")
PY
