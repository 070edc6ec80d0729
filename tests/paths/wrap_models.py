"""Small models whose paths wrap over objects of every class, position and quadrant."""

from tests.models import osim_text as osim

QUADRANTS = ("all", "x", "-x", "+y", "-Y", "z", "-z")


def wrap_object(kind, name, **values):
    """A wrap object."""
    return osim.element(kind, name, **values)


def wraps(*names, ranges=None, **values):
    """The PathWrapSet of a path; values are of each wrap."""
    ranges = ranges or [None] * len(names)
    found = [
        osim.element("PathWrap", f"w{i}", **{"wrap_object": name, "range": between, **values})
        for i, (name, between) in enumerate(zip(names, ranges, strict=True))
    ]
    return osim.members("PathWrapSet", *found)


def body(name, *objects):
    """A body with wrap objects."""
    return osim.element(
        "Body",
        name,
        osim.members("WrapObjectSet", *objects),
        mass="1",
        mass_center="0.02 -0.2 0.01",
        inertia="0.1 0.1 0.1 0 0 0",
    )


def arm(forces, on_ground=(), on_a=(), on_b=(), on_c=()):
    """Body a on a GimbalJoint, b on a UniversalJoint on it, c welded to b."""
    joints = (
        osim.joint("GimbalJoint", "j1", "/ground", "/bodyset/a", osim.coordinates("q1", "q2", "q3"))
        + osim.joint(
            "UniversalJoint",
            "j2",
            "elbow",
            "/bodyset/b",
            osim.coordinates("q4", "q5")
            + osim.frames(osim.offset("elbow", "/bodyset/a", "0 -0.3 0")),
        )
        + osim.joint(
            "WeldJoint",
            "j3",
            "tip",
            "/bodyset/c",
            osim.frames(osim.offset("tip", "/bodyset/b", "0.02 -0.1 0.01", "0.3 -0.2 0.5")),
        )
    )
    ground = osim.element("Ground", "ground", osim.members("WrapObjectSet", *on_ground))
    return osim.model(
        *forces,
        bodies=body("a", *on_a) + body("b", *on_b) + body("c", *on_c),
        joints=joints,
        rest=ground,
    )


def points(first="0.05 0.12 0.03", second="0.03 -0.25 0.02", frame="/bodyset/a", middle=""):
    """A path from ground to a body."""
    return (
        osim.point("p1", "/ground", location=first)
        + middle
        + osim.point("p2", frame, location=second)
    )


SIZES = {
    "WrapCylinder": {"radius": "0.04", "length": "0.3"},
    "WrapEllipsoid": {"dimensions": "0.05 0.03 0.07", "xyz_body_rotation": "0.3 0.2 -0.5"},
    "WrapSphere": {"radius": "0.045"},
    "WrapTorus": {"inner_radius": "0.02", "outer_radius": "0.05"},
}
# The axial method starts from one of two points by the sign of a coordinate that is 0 but for
# rounding, where the quadrant is along that coordinate. So it has no quadrant here.
METHODS = {
    "WrapEllipsoid": [
        *(("hybrid", quadrant) for quadrant in QUADRANTS),
        *(("midpoint", quadrant) for quadrant in QUADRANTS),
        ("axial", "all"),
    ]
}


def cases(kind):
    """Every method and quadrant of a class."""
    return METHODS.get(kind, [(None, quadrant) for quadrant in QUADRANTS])


def on_ground(kind):
    """Muscles over one object each on ground, with every quadrant."""
    forces, objects = [], []
    for i, (method, quadrant) in enumerate(cases(kind)):
        objects.append(wrap_object(kind, f"{kind}{i}", quadrant=quadrant, **SIZES[kind]))
        over = wraps(f"{kind}{i}", method=method)
        forces.append(osim.muscle(f"{kind}_{i}", points(), over))
    return forces, objects


def on_bodies(kind):
    """Muscles over one object each on a body, with every quadrant, and on one that is welded."""
    place = {"translation": "0.03 -0.27 0.02", "xyz_body_rotation": "0.4 -0.3 0.7"}
    on_a = [
        wrap_object(kind, f"a{i}", quadrant=quadrant, **(SIZES[kind] | place))
        for i, (_, quadrant) in enumerate(cases(kind))
    ]
    on_c = [wrap_object(kind, "c0", translation="0.01 0.08 0", **SIZES[kind])]
    ends = ("0.05 0.12 0.03", "0.02 -0.18 0.04")
    forces = [
        osim.muscle(f"a_{i}", points(*ends, "/bodyset/b"), wraps(f"a{i}", method=method))
        for i, (method, _) in enumerate(cases(kind))
    ]
    along = osim.point("m1", "/bodyset/a", location="0.03 -0.15 0.01")
    forces += [
        osim.muscle("welded", points(*ends, "/bodyset/c", along), wraps("c0")),
        osim.muscle("range", points(*ends, "/bodyset/c", along), wraps("a0", range="2 3")),
    ]
    return arm(forces, (), on_a, (), on_c)


