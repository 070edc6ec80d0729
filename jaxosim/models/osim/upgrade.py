"""Older dialects of `.osim` → the newest one (40600), on the element tree.

Each step is named for what changed and runs for files older than the version in which it changed.
Only what concerns the mechanics is upgraded; appearance is left as it is and never read.

Source: the `updateFromXMLNode` methods of OpenSim 4.6; see docs/theory/model_files.md, "Versions".
"""

from collections.abc import Iterable

from jaxosim.models.osim.values import boolean, number, numbers
from jaxosim.models.osim.xml import Element

# Old class names that are still read.
_RENAMED = {
    "NaturalCubicSpline": "SimmSpline",
    "natCubicSpline": "SimmSpline",
    "ActuatorSet": "ForceSet",
    "MusclePoint": "PathPoint",
    "MuscleViaPoint": "ConditionalPathPoint",
    "MovingMusclePoint": "MovingPathPoint",
    "MuscleWrap": "PathWrap",
    "MusclePointSet": "PathPointSet",
    "MuscleWrapSet": "PathWrapSet",
    "GeneralizedForce": "CoordinateActuator",
    "Schutte1993Muscle": "Schutte1993Muscle_Deprecated",
    "Delp1990Muscle": "Delp1990Muscle_Deprecated",
}
# Renamed only as members of a ForceSet: elsewhere these words mean something else.
_RENAMED_FORCES = {"Force": "PointActuator", "Torque": "TorqueActuator"}

_PATH_POINTS = ("PathPoint", "ConditionalPathPoint", "MovingPathPoint")
_PAIRS = ("PointConstraint", "ConstantDistanceConstraint", "PointOnLineConstraint")  # of bodies
_INERTIA = ("xx", "yy", "zz", "xy", "xz", "yz")
_OFFSETS = ("location_in_parent", "orientation_in_parent", "location", "orientation")
_SAME = 2e-14  # SimTK::SignificantReal, within which OpenSim calls two numbers equal


def upgrade(model: Element, version: int) -> None:
    """Bring a model to the newest dialect, in place.

    Args:
      model: The Model element.
      version: The file's dialect, as OpenSim numbers them.

    Raises:
      OsimFormatError: a number or flag on the way could not be read.
    """
    _rename_classes(model)
    steps = (
        (10905, _actuators_10905),
        (20302, _muscles_20302),
        (30000, _moving_points_30000),
        (30500, _bodies_30500),
        (30517, _sockets_30517),
        (30501, _joints_and_markers_30501),
        (30500, _point_springs_30500),
        (30505, _frames_30505),
        (30505, _bushings_30505),
        (30506, _prescribed_forces_30506),
        (30507, _coordinates_30507),
        (30509, _flags_30509),
        (30512, _frame_set_30512),
        (30513, _controls_30513),
        (30514, _reversed_joints_30514),
        (40500, _paths_40500),
    )
    for changed_in, step in steps:
        if version < changed_in:
            step(model)


_MUSCLES = (  # OpenSim's Muscle makes these changes for every class
    "DeGrooteFregly2016Muscle",
    "Delp1990Muscle_Deprecated",
    "MeyerFregly2016Muscle",
    "Millard2012AccelerationMuscle",
    "Millard2012EquilibriumMuscle",
    "RigidTendonMuscle",
    "Schutte1993Muscle_Deprecated",
    "Thelen2003Muscle",
    "Thelen2003Muscle_Deprecated",
)


def _with_tags(model: Element, tags: Iterable[str]) -> list[Element]:
    wanted = frozenset(tags)
    return [element for element in model.walk() if element.tag in wanted]


def _is_joint(element: Element) -> bool:
    return element.tag.endswith("Joint")


def _joints(model: Element) -> list[Element]:
    """The joints of the JointSet and of the defaults."""
    homes = [_objects(model, "JointSet"), model.child("defaults")]
    return [child for home in homes if home for child in home.children if _is_joint(child)]


