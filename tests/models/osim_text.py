"""Small `.osim` texts for the tests of the reader."""


def document(model, version=40600):
    """A whole file around the inside of a Model."""
    return f'<OpenSimDocument Version="{version}"><Model name="m">{model}</Model></OpenSimDocument>'


def members(tag, *objects):
    """A set with its members."""
    return f"<{tag}><objects>{''.join(objects)}</objects><groups/></{tag}>"


def leaves(values):
    """One element per item of a dict; None leaves it out."""
    return "".join(f"<{tag}>{text}</{tag}>" for tag, text in values.items() if text is not None)


def element(tag, name, inside="", **values):
    """An element with a name, leaf elements and more inside."""
    return f'<{tag} name="{name}">{leaves(values)}{inside}</{tag}>'


def body(name, mass="1", **values):
    """A Body with inertia."""
    values = {"mass": mass, "mass_center": "0 0 0", "inertia": "1 1 1 0 0 0"} | values
    return element("Body", name, **values)


def joint(kind, name, parent, child, inside=""):
    """A joint between two frames."""
    sockets = {"socket_parent_frame": parent, "socket_child_frame": child}
    return element(kind, name, inside, **sockets)


def coordinates(*names, **values):
    """A list of coordinates that all have the same properties."""
    return (
        f"<coordinates>{''.join(element('Coordinate', n, **values) for n in names)}</coordinates>"
    )


def pin(name="j", parent="/ground", child="/bodyset/a", coordinate="q", **values):
    """A PinJoint with one named coordinate."""
    return joint("PinJoint", name, parent, child, coordinates(coordinate, **values))


def offset(name, parent, translation="0 0 0", orientation="0 0 0", inside=""):
    """A PhysicalOffsetFrame."""
    values = {"socket_parent": parent, "translation": translation, "orientation": orientation}
    return element("PhysicalOffsetFrame", name, inside, **values)


def axis(name, coordinates="", direction=None, function=""):
    """A TransformAxis."""
    values = {"coordinates": coordinates, "axis": direction}
    return element("TransformAxis", name, function, **values)


def linear(coefficients="1 0"):
    """A LinearFunction in a property `function`."""
    return element("LinearFunction", "function", coefficients=coefficients)


def custom(transform, inside="", name="j", child="/bodyset/a"):
    """A CustomJoint on ground."""
    transform = f"<SpatialTransform>{transform}</SpatialTransform>"
    return joint("CustomJoint", name, "/ground", child, transform + inside)


def point(name, frame="/ground", kind="PathPoint", inside="", **values):
    """A path point."""
    values = {"socket_parent_frame": frame, "location": "0 0 0"} | values
    return element(kind, name, inside, **values)


def muscle(name="m1", points=None, wraps="", kind="Thelen2003Muscle", **values):
    """A muscle with its path, by default from ground to body a."""
    points = point("p1") + point("p2", "/bodyset/a") if points is None else points
    path = element("GeometryPath", "path", members("PathPointSet", points) + wraps)
    return element(kind, name, path, **values)


def model(*forces, bodies=None, joints=None, rest="", version=40600):
    """A pendulum of body a on a pin q, and whatever else is asked for."""
    return document(
        members("BodySet", body("a") if bodies is None else bodies)
        + members("JointSet", pin() if joints is None else joints)
        + members("ForceSet", *forces)
        + rest,
        version,
    )


def frames(*inside):
    """The frames that a component owns."""
    return f"<frames>{''.join(inside)}</frames>"


SPHERE = element("ContactSphere", "s", socket_frame="/bodyset/a", location="1 2 3", radius="0.1")
PLANE = element("ContactHalfSpace", "p", socket_frame="/ground", orientation="0 0 -1.57")
SHAPES = members("ContactGeometrySet", SPHERE, PLANE)


def contact(geometry="s p", stiffness="5", name="h", **values):
    """A HuntCrossleyForce of one material."""
    material = element(
        "HuntCrossleyForce::ContactParameters",
        "",
        geometry=geometry,
        stiffness=stiffness,
        dissipation="1",
        static_friction="0.8",
    )
    tag = "HuntCrossleyForce::ContactParametersSet"
    named = members(tag, material).replace(f"<{tag}>", f'<{tag} name="contact_parameters">', 1)
    return element("HuntCrossleyForce", name, named, **values)
