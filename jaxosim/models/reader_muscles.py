"""Muscles of a file → specs: parameters and the points of the path.

Source: OpenSim `Thelen2003Muscle`, `GeometryPath`; see docs/theory/muscles.md, "Parameters", and
docs/theory/paths.md, "Points".
"""

import math
from collections.abc import Callable

from jaxosim.errors import quote
from jaxosim.models.osim_xml import Element
from jaxosim.models.reader_context import Context, member_list, name_components
from jaxosim.models.reader_frames import Component, resolve_frame, resolve_point
from jaxosim.models.reader_functions import argument_count, is_constant, read_function
from jaxosim.models.spec import (
    ConditionalPathPointSpec,
    MovingPathPointSpec,
    PathPointLike,
    PathPointSpec,
    Thelen2003MuscleSpec,
)

# Field of the spec → tag; the spec holds the defaults.
_TAGS = {
    "max_isometric_force": "max_isometric_force",
    "optimal_fiber_length": "optimal_fiber_length",
    "tendon_slack_length": "tendon_slack_length",
    "pennation_angle_at_optimal": "pennation_angle_at_optimal",
    "max_contraction_velocity": "max_contraction_velocity",
    "activation_time_constant": "activation_time_constant",
    "deactivation_time_constant": "deactivation_time_constant",
    "fmax_tendon_strain": "FmaxTendonStrain",
    "fmax_muscle_strain": "FmaxMuscleStrain",
    "kshape_active": "KshapeActive",
    "kshape_passive": "KshapePassive",
    "af": "Af",
    "flen": "Flen",
    "fv_linear_extrap_threshold": "fv_linear_extrap_threshold",
    "maximum_pennation_angle": "maximum_pennation_angle",
    "minimum_activation": "minimum_activation",
    "default_activation": "default_activation",
    "default_fiber_length": "default_fiber_length",
    "min_control": "min_control",
    "max_control": "max_control",
}
_UNBOUNDED = ("min_control", "max_control")
_POINTS = ("PathPoint", "ConditionalPathPoint", "MovingPathPoint")
_WRAPPING = "wrapping is not simulated; put via points in its place"
_OTHER_PATH = "paths of this class are not simulated; put a GeometryPath in its place"

_Law = tuple[str, Callable[[Thelen2003MuscleSpec], bool]]
_LAWS: tuple[_Law, ...] = (
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    ("FmaxTendonStrain above 0", lambda m: m.fmax_tendon_strain > 0),
    ("FmaxMuscleStrain above 0", lambda m: m.fmax_muscle_strain > 0),
    ("KshapeActive above 0", lambda m: m.kshape_active > 0),
    ("KshapePassive above 0", lambda m: m.kshape_passive > 0),
    ("Af above 0", lambda m: m.af > 0),
    ("Flen above 1", lambda m: m.flen > 1),
    (
        "fv_linear_extrap_threshold above 1/Flen",
        lambda m: m.fv_linear_extrap_threshold * m.flen > 1,
    ),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
    (
        "maximum_pennation_angle between 0 and π/2",
        lambda m: 0 <= m.maximum_pennation_angle <= math.pi / 2,
    ),
    ("activation_time_constant above 0", lambda m: m.activation_time_constant > 0),
    ("deactivation_time_constant above 0", lambda m: m.deactivation_time_constant > 0),
    ("minimum_activation of at least 0.01 and below 1", lambda m: 0.01 <= m.minimum_activation < 1),
    ("min_control of at least minimum_activation", lambda m: m.min_control >= m.minimum_activation),
    # OpenSim differs: it loads these muscles, which then have no equilibrium.
    ("tendon_slack_length above 0", lambda m: m.tendon_slack_length > 0),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
    ("fv_linear_extrap_threshold below 1", lambda m: m.fv_linear_extrap_threshold < 1),
    # OpenSim differs: a hundredth of optimal length is the shortest fiber then.
    ("maximum_pennation_angle above 0", lambda m: m.maximum_pennation_angle > 0),
)


def read_thelen(context: Context, muscle: Component) -> Thelen2003MuscleSpec:
    """A Thelen2003Muscle with its path."""
    element = muscle.element
    assert element is not None
    _refuse_options(context, element)
    values = {
        field: context.number(
            element,
            tag,
            getattr(Thelen2003MuscleSpec, field),
            allow_infinite=field in _UNBOUNDED,
        )
        for field, tag in _TAGS.items()
    }
    spec = Thelen2003MuscleSpec(
        name=element.name,
        path=_read_path(context, muscle, element),
        applies_force=context.boolean(element, "appliesForce", True),
        **values,
    )
    for expected, holds in _LAWS:
        if not holds(spec):
            raise element.error(f"expected {expected}")
    return spec


