#!/usr/bin/env bash
# A states table with a number for a locked coordinate becomes states in which it is NaN.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: StatesTrajectory.createFromStatesTable gives a locked coordinate the table's value, or the
#   one at which it is locked; an error or a message otherwise.
# Observed: the coordinate is NaN in every state, with and without assembly. So are accelerations
#   worked out from these states, or a muscle raises. Known as opensim-core's issue 2563.
# Output seen, the coordinate (rad) in the two states of a table that has 0.5:
#   free 0.5 0.5
#   locked nan nan
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

opensim.Logger.setLevelString("off")


def values(locked):
    """The angle of a pin in the states that a table with 0.5 rad gives."""
    model, zero = opensim.Model(), opensim.Vec3(0)
    body = opensim.Body("body", 1, zero, opensim.Inertia(1, 1, 1))
    model.addBody(body)
    pin = opensim.PinJoint("pin", model.getGround(), body)
    pin.updCoordinate().setName("q")
    pin.updCoordinate().set_locked(locked)
    model.addJoint(pin)
    model.initSystem()
    table = opensim.TimeSeriesTable()
    table.setColumnLabels(["/jointset/pin/q/value", "/jointset/pin/q/speed"])
    for time in (0.0, 0.1):
        table.appendRow(time, opensim.RowVector([0.5, 0.0]))
    table.addTableMetaDataString("inDegrees", "no")
    states = opensim.StatesTrajectory.createFromStatesTable(model, table)
    return [states.get(row).getQ().get(0) for row in range(states.getSize())]


free, locked = values(False), values(True)
print("free", *free)
print("locked", *locked)
if free != [0.5, 0.5] or not all(map(math.isnan, locked)):
    sys.exit("changed: locked coordinates of states from a table")
PY