def _objects(owner: Element, set_tag: str) -> Element | None:
    found = owner.child(set_tag)
    return found.child("objects") if found else None


def _rename_child(element: Element, old: str, new: str) -> None:
    child = element.child(old)
    if child:
        child.tag = new


def _set_text(element: Element, tag: str, text: str) -> None:
    """Give the element a child of this tag and text, unless it has one already."""
    if element.child(tag) is None:
        element.append(Element(tag, text))


def _rename_classes(model: Element) -> None:
    for element in model.walk():
        element.tag = _RENAMED.get(element.tag, element.tag)
    forces = _objects(model, "ForceSet")
    for force in forces.children if forces else ():
        force.tag = _RENAMED_FORCES.get(force.tag, force.tag)


def _actuators_10905(model: Element) -> None:
    """Forces and torques named their bodies and directions the other way round."""
    for force in _with_tags(model, ("PointActuator",)):
        for old, new in (("body_B", "body"), ("point_B", "point"), ("direction_A", "direction")):
            _rename_child(force, old, new)
        _negate(force, "direction", "1 0 0")
        _set_text(force, "force_is_global", "true")
    for torque in _with_tags(model, ("TorqueActuator",)):
        for old, new in (("body_A", "bodyB"), ("body_B", "bodyA"), ("direction_A", "axis")):
            _rename_child(torque, old, new)
        _negate(torque, "axis", "0 0 1")


def _negate(element: Element, tag: str, default: str) -> None:
    _set_text(element, tag, default)
    direction = element.child(tag)
    if direction:
        direction.text = " ".join(str(-value) for value in numbers(direction, 3))


def _muscles_20302(model: Element) -> None:
    for muscle in model.walk():
        if not muscle.tag.endswith(("Muscle", "Muscle_Deprecated")):
            continue
        _rename_child(muscle, "pennation_angle", "pennation_angle_at_optimal")
        # Before 2.0 the points hung on the muscle itself.
        if muscle.child("GeometryPath") is None:
            path = Element("GeometryPath")
            for tag in ("PathPointSet", "PathWrapSet"):
                part = muscle.child(tag)
                if part:
                    muscle.remove(part)
                    path.append(part)
            if path.children:
                muscle.append(path)
    for point in _with_tags(model, ("ConditionalPathPoint",)):
        if point.child("coordinate") is None:
            _rename_child(point, "coordinates", "coordinate")


def _moving_points_30000(model: Element) -> None:
    for point in _with_tags(model, ("MovingPathPoint",)):
        for axis in "xyz":
            _rename_child(point, f"{axis.upper()}Attachment", f"{axis}_location")


def _bodies_30500(model: Element) -> None:
    """Names lose their white space, six inertia numbers become one property."""
    for element in model.walk():
        if element.parent is None or element.parent.tag in ("objects", "Joint"):
            element.name = "".join(element.name.split())
    for body in _with_tags(model, ("Body",)):
        values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
        for i, suffix in enumerate(_INERTIA):
            part = body.child(f"inertia_{suffix}")
            if part:
                values[i] = number(part)
        body.append(Element("inertia", _six_digits(values)))


def _six_digits(values: Iterable[float]) -> str:
    # OpenSim's upgrade prints these numbers through a C++ stream of default precision, so the
    # model it simulates really has them rounded.
    return " ".join(f"{value:.6g}" for value in values)


def _sockets_30517(model: Element) -> None:
    """Three spellings of a reference to another component become `socket_<name>`."""
    for element in model.walk():
        connectors = element.child("connectors")
        if connectors:
            element.remove(connectors)
            for connector in connectors.children:
                connectee = connector.child("connectee_name")
                text = connectee.text if connectee else ""
                element.append(Element(f"socket_{connector.name}", text))
        for child in element.children:
            if child.tag.startswith(("connector_", "socket_")):
                child.tag = "socket_" + child.tag.split("_", 1)[1].removesuffix("_connectee_name")


