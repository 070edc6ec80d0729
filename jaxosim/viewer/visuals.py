"""What a `.osim` file wants to be seen: meshes and simple solids attached to its bodies.

Apart from the mechanics, which never asks for it: nothing here enters a `Model`. Read are
`attached_geometry` of OpenSim 4, `VisibleObject` of OpenSim 3 and the wrap objects of both, in body
frames. Meshes are names only; no file is opened but the model.

Source: OpenSim `Mesh`, `Brick`, `Sphere`, …; `WrapCylinder`, …; `VisibleObject`, `DisplayGeometry`
of OpenSim 3.
"""

import math
import os
from dataclasses import dataclass

from jaxosim.errors import OsimFormatError
from jaxosim.models.osim.context import CannotContinue, Context, member_list
from jaxosim.models.osim.frames import Component, component_tree, compose, resolve_frame
from jaxosim.models.osim.upgrade import upgrade
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element, parse_document, read_bytes
from jaxosim.models.spec import GROUND, ZERO, FrameSpec, Vec3

_ONE: Vec3 = (1.0, 1.0, 1.0)
_DIMENSIONS = {  # OpenSim's solids: the properties that give their half axes
    "Brick": ("half_lengths",) * 3,
    "Sphere": ("radius",) * 3,
    "Ellipsoid": ("radii",) * 3,
    "Cylinder": ("radius", "half_height", "radius"),
}
_WRAPS = ("WrapSphere", "WrapEllipsoid", "WrapCylinder", "WrapTorus")
_WRAP_COLOR, _WRAP_OPACITY = (0.0, 1.0, 1.0), 0.5  # OpenSim's own
_Y_ONTO_Z: tuple[Vec3, Vec3] = (ZERO, (math.pi / 2, 0.0, 0.0))


@dataclass(frozen=True)
class VisualSpec:
    """One thing to draw: Mesh, Brick, Sphere, Ellipsoid, Cylinder (along y) or Torus (about z)."""

    kind: str
    frame: FrameSpec
    file: str = ""  # of a mesh
    scale: Vec3 = _ONE  # factors of a mesh, half axes (m) of a solid, radii of a torus
    color: Vec3 = _ONE
    opacity: float = 1.0
    name: str = ""  # of a wrap object; what only hangs on a body has none


def read_visuals(path: str | os.PathLike[str]) -> tuple[VisualSpec, ...]:
    """Everything that a model file attaches to its bodies for display, in file order.

    Raises:
      OsimFormatError: the file is no model, or a number in it is none.
    """
    source = os.fspath(path)
    old: list[VisualSpec] = []
    try:
        document = parse_document(read_bytes(path))
        old = _read_old(document.model)
        upgrade(document.model, document.version)
        return (*old, *_read_new(document.model), *_read_wraps(document.model))
    except OsimFormatError as error:
        raise OsimFormatError(f"{source}: {error}") from error
    except CannotContinue:
        return tuple(old)  # frames that are not simulated: nothing hangs on them here either


def _numbers(element: Element | None, tag: str, default: tuple[float, ...]) -> tuple[float, ...]:
    found = element.child(tag) if element is not None else None
    if found is None or not found.text.strip():
        return default
    return numbers(found, len(default))


def _vector(element: Element | None, tag: str, default: Vec3) -> Vec3:
    x, y, z = _numbers(element, tag, default)
    return x, y, z


def _text(element: Element, tag: str) -> str:
    found = element.child(tag)
    return found.text.strip() if found is not None else ""


def _read_old(model: Element) -> list[VisualSpec]:
    """VisibleObject of each body, as OpenSim 3 wrote it."""
    found = []
    for body in member_list(model, "BodySet"):
        visible = body.child("VisibleObject")
        if body.tag != "Body" or visible is None:
            continue
        name = "".join(body.name.split())
        outer = FrameSpec(name, *_old_pose(visible))
        scale = _vector(visible, "scale_factors", _ONE)
        shapes = member_list(visible, "GeometrySet")
        for shape in (s for s in shapes if s.tag == "DisplayGeometry"):
            hidden = _numbers(shape, "display_preference", (4.0,))[0] == 0
            if hidden or not _text(shape, "geometry_file"):
                continue
            own = _vector(shape, "scale_factors", _ONE)
            found.append(
                VisualSpec(
                    "Mesh",
                    compose(outer, _old_pose(shape)),
                    _text(shape, "geometry_file"),
                    (scale[0] * own[0], scale[1] * own[1], scale[2] * own[2]),
                    _vector(shape, "color", _ONE),
                    _numbers(shape, "opacity", (1.0,))[0],
                )
            )
        files = visible.child("geometry_files")  # before DisplayGeometry
        for file in files.text.split() if files is not None and not shapes else ():
            found.append(VisualSpec("Mesh", outer, file, scale))
    return found


