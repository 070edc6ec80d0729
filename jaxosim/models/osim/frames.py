"""The components of a file as a tree of names, and its frames followed down to their bodies.

References between components are paths through that tree. Joints, points and contact geometry
hang on frames; a frame hangs on a body or on another frame, and here every one is expressed in its
body, whatever its depth.

Source: OpenSim `Component`, `PhysicalOffsetFrame`; see docs/theory/model_files.md,
"Frames and sockets".
"""

import math
from collections.abc import Iterable
from typing import cast

import numpy as np

from jaxosim.errors import quote
from jaxosim.models.osim import station_defined_frame
from jaxosim.models.osim.context import (
    CannotContinue,
    Context,
    check_name,
    member_list,
    name_components,
)
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import GROUND, ZERO, FrameSpec, Vec3
from jaxosim.structure import ComponentPath

_GIMBAL_LOCK = 4 * np.finfo(float).eps  # cosine below which SimTK calls the middle angle ±90°
_MOST_TURNED = 1e9  # rad of an orientation; of 1e16 two neighboring numbers are a turn apart
_SETS = (
    "BodySet",
    "JointSet",
    "ForceSet",
    "ConstraintSet",
    "ContactGeometrySet",
    "MarkerSet",
    "ControllerSet",
    "ComponentSet",
)
_PART_LISTS = ("components", "coordinates", "frames")


class Component:
    """A named thing in the model: its element, its owner, its parts."""

    __slots__ = ("element", "owner", "parts", "frame")

    def __init__(self, element: Element | None, owner: "Component | None"):
        """A component that its owner does not list (see `add`)."""
        self.element = element
        self.owner = owner
        self.parts: dict[str, Component] = {}
        self.frame: FrameSpec | None = None

    def add(self, name: str, element: Element | None) -> "Component":
        """A new part of this name."""
        part = self.parts[name] = Component(element, self)
        return part

    def find(self, path: str) -> "Component | None":
        """The component at a path, absolute or relative to this one."""
        found: Component | None = self
        while path.startswith("/") and found is not None and found.owner is not None:
            found = found.owner
        for step in path.split("/"):
            if found is None or step in ("", "."):
                continue
            found = found.owner if step == ".." else found.parts.get(step)
        return found


def component_tree(model: Element) -> Component:
    """All components that a path in the file may name; siblings get their unique names here."""
    check_name(model)
    root = Component(model, None)
    ground = root.add(GROUND, model.child("Ground"))
    ground.frame = FrameSpec(GROUND)
    pending = [ground]
    for set_tag in _SETS:
        if (whole := model.child(set_tag)) is not None:
            check_name(whole)
        members = member_list(model, set_tag)
        name_components(members)
        home = root.add(set_tag.lower(), None)
        pending += [home.add(member.name, member) for member in members]
    for body in root.parts["bodyset"].parts.values():
        if body.element is not None:
            body.frame = FrameSpec(body.element.name)
    free = member_list(model, "components")
    name_components(free)
    for element in free:
        if element.name in root.parts:
            raise element.error("expected a component of another name than a set or ground")
    for element in free:
        component = root.add(element.name, element)
        if element.tag == "Body":
            component.frame = FrameSpec(element.name)
        pending.append(component)
    while pending:
        component = pending.pop()
        lists = [member_list(component.element, tag) for tag in _PART_LISTS]
        name_components(*lists)
        pending += [component.add(part.name, part) for parts in lists for part in parts]
    return root


def component_paths(root: Component, components: Iterable[Component]) -> list[ComponentPath]:
    """Where some components stand: what the model owns outside its sets comes first."""
    homes = _homes()
    found: dict[int, ComponentPath] = {}
    parts = sorted(root.parts.items(), key=lambda part: part[0] in homes)
    pending = [(f"/{name}", part) for name, part in reversed(parts)]
    while pending:
        path, component = pending.pop()
        found[id(component)] = ComponentPath(path, len(found))
        pending += [(f"{path}/{n}", part) for n, part in reversed(component.parts.items())]
    return [found[id(component)] for component in components]


def _homes() -> set[str]:
    """Names of ground and of the sets."""
    return {GROUND, *(set_tag.lower() for set_tag in _SETS)}


def set_members(root: Component, set_name: str, *classes: str) -> list[Component]:
    """The components of a set, those of these classes that the model owns outside before them.

    Those of the ComponentSet follow them, as in OpenSim.
    """
    homes = _homes()
    loose = [part for name, part in root.parts.items() if name not in homes]
    last = root.parts["componentset"].parts.values()

    def of_these(parts: Iterable[Component]) -> list[Component]:
        return [c for c in parts if c.element is not None and c.element.tag in classes]

    return of_these(loose) + list(root.parts[set_name].parts.values()) + of_these(last)


