"""Small `.osim` texts, one for each class of muscles, wrap objects and paths of functions.

Muscles pull a body on a pin, one of them along a path that has no length in one pose. Springs pull
two bodies on gimbals along paths that wrap over objects of a class, on ground and on the first
body; in the default pose some of them touch their objects without wrapping, start on the surface or
pass through the center. Others have paths whose lengths are functions of the coordinates.
"""

import math
from collections.abc import Iterable

_RIGID = {"ignore_tendon_compliance": "true"}
_DIRECT = {"ignore_activation_dynamics": "true"}
_PENNATE = {"pennation_angle_at_optimal": "0.3"}
_PULLER = {
    "max_isometric_force": "300",
    "optimal_fiber_length": "0.3",
    "tendon_slack_length": "0.5",
}
MUSCLES = {
    "Thelen2003Muscle": [{}, _PENNATE],
    "Millard2012EquilibriumMuscle": [
        {},
        _PENNATE,
        _DIRECT,
        {**_PENNATE, "fiber_damping": "0"},
        {"fiber_damping": "0"},
        {**_PENNATE, **_RIGID},
        {**_RIGID, **_DIRECT, "fiber_damping": "0"},
        {**_RIGID, "tendon_slack_length": "0", "optimal_fiber_length": "0.8"},
    ],
    "DeGrooteFregly2016Muscle": [
        {},
        _PENNATE,
        _DIRECT,
        {**_PENNATE, "fiber_damping": "0.1", "tendon_compliance_dynamics_mode": "implicit"},
        {**_PENNATE, **_RIGID},
        {**_RIGID, **_DIRECT, "fiber_damping": "0.1"},
        {**_RIGID, "tendon_slack_length": "0", "optimal_fiber_length": "0.8"},
    ],
    "Schutte1993Muscle_Deprecated": [{}, _PENNATE, {**_PENNATE, "damping": "0.017"}],
    "RigidTendonMuscle": [{}, _PENNATE],
    "MeyerFregly2016Muscle": [{}, _PENNATE, _DIRECT, {"fiber_damping": "0.1"}],
}
_SIZES = {
    "WrapCylinder": {"radius": "0.04", "length": "0.3"},
    "WrapEllipsoid": {"dimensions": "0.05 0.03 0.07"},
    "WrapSphere": {"radius": "0.04"},
    "WrapTorus": {"inner_radius": "0.02", "outer_radius": "0.05"},
}
WRAPS = tuple(_SIZES)
FUNCTIONS = "FunctionBasedPath"
_METHODS = {"WrapEllipsoid": ("hybrid", "midpoint", "axial")}
# From ground to the first body: aside, tangent to the cylinder and the sphere, from the surface,
# through the center.
_ENDS = (
    ("0.05 0.12 0.03", "0.03 -0.25 0.02"),
    ("0.04 0.12 0", "0.04 -0.25 0"),
    ("0.04 0 0", "-0.05 -0.25 0.01"),
    ("0 0.12 0", "0 -0.25 0"),
)
_QUADRANTS = ("all", "x", "-y", "z")


def text_of(kind: str) -> str:
    """A model of muscles or wrap objects of this class, as an OpenSim 4.6 file."""
    if kind in MUSCLES:
        found = [_muscle(kind, i, values) for i, values in enumerate(MUSCLES[kind])]
        return _document(found, _joint("PinJoint", "a", "/ground", "a1"), ("a", ""))
    if kind == FUNCTIONS:
        return _document(_springs_of_functions(), _gimbals(), ("a", ""), ("b", ""))
    return _wrapped(kind)


def _muscle(kind: str, number: int, values: dict[str, str]) -> str:
    start, end = ("0 0.4 0", "0 -0.4 0") if number == 0 else (f"{0.1 * number} 0.4 0", "0 -0.5 0")
    path = _path(_point("p1", "/ground", start), _point("p2", "/bodyset/a", end))
    return _element(kind, f"m{number}", path, **{**_PULLER, **values})


def _wrapped(kind: str) -> str:
    springs, on_ground, on_body = [], "", ""
    methods = _METHODS.get(kind, (None,))
    cases = [(ends, "all", methods[0]) for ends in _ENDS]
    cases += [(_ENDS[0], quadrant, methods[0]) for quadrant in _QUADRANTS[1:]]
    cases += [(_ENDS[0], "all", method) for method in methods[1:]]
    for number, (ends, quadrant, method) in enumerate(cases):
        name = f"g{number}"
        on_ground += _element(kind, name, quadrant=quadrant, **_SIZES[kind])
        path = _path(
            _point("p1", "/ground", ends[0]), _point("p2", "/bodyset/a", ends[1]), name, method
        )
        springs.append(_spring(f"s{number}", path))
    turned = {"xyz_body_rotation": "0.4 -0.3 0.7", "translation": "0.03 -0.27 0.02"}
    for number, quadrant in enumerate(_QUADRANTS):
        name = f"b{number}"
        on_body += _element(kind, name, quadrant=quadrant, **_SIZES[kind], **turned)
        path = _path(
            _point("p1", "/ground", "0.05 0.12 0.03"),
            _point("p2", "/bodyset/b", "0.02 -0.18 0.04"),
            name,
            methods[-1],
        )
        springs.append(_spring(f"t{number}", path))
    ground = _element("Ground", "ground", _members("WrapObjectSet", [on_ground]))
    objects = _members("WrapObjectSet", [on_body])
    return _document(springs, _gimbals(), ("a", objects), ("b", ""), rest=ground)


