#!/usr/bin/env bash
# The <defaults> of a model file stay in force for the models that a process reads afterwards.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: <defaults> in a model file give properties to the objects of this file; a model read
#   later from a file without <defaults> has OpenSim's own.
# Observed: the default object of the class is replaced for the whole process. A file that says
#   nothing of a property is read differently after another file than before it.
#   OpenSimObject.registerType with a newly constructed object puts the class back.
# Output seen:
#   alone 0.04
#   file with defaults 0.09
#   the first file again 0.09
#   after registerType 0.04
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


def strain(name, default=""):
    """FmaxTendonStrain of a muscle that says nothing of it."""
    path = pathlib.Path(f"{name}.osim")
    path.write_text(
        '<?xml version="1.0"?><OpenSimDocument Version="40600">'
        f'<Model name="model">{default}<ForceSet><objects><Thelen2003Muscle name="muscle"/>'
        "</objects></ForceSet></Model></OpenSimDocument>"
    )
    model = opensim.Model(str(path))  # kept, since it owns the force
    force = model.getForceSet().get(0)
    return opensim.Thelen2003Muscle.safeDownCast(force).get_FmaxTendonStrain()


DEFAULT = (
    '<defaults><Thelen2003Muscle name="default"><FmaxTendonStrain>0.09</FmaxTendonStrain>'
    "</Thelen2003Muscle></defaults>"
)
seen = [strain("plain"), strain("other", DEFAULT), strain("plain")]
opensim.OpenSimObject.registerType(opensim.Thelen2003Muscle())
seen.append(strain("plain"))
for what, value in zip(
    ("alone", "file with defaults", "the first file again", "after registerType"), seen
):
    print(what, value)
if seen[1:3] != [0.09, 0.09] or seen[0] == 0.09 or seen[3] != seen[0]:
    sys.exit("changed: defaults of a file no longer reach the next one")
PY