def resolve_frame(
    context: Context, owner: Component, socket: str, path: str | None = None
) -> FrameSpec:
    """Follow a socket of a component to its frame, and that frame down to the body.

    Args:
      context: of the file.
      owner: the component.
      socket: the property that names the frame.
      path: of the frame, where the property is not simply its path.

    Raises:
      OsimFormatError: no such frame, or frames that hang on one another in a circle.
      CannotContinue: the frame is of a class we do not know (and is then refused).
    """
    return _frame_of(context, owner, socket, _connectee(context, owner, socket, path))


def frame_of(context: Context, component: Component) -> FrameSpec:
    """A component that is a frame, down to its body; errors as of `resolve_frame`."""
    return _frame_of(context, component, "", component)


def _frame_of(context: Context, owner: Component, socket: str, target: Component) -> FrameSpec:
    """The frame of a component that a socket of an owner names, after all that it hangs on."""
    pending = [(owner, socket, target)]
    opened: set[int] = set()
    while pending:
        needs = _hangs_on(context, *pending[-1])
        component = pending[-1][-1]
        missing = [need for need in needs if need[-1].frame is None]
        if component.frame is not None or not missing:
            component.frame = component.frame or _placed(context, component, needs)
            pending.pop()
            continue
        if id(component) in opened:
            expected = "expected a frame that hangs on a body, this one hangs on itself"
            raise _element(component).error(expected)
        opened.add(id(component))
        pending += missing
    assert target.frame is not None
    return target.frame


_Need = tuple[Component, str, Component]  # who names it, in which socket, and the frame


def _hangs_on(context: Context, owner: Component, socket: str, frame: Component) -> list[_Need]:
    """The frames on which a frame hangs; none if it is known."""
    if frame.frame is not None:
        return []
    element = _element(frame)
    if element.tag == "PhysicalOffsetFrame":
        return [(frame, "socket_parent", _connectee(context, frame, "socket_parent"))]
    if element.tag != station_defined_frame.TAG:
        _refuse_frame(context, owner, element, socket)
    stations = [_station(context, frame, point) for point in station_defined_frame.POINTS]
    tag = "socket_parent_frame"
    return [(station, tag, _connectee(context, station, tag)) for station in stations]


def _placed(context: Context, frame: Component, needs: list[_Need]) -> FrameSpec:
    """A frame in its body, from the frames on which it hangs."""
    element, outer = _element(frame), [need[-1].frame for need in needs]
    assert all(outer)
    if element.tag == "PhysicalOffsetFrame":
        return compose(cast(FrameSpec, outer[0]), _pose(context, element, "translation"))
    points = [
        compose(cast(FrameSpec, one), (context.vector(_element(station), "location", ZERO), ZERO))
        for (station, _, _), one in zip(needs, outer, strict=True)
    ]
    bodies = {point.body for point in points}
    if len(bodies) > 1:
        raise element.error(f"expected points of one body, found {', '.join(sorted(bodies))}")
    a, b, c, origin = (point.translation for point in points)
    axes = station_defined_frame.rotation_of_points(context, element, a, b, c)
    return FrameSpec(bodies.pop(), origin, angles(axes))


def _station(context: Context, owner: Component, socket: str) -> Component:
    """The Station, or Marker, that a socket names."""
    path = context.text(_element(owner), socket)
    found = owner.find(path) if path else None
    if found is None or found.element is None or found.element.tag not in ("Station", "Marker"):
        expected = f"expected in {socket} the path of a Station, found {quote(path)}"
        raise _element(owner).error(expected)
    return found


def resolve_named_frame(context: Context, owner: Component, tag: str) -> FrameSpec:
    """The frame that a property names by its path from the model, or a body by its name.

    Raises:
      OsimFormatError: no such frame, or frames that hang on one another in a circle.
      CannotContinue: the frame is of a class we do not know (and is then refused).
    """
    name = context.text(_element(owner), tag)
    found = _root(owner).find(f"/{name}") if name else None
    is_frame = found is not None and (found.element is not None or found.frame is not None)
    return resolve_frame(context, owner, tag, f"/{name}" if is_frame else f"/bodyset/{name}")