def _joints_and_markers_30501(model: Element) -> None:
    """Bodies gave up their joints, which moved to a set of their own."""
    bodies = _objects(model, "BodySet")
    if bodies is None:
        return
    joint_set = model.append(Element("JointSet"))
    joints = joint_set.append(Element("objects"))
    ground = next((b for b in bodies.children if b.tag == "Body" and b.name == "ground"), None)
    if ground:
        bodies.remove(ground)
        new_ground = model.append(Element("Ground", name="ground"))
        wrap_objects = ground.child("WrapObjectSet")
        if wrap_objects:
            ground.remove(wrap_objects)
            new_ground.append(wrap_objects)
    for body in _with_tags(bodies, ("Body",)):
        holder = body.child("Joint")
        if holder is None or not holder.children:
            continue
        body.remove(holder)
        joint = joints.append(holder.children[0])
        parent = joint.child("parent_body")
        if parent is None:
            raise joint.error("expected a parent_body")
        _set_text(joint, "socket_parent_frame", parent.text.strip())
        _set_text(joint, "socket_child_frame", body.name)
    for marker in _with_tags(model, ("Marker",)):
        _connect_to_body(marker, "body", "socket_parent_frame")


def _connect_to_body(element: Element, old: str, socket: str) -> None:
    child = element.child(old)
    if child:
        _set_text(element, socket, _body_path(child.text.strip()))


def _body_path(name: str) -> str:
    return "/ground" if name == "ground" else f"/bodyset/{name}"


def _frames_30505(model: Element) -> None:
    """Joint offsets became frames; points and geometry refer to frames instead of bodies."""
    for joint in _joints(model):
        _add_offset_frames(joint)
    for point in _with_tags(model, _PATH_POINTS):
        _connect_to_body(point, "body", "socket_parent_frame")
        for tag in ("coordinate", "x_coordinate", "y_coordinate", "z_coordinate"):
            _rename_child(point, tag, f"socket_{tag}")
    for constraint in _with_tags(model, _PAIRS):
        for tag in ("body_1", "body_2", "line_body", "follower_body"):
            _connect_to_body(constraint, tag, f"socket_{tag}")
    for constraint in _with_tags(model, ("WeldConstraint",)):
        _add_linked_frames(constraint)
    for geometry in model.walk():
        if geometry.tag.startswith("Contact"):
            _connect_to_body(geometry, "body_name", "socket_frame")


def _point_springs_30500(model: Element) -> None:
    for spring in _with_tags(model, ("PointToPointSpring",)):
        for tag in ("body1", "body2"):
            _connect_to_body(spring, tag, f"socket_{tag}")


def _bushings_30505(model: Element) -> None:
    """Bodies, and places on them, became frames."""
    for bushing in (e for e in model.walk() if e.tag.endswith("BushingForce")):
        for side in ("1", "2"):
            body = bushing.child(f"body_{side}")
            if body is None:
                continue
            name = body.text.strip()
            pose = [_offset(bushing, f"{part}_body_{side}") for part in ("location", "orientation")]
            socket = _body_path(name)
            if any(any(values) for values in pose):
                frames = bushing.child("frames") or bushing.append(Element("frames"))
                frame = _offset_frame(frames, name, *pose)
                socket = frame.name
            _set_text(bushing, f"socket_frame{side}", socket)


def _offset_frame(
    frames: Element, body: str, translation: Iterable[float], orientation: Iterable[float]
) -> Element:
    """A new frame `<body>_offset` in a list of frames."""
    frame = frames.append(Element("PhysicalOffsetFrame", name=f"{body}_offset"))
    frame.append(Element("socket_parent", _body_path(body)))
    frame.append(Element("translation", _six_digits(translation)))
    frame.append(Element("orientation", _six_digits(orientation)))
    return frame


