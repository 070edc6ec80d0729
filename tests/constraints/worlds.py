"""Worlds with constraints: one with every class, and a small closed linkage."""

from tests.models import osim_text as osim


def function(tag, **values):
    """The function of a coupler."""
    inside = f"<{tag}>{osim.leaves(values)}</{tag}>"
    return f"<coupled_coordinates_function>{inside}</coupled_coordinates_function>"


def coupler(name, independent, dependent, inside, **values):
    """A CoordinateCouplerConstraint."""
    return osim.element(
        "CoordinateCouplerConstraint",
        name,
        inside,
        independent_coordinate_names=independent,
        dependent_coordinate_name=dependent,
        **values,
    )


def coinciding(name, body_1, location_1, body_2, location_2, **values):
    """A PointConstraint."""
    return osim.element(
        "PointConstraint",
        name,
        socket_body_1=body_1,
        socket_body_2=body_2,
        location_body_1=location_1,
        location_body_2=location_2,
        **values,
    )


ROD = osim.element(
    "ConstantDistanceConstraint",
    "rod",
    socket_body_1="/ground",
    socket_body_2="/bodyset/c",
    location_body_1="0.3 -0.5 0.1",
    location_body_2="0 -0.2 0.1",
    constant_distance="0.3",
)
LINE = osim.element(
    "PointOnLineConstraint",
    "line",
    socket_line_body="/bodyset/a",
    socket_follower_body="/bodyset/d",
    point_on_line="0.1 0.1 0",
    point_on_follower="0 -0.2 0.1",
    line_direction_vec="1 2 -0.5",
)
WELD = osim.element(
    "WeldConstraint",
    "weld",
    osim.frames(
        osim.offset("g", "/ground", "0.2 -0.1 0.1", "0.1 0.2 0.3"),
        osim.offset("h", "/bodyset/f", "0.1 -0.1 0.1", "0.2 0.1 -0.3"),
    ),
    socket_frame1="g",
    socket_frame2="h",
)
POINT = coinciding("point", "/ground", "0.2 -0.5 0", "/bodyset/b", "0 -0.2 0.1")
SPLINE = function("SimmSpline", x="-2 -0.5 0.3 1 2", y="0.4 0.1 0.2 -0.1 0.3")
SUM = function("LinearFunction", coefficients="0.5 -0.3 0.1")
PRESCRIBED = osim.element(
    "Coordinate",
    "dx",
    "<prescribed_function><PolynomialFunction>"
    "<coefficients>0.7 -0.2 0.3</coefficients></PolynomialFunction></prescribed_function>",
    prescribed="true",
)


def everything():
    """Every class of constraints on 22 coordinates; one PointConstraint twice, as redundant."""
    bodies = "".join(
        osim.body(name, mass, inertia="0.3 0.2 0.4 0.01 0.02 0", mass_center=center)
        for name, mass, center in (
            ("a", "1", "0.1 -0.2 0.05"),
            ("b", "2", "0 -0.2 0.1"),
            ("c", "1.5", "0.1 0 0"),
            ("d", "1", "0 0.1 0"),
            ("e", "0.5", "0.1 0 0"),
            ("f", "1.2", "0 0.1 0.1"),
        )
    )
    planar = "<coordinates>" + osim.element("Coordinate", "dr") + PRESCRIBED
    planar += osim.element("Coordinate", "dy") + "</coordinates>"
    joints = (
        osim.joint(
            "FreeJoint",
            "free",
            "/ground",
            "/bodyset/a",
            osim.coordinates("rx", "ry", "rz", "tx", "ty", "tz"),
        )
        + osim.joint(
            "UniversalJoint",
            "two",
            "fa",
            "/bodyset/b",
            osim.coordinates("p", "r") + osim.frames(osim.offset("fa", "/bodyset/a", "0.1 -0.4 0")),
        )
        + osim.joint(
            "BallJoint",
            "ball",
            "fb",
            "/bodyset/c",
            osim.coordinates("x", "y", "z")
            + osim.frames(osim.offset("fb", "/bodyset/b", "0 -0.3 0.1")),
        )
        + osim.joint("PlanarJoint", "planar", "/ground", "/bodyset/d", planar)
        + osim.pin("pin", "/bodyset/d", "/bodyset/e", "eq")
        + osim.joint(
            "FreeJoint",
            "held",
            "/bodyset/e",
            "/bodyset/f",
            osim.coordinates("fx", "fy", "fz", "sx", "sy", "sz"),
        )
    )
    constraints = (
        POINT,
        coinciding("again", "/ground", "0.2 -0.5 0", "/bodyset/b", "0 -0.2 0.1"),
        coinciding("off", "/ground", "1 2 3", "/bodyset/f", "0 0 0", isEnforced="false"),
        ROD,
        LINE,
        WELD,
        coupler("sum", "dr dx", "eq", SUM, scale_factor="0.8"),
    )
    return osim.model(
        bodies=bodies, joints=joints, rest=osim.members("ConstraintSet", *constraints)
    )


def linkage():
    """A four-bar linkage in a plane, so that one of its three equations is empty, and a slider.

    A muscle pulls on the slider, which a spline couples to the first bar.
    """
    bodies = osim.body("a", mass_center="0.2 0 0", inertia="0.1 0.1 0.1 0 0 0")
    bodies += osim.body("b", mass_center="0.3 0 0", inertia="0.1 0.1 0.1 0 0 0")
    bodies += osim.body("c", mass_center="0.1 0 0", inertia="0.1 0.1 0.1 0 0 0")
    bodies += osim.body("s", "0.3", inertia="0.01 0.01 0.01 0 0 0")
    joints = osim.pin("j1", "/ground", "/bodyset/a", "qa", default_value="1.2")
    joints += osim.joint(
        "PinJoint",
        "j2",
        "end",
        "/bodyset/b",
        osim.coordinates("qb", default_value="-1.1", is_free_to_satisfy_constraints="true")
        + osim.frames(osim.offset("end", "/bodyset/a", "0.4 0 0")),
    )
    joints += osim.joint(
        "PinJoint",
        "j3",
        "post",
        "/bodyset/c",
        osim.coordinates("qc", default_value="1.3", is_free_to_satisfy_constraints="true")
        + osim.frames(osim.offset("post", "/ground", "0.7 0 0")),
    )
    joints += osim.joint("SliderJoint", "j4", "/bodyset/a", "/bodyset/s", osim.coordinates("qs"))
    muscle = osim.muscle(
        points=osim.point("m1", location="0.1 0.5 0")
        + osim.point("m2", "/bodyset/s", location="0.05 0.1 0"),
        optimal_fiber_length="0.25",
        tendon_slack_length="0.2",
        max_isometric_force="30",
    )
    closed = coinciding("closed", "/bodyset/b", "0.6 0 0", "/bodyset/c", "0.35 0 0")
    slider = coupler("slider", "qa", "qs", SPLINE)
    return osim.model(
        muscle,
        bodies=bodies,
        joints=joints,
        rest=osim.members("ConstraintSet", closed, slider),
    )


EVERYTHING, LINKAGE = everything(), linkage()