def resolve_body(context: Context, owner: Component, tag: str) -> str:
    """The name of the body that a property gives by its path or its bare name.

    Raises:
      OsimFormatError: there is no such body; ground is none.
    """
    name = context.text(_element(owner), tag)
    found = _root(owner).parts["bodyset"].parts.get(name) if "/" not in name else owner.find(name)
    if found is None or found.element is None or found.element.tag != "Body":
        raise _element(owner).error(f"expected in {tag} the name of a body, found {quote(name)}")
    return found.element.name


def _root(component: Component) -> Component:
    """The model."""
    while component.owner is not None:
        component = component.owner
    return component


def resolve_pose(context: Context, owner: Component, socket: str) -> FrameSpec:
    """The frame of a socket, moved on by the owner's own `location` and `orientation`."""
    frame = resolve_frame(context, owner, socket)
    return compose(frame, _pose(context, _element(owner), "location"))


def resolve_point(context: Context, owner: Component, socket: str) -> tuple[str, Vec3]:
    """Body and location (m, in it) of the owner's own `location` in the frame of a socket."""
    frame = resolve_frame(context, owner, socket)
    location = context.vector(_element(owner), "location", ZERO)
    return frame.body, compose(frame, (location, ZERO)).translation


def _connectee(
    context: Context, owner: Component, socket: str, path: str | None = None
) -> Component:
    element = _element(owner)
    path = context.text(element, socket) if path is None else path
    if not path:
        raise element.error(f"expected a {socket}")
    found = owner.find(path)
    if found is None or (found.element is None and found.frame is None):
        raise element.error(f"expected in {socket} the path of a frame, found {quote(path)}")
    return found


def _element(component: Component) -> Element:
    assert component.element is not None  # only sets and ground may lack one
    return component.element


def _refuse_frame(context: Context, owner: Component, frame: Element, socket: str) -> None:
    if not frame.tag.endswith("Frame"):
        raise _element(owner).error(f"expected a frame in {socket}, found a {frame.tag}")
    context.refuse(frame.tag, frame.name, "frames of this class are not simulated")
    raise CannotContinue


def _pose(context: Context, element: Element, translation: str) -> tuple[Vec3, Vec3]:
    orientation = context.vector(element, "orientation", ZERO)
    if max(map(abs, orientation)) > _MOST_TURNED:
        # OpenSim differs: it accepts them.
        raise element.error(f"expected an orientation of {_MOST_TURNED:g} rad or less")
    return context.vector(element, translation, ZERO), orientation


def compose(outer: FrameSpec, inner: tuple[Vec3, Vec3]) -> FrameSpec:
    """A pose (translation, orientation) in a frame, expressed in that frame's body.

    Numbers of the file come through untouched wherever one of the two poses is zero.
    """
    translation, orientation = inner
    if outer.orientation == ZERO:
        moved = translation if outer.translation == ZERO else _add(outer.translation, translation)
        return FrameSpec(outer.body, moved, orientation)
    outer_rotation = rotation(outer.orientation)
    if translation != ZERO:
        translation = _vector(outer_rotation @ np.array(translation))
    if orientation == ZERO:
        orientation = outer.orientation
    else:
        orientation = angles(outer_rotation @ rotation(orientation))
    return FrameSpec(outer.body, _add(outer.translation, translation), orientation)


def rotation(orientation: Vec3) -> np.ndarray:
    """Rotation matrix of body-fixed XYZ angles (rad): Rx(a) Ry(b) Rz(c)."""
    (ca, sa), (cb, sb), (cc, sc) = ((math.cos(angle), math.sin(angle)) for angle in orientation)
    return np.array(
        [
            [cb * cc, -cb * sc, sb],
            [sa * sb * cc + ca * sc, ca * cc - sa * sb * sc, -sa * cb],
            [sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb],
        ]
    )


def angles(matrix: np.ndarray) -> Vec3:
    """Body-fixed XYZ angles (rad) of a rotation matrix, as SimTK chooses among them."""
    m = matrix
    cosine = math.sqrt((m[0, 0] ** 2 + m[0, 1] ** 2 + m[1, 2] ** 2 + m[2, 2] ** 2) / 2)
    middle = math.atan2(m[0, 2], cosine)
    if cosine > _GIMBAL_LOCK:
        return math.atan2(-m[1, 2], m[2, 2]), middle, math.atan2(-m[0, 1], m[0, 0])
    if m[0, 2] > 0:
        return math.atan2(m[1, 0] + m[2, 1], m[1, 1] - m[2, 0]), middle, 0.0
    return math.atan2(m[2, 1] - m[1, 0], m[1, 1] + m[2, 0]), middle, 0.0


def _vector(values: np.ndarray) -> Vec3:
    x, y, z = values.tolist()
    return x, y, z


def _add(a: Vec3, b: Vec3) -> Vec3:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
