#!/usr/bin/env bash
# A path straight through the center of a WrapSphere is not wrapped; at other surfaces it is.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: the way around a sphere of radius 0.2 m between points 1 m to either side of its center is
#   2.0401 m long, in whichever direction, as it is at a cylinder and at an ellipsoid of that radius.
# Observed: at the sphere it is 2 m, the straight line. A centimeter aside all three are 2.0362 m, so
#   that the length of a path that sweeps over the center jumps by 4 cm, down and up again.
# Output seen, lengths (m) of a path through the center, and 1 cm beside it:
#   WrapSphere 2.0 2.0362
#   WrapEllipsoid 2.0401 2.0362
#   WrapCylinder 2.0401 2.0362
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

SURFACES = {
    "WrapSphere": "<radius>0.2</radius>",
    "WrapEllipsoid": "<dimensions>0.2 0.2 0.2</dimensions>",
    "WrapCylinder": "<radius>0.2</radius><length>1</length>",
}
POINT = (
    "<PathPoint name='{0}'><socket_parent_frame>/ground</socket_parent_frame>"
    "<location>{1} {2} 0</location></PathPoint>"
)


def length(surface, beside):
    """Of a path along x over a surface at the origin, so far beside its center."""
    ends = POINT.format("origin", -1, beside) + POINT.format("end", 1, beside)
    pathlib.Path("model.osim").write_text(
        "<OpenSimDocument Version='40600'><Model name='model'><Ground name='ground'>"
        f"<WrapObjectSet><objects><{surface} name='surface'><quadrant>all</quadrant>"
        f"{SURFACES[surface]}</{surface}></objects></WrapObjectSet></Ground>"
        "<ForceSet><objects><PathSpring name='spring'><GeometryPath name='path'>"
        f"<PathPointSet><objects>{ends}</objects></PathPointSet><PathWrapSet><objects>"
        "<PathWrap name='wrap'><wrap_object>surface</wrap_object></PathWrap></objects></PathWrapSet>"
        "</GeometryPath><resting_length>1</resting_length><stiffness>1</stiffness>"
        "<dissipation>0</dissipation></PathSpring></objects></ForceSet></Model></OpenSimDocument>"
    )
    model = opensim.Model("model.osim")
    state = model.initSystem()
    model.realizePosition(state)
    return opensim.PathSpring.safeDownCast(model.getForceSet().get(0)).getLength(state)


seen = {name: [round(length(name, beside), 4) for beside in (0, 0.01)] for name in SURFACES}
for name, lengths in seen.items():
    print(name, *lengths)
if seen.pop("WrapSphere") != [2.0, 2.0362]:
    sys.exit("changed: a path through the center of a WrapSphere, or beside it")
if any(lengths != [2.0401, 2.0362] for lengths in seen.values()):
    sys.exit("changed: a path through the center of another surface, or beside it")
PY
