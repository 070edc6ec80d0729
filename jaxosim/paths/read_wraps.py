"""Reading the wraps of a path, and the wrap objects that they name.

Source: OpenSim `PathWrap`, `WrapObject`, `PhysicalFrame`; see docs/theory/paths.md, "Wrapping".
"""

from dataclasses import dataclass

from jaxosim.errors import quote
from jaxosim.models.osim.context import Context, member_list, name_components
from jaxosim.models.osim.frames import Component, compose, frame_of
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ZERO, FrameSpec
from jaxosim.paths.wrap_object import WrapObjectSpec
from jaxosim.paths.wraps import WRAPS

_METHODS = ("hybrid", "midpoint", "axial")
_OTHER_WRAP = "wrapping over objects of this class is not simulated; put via points in its place"
_CLASSES = {wrap.TAG: wrap for wrap in WRAPS}


@dataclass(frozen=True)
class PathWrapSpec:
    """A wrap object on the way of a path, and the points of the path between which it may wrap."""

    name: str
    wrap_object: WrapObjectSpec
    method: str
    range: tuple[int, int]  # first and last point, counted from 0


def read_wraps(
    context: Context, owner: Element, path: Element, unconditional: list[bool]
) -> tuple[PathWrapSpec, ...]:
    """The wraps of a path, in order.

    Args:
      context: of the file; wrap objects of other classes are refused in it.
      owner: of the path.
      path: the GeometryPath.
      unconditional: of each point, whether it always belongs to the path.

    Raises:
      OsimFormatError: a wrap names no wrap object, an unknown method, or points that there are not.
    """
    found = []
    for wrap, name in _wraps(context, path):
        if wrap.tag != "PathWrap":
            raise wrap.error(f"expected a PathWrap, found {quote(wrap.tag)}")
        home = _home(context, name)
        if home is None:
            raise wrap.error(f"expected in wrap_object the name of one, found {quote(name)}")
        element, frame = home
        if element.tag not in _CLASSES:
            context.refuse(element.tag, f"{owner.name}/{wrap.name}", _OTHER_WRAP)
            continue
        first, last = _range(context, wrap, len(unconditional))
        if not any(unconditional[first : last + 1]):
            reason = "a range without a point that always belongs to the path is not simulated"
            context.refuse(wrap.tag, f"{owner.name}/{wrap.name}", reason)
            continue
        spec = _CLASSES[element.tag].read(context, element, frame)
        found.append(PathWrapSpec(wrap.name, spec, _method(context, wrap), (first, last)))
    return tuple(found)


def refuse_wraps(context: Context, owner: Element, path: Element) -> None:
    """Refuse the wraps of a path whose owner is of an unknown class, if their classes are too."""
    for wrap, name in _wraps(context, path):
        home = _home(context, name)
        if home is None or home[0].tag not in _CLASSES:
            tag = wrap.tag if home is None else home[0].tag
            context.refuse(tag, f"{owner.name}/{wrap.name}", _OTHER_WRAP)


def _wraps(context: Context, path: Element) -> list[tuple[Element, str]]:
    """The wraps of a path, and the name of each one's object."""
    wraps = member_list(path, "PathWrapSet")
    name_components(wraps)
    return [(wrap, context.text(wrap, "wrap_object")) for wrap in wraps]


def _home(context: Context, name: str) -> tuple[Element, FrameSpec] | None:
    """The first wrap object of this name in the model, and its pose on its body."""
    if name not in context.wrap_objects:
        return None
    frame, element = context.wrap_objects[name]
    return element, compose(frame_of(context, frame), _pose(context, element, "xyz_body_rotation"))


def _pose(context: Context, element: Element, rotation: str):
    return context.vector(element, "translation", ZERO), context.vector(element, rotation, ZERO)


def wrap_objects(root: Component) -> dict[str, tuple[Component, Element]]:
    """The frame and element of the first wrap object of each name."""
    found: dict[str, tuple[Component, Element]] = {}
    pending = [root]
    while pending:
        component = pending.pop()
        pending += reversed(component.parts.values())
        objects = member_list(component.element, "WrapObjectSet")
        name_components(objects)
        for element in objects:
            found.setdefault(element.name, (component, element))
    return found


def _method(context: Context, wrap: Element) -> str:
    text = context.word(wrap, "method")
    method = "hybrid" if text in ("", "Unassigned") else text.lower()
    if method not in _METHODS:
        raise wrap.error(f"expected a method of {', '.join(_METHODS)}, found {quote(text)}")
    return method


def _range(context: Context, wrap: Element, count: int) -> tuple[int, int]:
    """First and last point, counted from 0; in the file from 1, and less for the ends."""
    found = context.property(wrap, "range")
    low, high = numbers(found, 2) if found is not None else (-1.0, -1.0)
    first = 0 if low < 1 else int(low) - 1
    last = count - 1 if high < 1 else int(high) - 1
    if not first <= last < count:
        raise wrap.error(
            f"expected a range of points from 1 to {count}, found {low:.0f} to {high:.0f}"
        )
    return first, last