def alone(*kinds):
    """One wrap for each path, on ground."""
    found = [on_ground(kind) for kind in kinds]
    forces, objects = (sum(parts, []) for parts in zip(*found, strict=True))
    return arm(forces, objects)


def slender(quadrant="all"):
    """A path that grazes an ellipsoid so slender that its nearest points are hard to tell."""
    size = "0.002 0.007 0.08"
    thin = wrap_object("WrapEllipsoid", "thin", dimensions=size, quadrant=quadrant)
    ends = points("-0.076 -0.105 -0.056", "0.005 -0.0007 -0.005")
    return arm([osim.muscle("m", ends, wraps("thin", method="hybrid"))], [thin])


def several(first, second):
    """Paths over two and three objects, some inactive, with conditional and moving points."""
    size = SIZES
    top = [wrap_object(first, "top", translation="0.01 0.02 0", **size[first])]
    on_a = [
        wrap_object(second, "middle", translation="0.02 -0.28 0.02", **size[second]),
        wrap_object(first, "limited", translation="0.02 -0.12 0", quadrant="x", **size[first]),
        wrap_object(second, "off", active="false", **size[second]),
    ]
    ends = ("0.05 0.12 0.03", "0.02 -0.18 0.04", "/bodyset/c")
    via = osim.point(
        "via",
        "/bodyset/a",
        "ConditionalPathPoint",
        location="0.06 -0.1 0.01",
        socket_coordinate="/jointset/j1/q3",
        range="-0.5 0.6",
    )
    moving = osim.point(
        "moving",
        "/bodyset/a",
        "MovingPathPoint",
        "".join(
            f"<{axis}_location><LinearFunction><coefficients>{slope} {constant}</coefficients>"
            f"</LinearFunction></{axis}_location>"
            for axis, slope, constant in (("x", 0.02, 0.06), ("y", -0.01, -0.2), ("z", 0, 0.01))
        ),
        location=None,
        **{f"socket_{axis}_coordinate": "/jointset/j2/q4" for axis in "xyz"},
    )
    forces = [
        osim.muscle("two", points(*ends), wraps("top", "middle")),
        osim.muscle("reversed", points(*ends), wraps("middle", "top")),
        osim.muscle("three", points(*ends), wraps("top", "limited", "middle")),
        osim.muscle("inactive", points(*ends), wraps("top", "off")),
        osim.muscle("all_off", points(*ends), wraps("off")),
        osim.muscle("conditional", points(*ends, middle=via), wraps("top", "middle")),
        osim.muscle("conditional_one", points(*ends, middle=via), wraps("middle")),
        osim.muscle("moving", points(*ends, middle=moving), wraps("limited", "middle")),
        osim.muscle("moving_one", points(*ends, middle=moving), wraps("middle")),
        osim.muscle(
            "twice", points(*ends, middle=via), wraps("middle", "middle", ranges=("1 2", "2 3"))
        ),
        osim.muscle("tl", points(*ends), wraps("top", "limited")),
        osim.muscle("lm", points(*ends), wraps("limited", "middle")),
    ]
    return arm(forces, top, on_a)


MODELS = {
    "alone": alone("WrapCylinder", "WrapSphere"),
    "alone, by search": alone("WrapEllipsoid", "WrapTorus"),
    "several": several("WrapCylinder", "WrapSphere"),
    "several, by search": several("WrapEllipsoid", "WrapTorus"),
}
MORE_MODELS = {
    "cylinders": on_bodies("WrapCylinder"),
    "ellipsoids": on_bodies("WrapEllipsoid"),
    "spheres": on_bodies("WrapSphere"),
    "tori": on_bodies("WrapTorus"),
    "several cylinders": several("WrapCylinder", "WrapCylinder"),
    "several ellipsoids": several("WrapEllipsoid", "WrapEllipsoid"),
    "several tori": several("WrapTorus", "WrapTorus"),
    "spheres first": several("WrapSphere", "WrapCylinder"),
    "tori first": several("WrapTorus", "WrapEllipsoid"),
    "cylinders and ellipsoids": several("WrapCylinder", "WrapEllipsoid"),
    "spheres and tori": several("WrapSphere", "WrapTorus"),
}
