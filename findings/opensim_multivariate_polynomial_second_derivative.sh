#!/usr/bin/env bash
# Asked for its second derivative, a MultivariatePolynomialFunction returns the first.
#
# Version: opensim 4.6 (the package of that name), Python 3.11, x86-64 Linux. On Debian its
#   libraries need libgl1, libsm6, libice6, libx11-6 and libxext6.
# Expected: a function that is asked for its second derivative returns it or refuses.
# Observed: MultivariatePolynomialFunction returns its first derivative for the list (0, 0) as for
#   (0); it says, to those who ask, that it has derivatives up to the first. OpenSim does not ask:
#   a CustomJoint takes the function for an axis and accelerates wrongly, without a message.
#   PolynomialFunction with the same coefficients is right.
# Output seen (1 + x + x^2 + x^3 at x = 2; along this path a free body moves uniformly, thus
#   q'' = -f''/f' at q' = 1, which is -14/17 = -0.8235):
#   PolynomialFunction             f' 17.0, f'' 14.0, acceleration of q -0.8235
#   MultivariatePolynomialFunction f' 17.0, f'' 17.0, acceleration of q -1.0000
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'opensim==4.6'
cd "$work"
venv/bin/python - <<'PY'
import sys

import opensim

opensim.Logger.setLevelString("warn")
ONES = opensim.Vector(4, 1.0)


def derivative(function, order):
    components = opensim.StdVectorInt()
    for _ in range(order):
        components.append(0)
    return function.calcDerivative(components, opensim.Vector(1, 2.0))


def acceleration(function):
    """That of q, for a free body that the function of q moves along x."""
    model = opensim.Model()
    model.setGravity(opensim.Vec3(0))
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
    model.addBody(body)
    transform = opensim.SpatialTransform()
    names = opensim.ArrayStr()
    names.append("q")
    transform.upd_translation1().setCoordinateNames(names)
    transform.upd_translation1().set_function(function)
    joint = opensim.CustomJoint("joint", model.getGround(), body, transform)
    model.addJoint(joint)
    coordinate = joint.upd_coordinates(0)
    coordinate.set_default_value(2.0)
    coordinate.set_default_speed_value(1.0)
    state = model.initSystem()
    model.realizeAcceleration(state)
    return coordinate.getAccelerationValue(state)


seen = []
for function in (
    opensim.PolynomialFunction(ONES),
    opensim.MultivariatePolynomialFunction(ONES, 1, 3),
):
    first, second = derivative(function, 1), derivative(function, 2)
    q_acceleration = acceleration(function)
    name = function.getConcreteClassName()
    print(f"{name:30} f' {first}, f'' {second}, acceleration of q {q_acceleration:.4f}")
    most = function.getMaxDerivativeOrder()
    seen.append([round(number, 9) for number in (first, second, q_acceleration)])
if most != 1:
    sys.exit("changed: the MultivariatePolynomialFunction has more derivatives")
if seen != [[17.0, 14.0, round(-14 / 17, 9)], [17.0, 17.0, -1.0]]:
    sys.exit("changed: the derivatives are others")
PY