def _gimbals() -> str:
    joints = _joint("GimbalJoint", "a", "/ground", "a1", "a2", "a3")
    return joints + _joint("GimbalJoint", "b", "/bodyset/a", "b1", "b2", "b3")


def _springs_of_functions() -> list[str]:
    one, two = "/jointset/j_a/a1", "/jointset/j_a/a1 /jointset/j_b/b2"
    six = " ".join(f"/jointset/j_{body}/{body}{number}" for body in "ab" for number in (1, 2, 3))
    knots = {"x": "-2 -0.5 0.3 1 2", "y": "0.4 0.1 0.2 -0.1 0.3"}
    paths = (
        _path_of_functions(six, _polynomial(6, 3)),
        _path_of_functions(two, _polynomial(2, 5), (_polynomial(2, 2), _polynomial(2, 4))),
        _path_of_functions(one, _element("SimmSpline", "", **knots)),
        _path_of_functions(
            one, _polynomial(1, 4), speed=_element("LinearFunction", "", coefficients="0.1 0.7 0.2")
        ),
    )
    return [_spring(f"f{number}", path) for number, path in enumerate(paths)]


def _path_of_functions(
    coordinates: str, length: str, arms: tuple[str, ...] = (), speed: str | None = None
) -> str:
    inside = f"<length_function>{length}</length_function>"
    inside += f"<moment_arm_functions>{''.join(arms)}</moment_arm_functions>" if arms else ""
    if speed:
        inside += f"<lengthening_speed_function>{speed}</lengthening_speed_function>"
    return _element(FUNCTIONS, "path", inside, coordinate_paths=coordinates)


def _polynomial(dimension: int, order: int) -> str:
    count = math.comb(dimension + order, order)
    coefficients = " ".join(f"{0.5 / (7 * i % 11 + 2):.4f}" for i in range(count))
    values = {"dimension": str(dimension), "order": str(order), "coefficients": coefficients}
    return _element("MultivariatePolynomialFunction", "", **values)


def _spring(name: str, path: str) -> str:
    values = {"resting_length": "0.1", "stiffness": "1000", "dissipation": "0.1"}
    return _element("PathSpring", name, path, **values)


def _path(first: str, second: str, wrap: str | None = None, method: str | None = None) -> str:
    points = _members("PathPointSet", [first, second])
    if wrap is None:
        return _element("GeometryPath", "path", points)
    over = _element("PathWrap", "w", wrap_object=wrap, method=method)
    return _element("GeometryPath", "path", points + _members("PathWrapSet", [over]))


def _point(name: str, frame: str, location: str) -> str:
    return _element("PathPoint", name, socket_parent_frame=frame, location=location)


def _joint(kind: str, child: str, parent: str, *coordinates: str) -> str:
    values = {"range": "-3.1 3.1"}
    found = "".join(_element("Coordinate", name, **values) for name in coordinates)
    return _element(
        kind,
        f"j_{child}",
        f"<coordinates>{found}</coordinates>",
        socket_parent_frame=parent,
        socket_child_frame=f"/bodyset/{child}",
    )


def _document(forces: list[str], joints: str, *bodies: tuple[str, str], rest: str = "") -> str:
    inertia = {"mass": "1", "mass_center": "0.02 -0.3 0.01", "inertia": "0.1 0.1 0.1 0 0 0"}
    model = (
        _members("BodySet", [_element("Body", name, inside, **inertia) for name, inside in bodies])
        + _members("JointSet", [joints])
        + _members("ForceSet", forces)
        + rest
    )
    return (
        f'<OpenSimDocument Version="40600"><Model name="classes">{model}</Model></OpenSimDocument>'
    )


def _members(tag: str, objects: Iterable[str]) -> str:
    return f"<{tag}><objects>{''.join(objects)}</objects></{tag}>"


def _element(tag: str, name: str, inside: str = "", **values: str | None) -> str:
    leaves = (f"<{key}>{text}</{key}>" for key, text in values.items() if text is not None)
    return f'<{tag} name="{name}">{"".join(leaves)}{inside}</{tag}>'
