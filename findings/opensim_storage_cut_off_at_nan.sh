#!/usr/bin/env bash
# Storage does not read back the NaN that it has printed: the rest of the table is lost, in silence.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a table that Storage prints with a NaN in it, such as for a marker that was not seen, is
#   read back by Storage with the same rows, or is refused.
# Observed: the NaN comes back as 0, the number behind it as the one in the row before, and all later
#   rows are missing; no error, no message. TimeSeriesTable reads the same file whole. If it is
#   written once more by STOFileAdapter, whose header says version=3, Storage reads it whole as well.
# Output seen, rows as (time, a, b, c):
#   Storage, of its own file (0.0, 1.0, 2.0, 3.0) (0.1, 4.0, 0.0, 3.0)
#   TimeSeriesTable, of it (0.0, 1.0, 2.0, 3.0) (0.1, 4.0, nan, 6.0) (0.2, 7.0, 8.0, 9.0)
#   Storage, of version 3 (0.0, 1.0, 2.0, 3.0) (0.1, 4.0, nan, 6.0) (0.2, 7.0, 8.0, 9.0)
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


def by_storage(path):
    """Rows as Storage reads them."""
    storage = opensim.Storage(path)
    rows = [storage.getStateVector(row) for row in range(storage.getSize())]
    return [
        (row.getTime(), *(row.getData().get(k) for k in range(row.getData().getSize())))
        for row in rows
    ]


def by_table(path):
    """The same of TimeSeriesTable."""
    table = opensim.TimeSeriesTable(path)
    return [
        (time, *table.getRowAtIndex(row).to_numpy().tolist())
        for row, time in enumerate(table.getIndependentColumn())
    ]


labels = opensim.ArrayStr()
for label in ("time", "a", "b", "c"):
    labels.append(label)
storage = opensim.Storage()
storage.setName("table")
storage.setColumnLabels(labels)
for time, *row in [(0.0, 1.0, 2.0, 3.0), (0.1, 4.0, math.nan, 6.0), (0.2, 7.0, 8.0, 9.0)]:
    storage.append(time, opensim.Vector(row))
opensim.Storage.printResult(storage, "own", ".", -1.0, ".sto")
opensim.STOFileAdapter.write(opensim.TimeSeriesTable("own.sto"), "third.sto")
cut, whole, third = by_storage("own.sto"), by_table("own.sto"), by_storage("third.sto")
print("Storage, of its own file", *cut)
print("TimeSeriesTable, of it", *whole)
print("Storage, of version 3", *third)
expected = "[(0.0, 1.0, 2.0, 3.0), (0.1, 4.0, nan, 6.0), (0.2, 7.0, 8.0, 9.0)]"
if str(cut) != "[(0.0, 1.0, 2.0, 3.0), (0.1, 4.0, 0.0, 3.0)]":
    sys.exit("changed: what Storage reads of its own file")
if str(whole) != expected or str(third) != expected:
    sys.exit("changed: what is read whole")
PY
