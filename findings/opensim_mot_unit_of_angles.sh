#!/usr/bin/env bash
# Two readers of one motion file disagree on the unit of its angles.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a header that says inDegrees=no means radians, whatever reads the file and whatever
#   the file is called.
# Observed: in a file named .mot whose header has no version= line, Storage takes the angles for
#   degrees in spite of inDegrees=no, with no more than a line of information in the log (hidden
#   here); TimeSeriesTable reports what the header says. The same text named .sto, or with
#   version=1 added, is radians to both.
# Output seen:
#   file            Storage   TimeSeriesTable
#   plain.mot       degrees   radians
#   plain.sto       radians   radians
#   versioned.mot   radians   radians
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
RADIANS, DEGREES = "radians", "degrees"
HEADER = "knee\n{version}nRows=2\nnColumns=2\ninDegrees=no\nendheader\n"
ROWS = "time\tknee_angle\n0.0\t0.5\n1.0\t1.0\n"

print(f"{'file':15} {'Storage':9} TimeSeriesTable")
seen = {}
for name, version in (("plain.mot", ""), ("plain.sto", ""), ("versioned.mot", "version=1\n")):
    Path(name).write_text(HEADER.format(version=version) + ROWS)
    storage = DEGREES if opensim.Storage(name).isInDegrees() else RADIANS
    flag = opensim.TimeSeriesTable(name).getTableMetaDataString("inDegrees")
    table = DEGREES if flag == "yes" else RADIANS
    print(f"{name:15} {storage:9} {table}")
    seen[name] = storage, table
expected = {
    "plain.mot": (DEGREES, RADIANS),
    "plain.sto": (RADIANS, RADIANS),
    "versioned.mot": (RADIANS, RADIANS),
}
if seen != expected:
    sys.exit("changed: the readers take other units")
PY
