"""Reading a path that a muscle, a spring or an actuator owns: points, or functions.

Source: OpenSim `GeometryPath`, `PathPoint`, `ConditionalPathPoint`, `MovingPathPoint`; see
docs/theory/paths.md, "Points".
"""

from dataclasses import dataclass

from jaxosim.errors import quote
from jaxosim.models.osim.context import Context, member_list, name_components
from jaxosim.models.osim.frames import Component, resolve_frame, resolve_point
from jaxosim.models.osim.functions import argument_count, is_constant, read_function
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec, FunctionSpec, Vec3
from jaxosim.paths import function_based_path
from jaxosim.paths.read_wraps import PathWrapSpec, read_wraps, refuse_wraps

_POINTS = ("PathPoint", "ConditionalPathPoint", "MovingPathPoint")
_PATHS = ("GeometryPath", function_based_path.TAG)
_OTHER_PATH = "paths of this class are not simulated; put a GeometryPath in its place"


@dataclass(frozen=True)
class PathPointSpec:
    """A point fixed on a body: `body` is where its frame ends up, `location` in that body."""

    name: str
    body: str
    location: Vec3


@dataclass(frozen=True)
class ConditionalPathPointSpec:
    """A fixed point that belongs to the path only while `coordinate` is within `range`."""

    name: str
    body: str
    location: Vec3
    coordinate: str
    range: tuple[float, float]


@dataclass(frozen=True)
class MovingPathPointSpec:
    """A point whose location, in its frame, is three functions of one coordinate."""

    name: str
    frame: FrameSpec
    location: tuple[FunctionSpec, FunctionSpec, FunctionSpec]
    coordinate: str


PathPointLike = PathPointSpec | ConditionalPathPointSpec | MovingPathPointSpec


@dataclass(frozen=True)
class PathSpec:
    """Points of a GeometryPath in order, two or more, and its wraps in order; or functions."""

    points: tuple[PathPointLike, ...]
    wraps: tuple[PathWrapSpec, ...] = ()
    functions: function_based_path.Spec | None = None  # of a path that has no points


def read(context: Context, owner: Component) -> PathSpec:
    """The path that a component owns.

    Args:
      context: of the file; wrap objects and points of other classes are refused in it.
      owner: a component with a property `path`.

    Returns:
      Its points and wraps, or its functions; none of them if the path was refused.

    Raises:
      OsimFormatError: there is no path, or one that OpenSim would not accept.
    """
    element = owner.element
    assert element is not None
    path = context.object_property(element, "path", _PATHS)
    if path is None:
        raise element.error("expected a GeometryPath")
    if path.tag == function_based_path.TAG:
        return PathSpec((), functions=function_based_path.read(context, owner, path))
    if path.tag != "GeometryPath":
        context.refuse(path.tag, element.name, _OTHER_PATH)
        return PathSpec(())
    points = member_list(path, "PathPointSet")
    name_components(points)
    if len(points) < 2:
        raise path.error(f"expected two or more points in PathPointSet, found {len(points)}")
    # A point is owned by the path, the path by its owner; PathPointSet is no level of the tree.
    home = Component(None, owner)
    for point in points:
        if point.tag not in _POINTS:
            _refuse_point(context, element, point)
    unconditional = [point.tag != "ConditionalPathPoint" for point in points]
    wraps = read_wraps(context, element, path, unconditional)
    return PathSpec(tuple(_read_point(context, Component(p, home)) for p in points), wraps)


def refuse_parts(context: Context, element: Element) -> None:
    """Refuse what of a path would not be simulated if the class of its owner were known."""
    path = context.object_property(element, "path", _PATHS)
    if path is not None and path.tag == "GeometryPath":
        refuse_wraps(context, element, path)
        for point in member_list(path, "PathPointSet"):
            _refuse_point(context, element, point)
    elif path is not None and path.tag == function_based_path.TAG:
        function_based_path.read_functions(context, path)
    elif path is not None:
        context.refuse(path.tag, element.name, _OTHER_PATH)


def _refuse_point(context: Context, owner: Element, point: Element) -> None:
    if point.tag not in _POINTS:
        reason = "path points of this class are not simulated"
        context.refuse(point.tag, f"{owner.name}/{point.name}", reason)
    elif point.tag == "MovingPathPoint":
        for axis in "xyz":
            read_function(context, point, f"{axis}_location", optional=True)


def _read_point(context: Context, point: Component) -> PathPointLike:
    element = point.element
    assert element is not None
    if element.tag == "MovingPathPoint":
        return _read_moving_point(context, point, element)
    body, location = resolve_point(context, point, "socket_parent_frame")
    if element.tag != "ConditionalPathPoint":  # a plain one, or refused by now
        return PathPointSpec(element.name, body, location)
    coordinate = _coordinate(context, point, element, "socket_coordinate")
    low, high = context.range(element, (0.0, 0.0))
    return ConditionalPathPointSpec(element.name, body, location, coordinate, (low, high))


def _read_moving_point(context: Context, point: Component, element: Element) -> MovingPathPointSpec:
    x, y, z = (read_function(context, element, f"{axis}_location", optional=True) for axis in "xyz")
    coordinates = [_coordinate(context, point, element, f"socket_{a}_coordinate") for a in "xyz"]
    # OpenSim demands this even of constants.
    if len(set(coordinates)) > 1:
        raise element.error("expected one and the same coordinate for x, y and z")
    for function in (x, y, z):
        if not is_constant(function) and argument_count(function) != 1:
            raise element.error("expected functions of one coordinate")
    frame = resolve_frame(context, point, "socket_parent_frame")
    return MovingPathPointSpec(element.name, frame, (x, y, z), coordinates[0])


def _coordinate(context: Context, point: Component, element: Element, socket: str) -> str:
    """Name of the coordinate in a socket: a path, or in older files just the name."""
    path = context.text(element, socket)
    if not path:
        raise element.error(f"expected a {socket}")
    if "/" not in path:
        if path in context.coordinates:
            return path
    else:
        found = point.find(path)
        if found and found.element and found.element.tag == "Coordinate":
            return found.element.name
    raise element.error(f"expected a coordinate in {socket}, found {quote(path)}")
