#!/usr/bin/env bash
# The length of a path over two cylinders is not the sum of its pieces.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: the length of a path is the sum of the pieces between its points, and its moment arm is
#   the negative derivative of the length; both hold for a path over one cylinder.
# Observed: over two cylinders neither holds. The points' locations in ground, from which lengths
#   are measured, are those of the first attempt at each wrap, whereas forces act at the final
#   points. Here the second cylinder, which makes the way longer, makes the length smaller.
#   By hand, the way over both is 0.51132 m and its moment arm -0.0507 m: points and forces are
#   right, the length is not.
# Output seen (both cylinders of radius 0.04 m and the path lie in the plane of the joint):
#   1 wrap:  length 0.510114, sum of pieces 0.510114, moment arm -0.069499, -dL/dq -0.069499
#   2 wraps: length 0.507264, sum of pieces 0.511319, moment arm -0.050712, -dL/dq -0.082418
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import numpy as np
import opensim

opensim.Logger.setLevelString("error")  # hides that the second PathWrap is renamed
STEP = 1e-6  # (rad)


def array(vector):
    return np.array([vector.get(i) for i in range(3)])


def numbers(count):
    """Length, sum of the pieces, moment arm and -dL/dq of a path over some cylinders."""
    model = opensim.Model()
    ground = model.getGround()
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    joint = opensim.PinJoint("joint", ground, body)
    model.addJoint(joint)
    force = opensim.PathActuator()
    force.addNewPathPoint("origin", ground, opensim.Vec3(-0.1, 0.2, 0.0))
    force.addNewPathPoint("insertion", body, opensim.Vec3(-0.1, -0.3, 0.0))
    model.addForce(force)
    for i in range(count):
        cylinder = opensim.WrapCylinder()
        cylinder.setName(f"cylinder{i}")
        cylinder.set_radius(0.04)
        cylinder.set_length(1.0)
        cylinder.set_translation(opensim.Vec3(-0.1, 0.1 - 0.15 * i, 0.0))
        cylinder.set_quadrant("x")
        ground.addWrapObject(cylinder)
    model.finalizeConnections()
    for i in range(count):
        force.updGeometryPath().addPathWrap(ground.getWrapObject(f"cylinder{i}"))
    state = model.initSystem()
    path, coordinate = force.getGeometryPath(), joint.getCoordinate()

    def length(angle):
        coordinate.setValue(state, angle)
        model.realizePosition(state)
        return path.getLength(state)

    slope = (length(STEP) - length(-STEP)) / (2 * STEP)
    measured = length(0.0)
    arm = path.computeMomentArm(state, coordinate)
    points = path.getCurrentPath(state)
    pieces, before = 0.0, None
    for i in range(points.getSize()):
        point = points.get(i)
        frame = point.getParentFrame()
        here = array(frame.findStationLocationInGround(state, point.getLocation(state)))
        wrap = opensim.PathWrapPoint.safeDownCast(point)
        on_surface = wrap.getWrapLength(state) if wrap else 0.0  # set at the second of its points
        if before is not None:
            pieces += on_surface or np.linalg.norm(here - before)
        before = here
    return measured, pieces, arm, -slope


seen = {count: numbers(count) for count in (1, 2)}
for count, (length, pieces, arm, slope) in seen.items():
    label = "1 wrap: " if count == 1 else f"{count} wraps:"
    print(f"{label} length {length:.6f}, sum of pieces {pieces:.6f}, ", end="")
    print(f"moment arm {arm:.6f}, -dL/dq {slope:.6f}")
if not np.allclose(seen[1], [0.510114, 0.510114, -0.069499, -0.069499], atol=2e-6):
    sys.exit("changed: the numbers of one wrap are others")
if not np.allclose(seen[2], [0.507264, 0.511319, -0.050712, -0.082418], atol=2e-6):
    sys.exit("changed: the numbers of two wraps are others")
PY