def _old_pose(element: Element) -> tuple[Vec3, Vec3]:
    """Translation and orientation of a `transform`: three angles, then three lengths."""
    a, b, c, x, y, z = _numbers(element, "transform", (0.0,) * 6)
    return (x, y, z), (a, b, c)


def _read_new(model: Element) -> list[VisualSpec]:
    """attached_geometry of ground, bodies and the frames fixed on them."""
    context = Context()
    found: list[VisualSpec] = []
    root = component_tree(model)
    homes = [root.parts[GROUND], *root.parts["bodyset"].parts.values()]
    pending: list[Component] = [*homes, *root.parts["jointset"].parts.values()]
    pending += [part for part in root.parts.values() if _is_offset(part)]
    while pending:
        component = pending.pop(0)
        pending += component.parts.values()
        shapes = member_list(component.element, "attached_geometry")
        if not shapes or (component.frame is None and not _is_offset(component)):
            continue
        frame = component.frame or _offset_frame(context, component)
        found += [spec for shape in shapes if (spec := _read_shape(shape, frame)) is not None]
    return found


def _is_offset(component: Component) -> bool:
    return component.element is not None and component.element.tag == "PhysicalOffsetFrame"


def _offset_frame(context: Context, component: Component) -> FrameSpec:
    base = resolve_frame(context, component, "socket_parent")
    element = component.element
    pose = _vector(element, "translation", ZERO), _vector(element, "orientation", ZERO)
    return compose(base, pose)


def _read_shape(shape: Element, frame: FrameSpec) -> VisualSpec | None:
    """One geometry; None if it is hidden or of a class that is not drawn."""
    look = shape.child("Appearance")
    if look is not None and _text(look, "visible") == "false":
        return None
    color, opacity = _vector(look, "color", _ONE), _numbers(look, "opacity", (1.0,))[0]
    scale = _vector(shape, "scale_factors", _ONE)
    if shape.tag == "Mesh":
        return VisualSpec("Mesh", frame, _text(shape, "mesh_file"), scale, color, opacity)
    if shape.tag not in _DIMENSIONS:
        return None
    axes = []
    for axis, tag in enumerate(_DIMENSIONS[shape.tag]):
        is_vector = tag in ("half_lengths", "radii")
        size = _vector(shape, tag, _ONE)[axis] if is_vector else _numbers(shape, tag, (1.0,))[0]
        axes.append(size * scale[axis])
    return VisualSpec(shape.tag, frame, "", (axes[0], axes[1], axes[2]), color, opacity)


def _read_wraps(model: Element) -> list[VisualSpec]:
    """Wrap objects of ground and bodies that are in use and not hidden."""
    ground = model.child("Ground")
    homes = [(GROUND, ground)] if ground is not None else []
    homes += [("".join(body.name.split()), body) for body in member_list(model, "BodySet")]
    found = []
    for body, element in homes:
        for wrap in member_list(element, "WrapObjectSet"):
            look = wrap.child("Appearance")
            hidden = look is not None and _text(look, "visible") == "false"
            hidden |= _numbers(wrap, "display_preference", (4.0,))[0] == 0
            if wrap.tag not in _WRAPS or hidden or _text(wrap, "active") == "false":
                continue
            place = _vector(wrap, "translation", ZERO), _vector(wrap, "xyz_body_rotation", ZERO)
            frame = compose(FrameSpec(body, ZERO, ZERO), place)
            if wrap.tag == "WrapCylinder":  # along z
                frame = compose(frame, _Y_ONTO_Z)
            found.append(
                VisualSpec(
                    wrap.tag.removeprefix("Wrap"),
                    frame,
                    scale=_wrap_axes(wrap),
                    color=_vector(look, "color", _WRAP_COLOR),
                    opacity=_numbers(look, "opacity", (_WRAP_OPACITY,))[0],
                    name=wrap.name,
                )
            )
    return found


def _wrap_axes(wrap: Element) -> Vec3:
    """Half axes (m); a cylinder's along its own y; a torus's outer, outer and inner radius."""
    if wrap.tag == "WrapEllipsoid":
        return _vector(wrap, "dimensions", (0.05, 0.05, 0.05))
    if wrap.tag == "WrapTorus":
        outer = _numbers(wrap, "outer_radius", (0.05,))[0]
        return outer, outer, _numbers(wrap, "inner_radius", (0.01,))[0]
    radius = _numbers(wrap, "radius", (0.05,))[0]
    if wrap.tag == "WrapSphere":
        return radius, radius, radius
    return radius, _numbers(wrap, "length", (0.05,))[0] / 2, radius
