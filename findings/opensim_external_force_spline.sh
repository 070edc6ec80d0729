#!/usr/bin/env bash
# From four rows on, the data of an ExternalForce are joined by a spline, below by straight lines.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: between two rows of its file a force does not depend on how many rows follow, and is
#   interpolated linearly, as in a table.
# Observed: up to three rows are joined by straight lines, four or more by a natural cubic spline. For
#   rows 0, 1, 4, 9, 16 N at 0, 0.1, 0.2, ... s the force at 0.05 s depends on how many of them there are.
# Output seen, rows in the file, and the force (N) at 0.05 and 0.15 s:
#   3 0.5 2.5
#   4 0.35 2.2
#   5 0.339286 2.232143
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


def forces(count, times):
    """Along x, of a file of so many rows whose values are squares."""
    rows = "".join(f"{0.1 * row:.1f}\t{row * row}\t0\t0\n" for row in range(count))
    pathlib.Path("forces.sto").write_text(
        f"forces\nversion=1\nnRows={count}\nnColumns=4\ninDegrees=no\nendheader\n"
        f"time\tfx\tfy\tfz\n{rows}"
    )
    model, data = opensim.Model(), opensim.Storage("forces.sto")
    body = opensim.Body("body", 1, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    model.addJoint(opensim.FreeJoint("joint", model.getGround(), body))
    force = opensim.ExternalForce(data, "f", "", "", "body", "ground", "ground")
    force.set_data_source_name(data.getName())
    model.addForce(force)
    model.initSystem()
    return [round(force.getForceAtTime(time).get(0), 6) for time in times]


seen = {count: forces(count, [0.05, 0.15]) for count in (3, 4, 5)}
for count, found in seen.items():
    print(count, *found)
if seen != {3: [0.5, 2.5], 4: [0.35, 2.2], 5: [0.339286, 2.232143]}:
    sys.exit("changed: interpolation of an ExternalForce")
PY
