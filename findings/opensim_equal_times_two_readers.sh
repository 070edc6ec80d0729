#!/usr/bin/env bash
# Of two rows of a table with one time Storage drops the first, in silence; TimeSeriesTable refuses.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: OpenSim's two readers of .sto files agree whether a file is one, such as of a simulation
#   that was stopped and continued, in which the last time of the first part comes twice. Storage,
#   which keeps rows of falling times as they are, keeps rows of equal times too.
# Observed: Storage has one row of that time, the later one, and says nothing. TimeSeriesTable raises
#   an error for equal times, and for falling ones.
# Output seen, rows as (time, a):
#   equal times, Storage (0.0, 1.0) (0.1, 3.0) (0.2, 4.0)
#   equal times, TimeSeriesTable refuses
#   falling times, Storage (0.0, 1.0) (0.2, 2.0) (0.1, 3.0)
#   falling times, TimeSeriesTable refuses
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

opensim.Logger.setLevelString("off")
TABLES = {
    "equal times": [(0.0, 1.0), (0.1, 2.0), (0.1, 3.0), (0.2, 4.0)],
    "falling times": [(0.0, 1.0), (0.2, 2.0), (0.1, 3.0)],
}
EXPECTED = {
    "equal times, Storage": "(0.0, 1.0) (0.1, 3.0) (0.2, 4.0)",
    "equal times, TimeSeriesTable": "refuses",
    "falling times, Storage": "(0.0, 1.0) (0.2, 2.0) (0.1, 3.0)",
    "falling times, TimeSeriesTable": "refuses",
}


def by_storage(path):
    """Rows as Storage reads them."""
    storage = opensim.Storage(path)
    rows = [storage.getStateVector(row) for row in range(storage.getSize())]
    return " ".join(str((row.getTime(), row.getData().get(0))) for row in rows)


def by_table(path):
    """The same of TimeSeriesTable."""
    try:
        table = opensim.TimeSeriesTable(path)
    except RuntimeError:
        return "refuses"
    column = table.getDependentColumn("a").to_numpy().tolist()
    return " ".join(str(pair) for pair in zip(table.getIndependentColumn(), column))


found = {}
for name, rows in TABLES.items():
    head = f"table\nversion=1\nnRows={len(rows)}\nnColumns=2\ninDegrees=no\nendheader\ntime\ta\n"
    Path("table.sto").write_text(head + "".join(f"{time}\t{a}\n" for time, a in rows))
    found[f"{name}, Storage"] = by_storage("table.sto")
    found[f"{name}, TimeSeriesTable"] = by_table("table.sto")
for name, rows in found.items():
    print(name, rows)
if found != EXPECTED:
    sys.exit("changed: " + ", ".join(name for name in found if found[name] != EXPECTED[name]))
PY