def _add_offset_frames(joint: Element) -> None:
    _rename_child(joint, "location_in_child", "location")
    _rename_child(joint, "orientation_in_child", "orientation")
    values = [_offset(joint, tag) for tag in _OFFSETS]
    frames = joint.child("frames") or joint.append(Element("frames"))
    for side, translation, orientation in (
        ("parent", *values[:2]),
        ("child", *values[2:]),
    ):
        _rename_child(joint, f"socket_{side}_body", f"socket_{side}_frame")
        socket = joint.child(f"socket_{side}_frame")
        if socket is None:
            continue  # a default joint belongs to no bodies
        body = socket.text.strip().rsplit("/", 1)[-1]
        socket.text = _offset_frame(frames, body, translation, orientation).name


def _add_linked_frames(linker: Element) -> None:
    """The two bodies of a linker, with a pose in each, became frames."""
    for side in ("1", "2"):
        body = linker.child(f"body_{side}")
        if body is None:
            continue
        name = body.text.strip()
        pose = [_offset(linker, f"{part}_body_{side}") for part in ("location", "orientation")]
        if not any(map(any, pose)):
            _set_text(linker, f"socket_frame{side}", _body_path(name))
            continue
        frames = linker.child("frames") or linker.append(Element("frames"))
        frame = frames.append(Element("PhysicalOffsetFrame", name=f"{name}_offset"))
        frame.append(Element("socket_parent", _body_path(name)))
        for tag, values in zip(("translation", "orientation"), pose, strict=True):
            frame.append(Element(tag, _six_digits(values)))
        _set_text(linker, f"socket_frame{side}", frame.name)


def _offset(joint: Element, tag: str) -> tuple[float, ...]:
    element = joint.child(tag)
    return numbers(element, 3) if element else (0.0, 0.0, 0.0)


def _prescribed_forces_30506(model: Element) -> None:
    for force in _with_tags(model, ("PrescribedForce",)):
        _connect_to_body(force, "body", "socket_frame")


def _coordinates_30507(model: Element) -> None:
    for joint in _joints(model):
        old = joint.child("CoordinateSet")
        objects = old.child("objects") if old else None
        if objects and objects.children and joint.child("coordinates") is None:
            coordinates = joint.append(Element("coordinates"))
            for child in objects.children:
                if child.tag == "Coordinate":
                    coordinates.append(child)


def _flags_30509(model: Element) -> None:
    names = {"ConstraintSet": "isEnforced", "ControllerSet": "enabled", "ForceSet": "appliesForce"}
    for set_tag, flag in names.items():
        for element in (_objects(model, set_tag) or Element("")).children:
            _negate_is_disabled(element, flag)
    for element in (model.child("defaults") or Element("")).children:
        kind = next((k for k in ("Constraint", "Controller") if element.tag.endswith(k)), "Force")
        _negate_is_disabled(element, names[kind + "Set"])


def _negate_is_disabled(element: Element, flag: str) -> None:
    old = element.child("isDisabled")
    if old:
        old.tag, old.text = flag, "false" if boolean(old) else "true"


def _frame_set_30512(model: Element) -> None:
    frames = _objects(model, "FrameSet")
    if frames:
        components = model.child("components") or model.append(Element("components"))
        for frame in frames.children:
            components.append(frame)


def _controls_30513(model: Element) -> None:
    """A bound of 0 or 1 was written by habit; without it the muscle's own default holds."""
    for muscle in _with_tags(model, _MUSCLES):
        for tag, habit in (("min_control", 0.0), ("max_control", 1.0)):
            bound = muscle.child(tag)
            if bound and abs(numbers(bound, 1, allow_infinite=True)[0] - habit) < _SAME:
                muscle.remove(bound)


def _reversed_joints_30514(model: Element) -> None:
    """A reversed joint is one whose frames have exchanged their roles."""
    for joint in _joints(model):
        flag = joint.child("reverse")
        parent, child = joint.child("socket_parent_frame"), joint.child("socket_child_frame")
        if flag and parent and child and boolean(flag):
            parent.text, child.text = child.text, parent.text


def _paths_40500(model: Element) -> None:
    for path in _with_tags(model, ("GeometryPath",)):
        path.name = "path"