def refuse_parts(context: Context, element: Element) -> None:
    """Refuse what would not be simulated of a force of an unknown class if its class were known."""
    _refuse_options(context, element)
    path = context.object_property(element, "path", ("GeometryPath",))
    if path is not None and path.tag == "GeometryPath":
        _refuse_wraps(context, element, path)
        for point in member_list(path, "PathPointSet"):
            _refuse_point(context, element, point)
    elif path is not None:
        context.refuse(path.tag, element.name, _OTHER_PATH)


def _refuse_options(context: Context, element: Element) -> None:
    for option in ("ignore_tendon_compliance", "ignore_activation_dynamics"):
        if context.boolean(element, option, False):
            reason = f"{option} is not simulated; set it to false if the motion may change"
            context.refuse(element.tag, element.name, reason)


def _refuse_wraps(context: Context, owner: Element, path: Element) -> None:
    wraps = member_list(path, "PathWrapSet")
    name_components(wraps)
    for wrap in wraps:
        if context.text(wrap, "wrap_object"):
            context.refuse(wrap.tag, f"{owner.name}/{wrap.name}", _WRAPPING)


def _refuse_point(context: Context, owner: Element, point: Element) -> None:
    if point.tag not in _POINTS:
        reason = "path points of this class are not simulated"
        context.refuse(point.tag, f"{owner.name}/{point.name}", reason)
    elif point.tag == "MovingPathPoint":
        for axis in "xyz":
            read_function(context, point, f"{axis}_location")


def _read_path(context: Context, muscle: Component, element: Element) -> tuple[PathPointLike, ...]:
    path = context.object_property(element, "path", ("GeometryPath",))
    if path is None:
        raise element.error("expected a GeometryPath")
    if path.tag != "GeometryPath":
        context.refuse(path.tag, element.name, _OTHER_PATH)
        return ()
    _refuse_wraps(context, element, path)
    points = member_list(path, "PathPointSet")
    name_components(points)
    if len(points) < 2:
        raise path.error(f"expected two or more points in PathPointSet, found {len(points)}")
    # A point is owned by the path, the path by the muscle; PathPointSet is no level of the tree.
    home = Component(None, muscle)
    for point in points:
        if point.tag not in _POINTS:
            _refuse_point(context, element, point)
    return tuple(_read_point(context, Component(point, home)) for point in points)


def _read_point(context: Context, point: Component) -> PathPointLike:
    element = point.element
    assert element is not None
    if element.tag == "MovingPathPoint":
        return _read_moving_point(context, point, element)
    body, location = resolve_point(context, point, "socket_parent_frame")
    if element.tag != "ConditionalPathPoint":  # a plain one, or refused by now
        return PathPointSpec(element.name, body, location)
    coordinate = _coordinate(context, point, element, "socket_coordinate")
    if coordinate is None:
        raise element.error("expected a socket_coordinate")
    low, high = context.range(element, (0.0, 0.0))
    return ConditionalPathPointSpec(element.name, body, location, coordinate, (low, high))


def _read_moving_point(context: Context, point: Component, element: Element) -> MovingPathPointSpec:
    x, y, z = (read_function(context, element, f"{axis}_location") for axis in "xyz")
    coordinates = [_coordinate(context, point, element, f"socket_{a}_coordinate") for a in "xyz"]
    # OpenSim demands this even of constants.
    if len(set(coordinates)) > 1:
        raise element.error("expected one and the same coordinate for x, y and z")
    for function in (x, y, z):
        if not is_constant(function) and argument_count(function) != 1:
            raise element.error("expected functions of one coordinate")
    frame = resolve_frame(context, point, "socket_parent_frame")
    return MovingPathPointSpec(element.name, frame, (x, y, z), coordinates[0])


def _coordinate(context: Context, point: Component, element: Element, socket: str) -> str | None:
    """Name of the coordinate in a socket: a path, or in older files just the name."""
    path = context.text(element, socket)
    if not path:
        return None
    if "/" not in path:
        if path in context.coordinates:
            return path
    else:
        found = point.find(path)
        if found and found.element and found.element.tag == "Coordinate":
            return found.element.name
    raise element.error(f"expected a coordinate in {socket}, found {quote(path)}")
