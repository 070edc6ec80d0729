"""Element tree to spec: what is read, and that OpenSim reads the same."""

import math

import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.forces import coordinate_limit_force, hunt_crossley_force, spring_generalized_force
from jaxosim.models import spec as specs
from jaxosim.models.osim.reader import parse_model
from jaxosim.models.spec import ConstantSpec, CoordinateSpec, FrameSpec, LinearFunctionSpec
from jaxosim.muscles import thelen2003
from jaxosim.paths import read as paths
from tests import hopper_model
from tests.models.live import assert_same_bodies, assert_same_joints
from tests.models.osim_text import (
    SHAPES,
    axis,
    body,
    contact,
    coordinates,
    custom,
    document,
    element,
    frames,
    joint,
    linear,
    members,
    model,
    muscle,
    offset,
    pin,
    point,
)


def read(text):
    spec = parse_model(text.encode(), "test")
    assert spec.unsupported == ()
    return spec


# The model and its bodies


def test_smallest_model():
    spec = read(document(""))
    assert (spec.name, spec.source, spec.version) == ("m", "test", 40600)
    assert spec.gravity == (0, -9.80665, 0)
    assert spec.bodies == spec.joints == spec.forces == ()


def test_gravity_and_default_name():
    spec = read(
        "<OpenSimDocument Version='40600'><Model><gravity>1 2 3</gravity></Model></OpenSimDocument>"
    )
    assert (spec.name, spec.gravity) == ("model", (1, 2, 3))


def test_body():
    text = model(bodies=body("a", "2.5", mass_center="1 2 3", inertia="1 2 3 4 5 6"))
    assert read(text).bodies == (specs.BodySpec("a", 2.5, (1, 2, 3), (1, 2, 3, 4, 5, 6)),)


def test_massless_body_has_no_inertia():
    assert read(model(bodies=body("a", "0"))).bodies[0].inertia == (0,) * 6


def test_duplicate_names_are_numbered():
    bodies = body("a") + body("a") + body("b") + body("a") + body("a_0")
    joints = pin("back") + pin("back", "/ground", "/bodyset/b", "r")
    spec = read(model(bodies=bodies, joints=joints))
    assert [b.name for b in spec.bodies] == ["a", "a_0", "b", "a_1", "a_0_0"]
    assert [j.name for j in spec.joints][:2] == ["back", "back_0"]


def test_nameless_components_are_called_after_their_class():
    assert read(model(bodies=body("a") + body(""))).bodies[1].name == "body"


# Joints

COUNTS = {
    "WeldJoint": 0,
    "PinJoint": 1,
    "SliderJoint": 1,
    "UniversalJoint": 2,
    "GimbalJoint": 3,
    "BallJoint": 3,
    "PlanarJoint": 3,
    "FreeJoint": 6,
}


@pytest.mark.parametrize("kind", COUNTS)
def test_joints_with_default_coordinates(kind):
    (spec,) = read(model(joints=joint(kind, "j", "/ground", "/bodyset/a"))).joints
    names = [f"_coord_{i}" for i in range(COUNTS[kind])]
    assert (spec.kind, spec.name, [c.name for c in spec.coordinates]) == (kind, "j", names)
    assert (spec.parent, spec.child, spec.transform) == (FrameSpec("ground"), FrameSpec("a"), None)


def test_coordinate():
    values = {
        "default_value": "1",
        "default_speed_value": "2",
        "range": "-3 Inf",
        "clamped": "TRUE",
        "locked": "1",
    }
    (spec,) = read(model(joints=pin(**values))).joints
    assert spec.coordinates == (CoordinateSpec("q", 1, 2, (-3, math.inf), True, True),)


def test_coordinate_defaults():
    assert read(model()).joints[0].coordinates == (CoordinateSpec("q"),)


ROTATION = axis("rotation3", "b", "0 0 2", linear("-1 0.5"))
SHIFT = axis("translation2", "a", "0 1 0", linear())


def test_custom_joint_orders_coordinates_by_first_use():
    text = model(joints=custom(ROTATION + SHIFT, coordinates("a", "b", default_value="1")))
    (spec,) = read(text).joints
    assert [c.name for c in spec.coordinates] == ["b", "a"]
    third, fifth = spec.transform[2], spec.transform[4]
    assert (third.axis, third.coordinates) == ((0, 0, 2), ("b",))
    assert third.function == LinearFunctionSpec((-1, 0.5))
    assert fifth.coordinates == ("a",)


def test_custom_joint_makes_up_what_is_missing():
    (spec,) = read(model(joints=custom(axis("rotation1", "b", "1 0 0", linear())))).joints
    assert spec.coordinates == (CoordinateSpec("b"),)
    assert [a.axis for a in spec.transform[1:]] == [
        (0, 1, 0),
        (0, 0, 1),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    assert {a.function for a in spec.transform[1:]} == {ConstantSpec(0.0)}


def test_axis_that_is_written_without_direction_is_x():
    text = custom(axis("rotation2", "b", None, linear()) + axis("rotation1", "", "0 1 0"))
    (spec,) = read(model(joints=text)).joints
    assert spec.transform[1].axis == (1, 0, 0)


KNOTS = {"x": "0 1 1 2", "y": "1 2 3 4"}
XY = ((0, 1, 1, 2), (1, 2, 3, 4))
FUNCTIONS = {
    "simm": (element("SimmSpline", "function", **KNOTS), specs.SimmSplineSpec(*XY)),
    "natural": (element("natCubicSpline", "function", **KNOTS), specs.SimmSplineSpec(*XY)),
    "piecewise": (
        element("PiecewiseLinearFunction", "function", **KNOTS),
        specs.PiecewiseLinearFunctionSpec(*XY),
    ),
    "polynomial": (
        element("PolynomialFunction", "function", coefficients="1 2 3"),
        specs.PolynomialFunctionSpec((1, 2, 3)),
    ),
    "polynomial default": (
        '<PolynomialFunction name="function"/>',
        specs.PolynomialFunctionSpec((1,)),
    ),
    "linear default": ('<LinearFunction name="function"/>', LinearFunctionSpec((1, 0))),
    "in a property": (
        "<function><LinearFunction><coefficients>2 0</coefficients></LinearFunction></function>",
        LinearFunctionSpec((2, 0)),
    ),
    "nameless": (
        "<LinearFunction><coefficients>2 0</coefficients></LinearFunction>",
        LinearFunctionSpec((2, 0)),
    ),
    "multiplier": (
        element(
            "MultiplierFunction",
            "function",
            f"<function>{linear('2 0')}</function>",
            scale="3",
        ),
        specs.MultiplierFunctionSpec(LinearFunctionSpec((2, 0)), 3),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    text, expected = FUNCTIONS[name]
    (spec,) = read(model(joints=custom(axis("rotation1", "b", "1 0 0", text)))).joints
    assert spec.transform[0].function == expected


@pytest.mark.parametrize("inside", ["<function/>", "<function></function>"])
def test_an_axis_with_an_empty_function_is_its_coordinate(inside):
    text = axis("rotation1", "b", "1 0 0", inside) + axis("rotation2", "", "0 1 0", inside)
    (spec,) = read(model(joints=custom(text))).joints
    assert spec.transform[0].function == LinearFunctionSpec((1, 0))
    assert spec.transform[1].function == ConstantSpec(0)


def test_an_axis_of_two_coordinates_with_an_empty_function_is_an_error():
    text = axis("rotation1", "b c", "1 0 0", "<function/>")
    with pytest.raises(OsimFormatError, match="function of 2 coordinates, found none"):
        read(model(joints=custom(text)))


@pytest.mark.opensim
def test_an_empty_function_moves_as_in_opensim(opensim):
    text = axis("rotation1", "b", "1 0 0", "<function/>") + axis(
        "translation1", "b", "1 0 0", linear("0.3 0")
    )
    world = model(joints=custom(text))
    structure, params = hopper_model.load(world)
    states = hopper_model.states_at(structure, params, np.array([[0.4]]), np.array([[1.3]]))
    hopper_model.assert_parity(world, states)


def test_a_linear_function_of_no_coordinate_is_its_first_coefficient():
    text = axis("rotation1", "b", "1 0 0", linear()) + axis(
        "translation2", "", "0 1 0", linear("3")
    )
    text += axis("translation3", "", "0 0 1", linear("0.3 0.7 0.2"))
    (spec,) = read(model(joints=custom(text))).joints
    assert [one.function for one in spec.transform[4:]] == [ConstantSpec(3), ConstantSpec(0.3)]


@pytest.mark.opensim
def test_a_linear_function_of_no_coordinate_is_opensims(opensim):
    text = axis("rotation1", "b", "1 0 0", linear())
    text += axis("rotation2", "", "0 1 0", linear("0.3 0.7"))
    text += axis("translation1", "", "1 0 0", linear("0.25 0.5 1"))
    world = model(joints=custom(text))
    structure, params = hopper_model.load(world)
    states = hopper_model.states_at(structure, params, np.array([[0.4]]), np.array([[1.3]]))
    hopper_model.assert_parity(world, states)


def test_function_of_two_coordinates():
    text = custom(axis("rotation1", "b c", "1 0 0", linear("1 2 3")))
    (spec,) = read(model(joints=text)).joints
    assert [c.name for c in spec.coordinates] == ["b", "c"]


# Frames


def test_offset_frames_keep_their_numbers():
    text = joint(
        "WeldJoint",
        "j",
        "/ground",
        "o",
        frames(offset("o", "/bodyset/a", "1 2 3", "0.1 0.2 1.5707963267949")),
    )
    (spec,) = read(model(joints=text)).joints
    assert spec.child == FrameSpec("a", (1, 2, 3), (0.1, 0.2, 1.5707963267949))


def test_nested_frames_are_composed():
    inner = offset("inner", "../outer", "1 0 0", "0 0 0.3")
    outer = offset("outer", "/bodyset/a", "0 0 1", f"0 0 {math.pi / 2!r}")
    text = joint("WeldJoint", "j", "/ground", "inner", frames(inner, outer))
    (spec,) = read(model(joints=text)).joints
    assert spec.child.translation == pytest.approx((0, 1, 1), abs=1e-15)
    assert spec.child.orientation == pytest.approx((0, 0, math.pi / 2 + 0.3), abs=1e-15)


def test_composing_with_nothing_changes_nothing():
    plain = offset("plain", "/bodyset/a")
    inner = offset("inner", "../plain", "0.1 0.2 0.3", "0.1 0.2 0.3")
    last = offset("last", "../inner")
    text = joint("WeldJoint", "j", "/ground", "last", frames(last, inner, plain))
    (spec,) = read(model(joints=text)).joints
    assert spec.child == FrameSpec("a", (0.1, 0.2, 0.3), (0.1, 0.2, 0.3))


def test_frames_of_bodies_models_and_components():
    on_body = f"<components>{offset('f', '..', '1 0 0')}</components>"
    text = document(
        members("BodySet", element("Body", "a", on_body, mass="1"))
        + members("JointSet", pin(child="/bodyset/a/f"))
        + f"<components>{offset('g', '/bodyset/a/f', '1 0 0')}</components>"
        + members("MarkerSet", element("Marker", "k", socket_parent_frame="../../g"))
    )
    spec = read(text)
    assert spec.joints[0].child == FrameSpec("a", (1, 0, 0))
    assert spec.markers == (specs.MarkerSpec("k", "a", (2, 0, 0)),)


# The graph


def test_bodies_without_joint_float():
    spec = read(model(bodies=body("a") + body("b")))
    assert [j.name for j in spec.joints] == ["j", "free_b"]
    free = spec.joints[1]
    assert (free.kind, free.parent, free.child) == (
        "FreeJoint",
        FrameSpec("ground"),
        FrameSpec("b"),
    )
    assert [c.name for c in free.coordinates] == [f"free_b_coord_{i}" for i in range(6)]


def test_an_island_floats_by_its_root():
    bodies = body("a") + body("b") + body("c")
    joints = pin("j", "/bodyset/c", "/bodyset/b") + pin("k", "/bodyset/b", "/bodyset/a", "r")
    spec = read(model(bodies=bodies, joints=joints))
    assert [j.name for j in spec.joints] == ["j", "k", "free_c"]


CHAIN = pin("j", "/ground", "/bodyset/a") + pin("k", "/bodyset/a", "/bodyset/b", "r")


@pytest.mark.parametrize("bodies", ["abc", "cab", "aab", "abb"])
def test_a_body_that_floats_beside_a_chain_of_joints_is_refused(bodies):
    text = model(bodies="".join(map(body, bodies)), joints=CHAIN)
    with pytest.raises(OsimFormatError, match=r"Model\[m\]: expected a joint of body '[abc](_0)?'"):
        read(text)
    both = CHAIN + pin("l", "/ground", "/bodyset/c", "s")
    assert len(read(model(bodies="".join(map(body, "abc")), joints=both)).joints) == 3


@pytest.mark.opensim
def test_opensim_fails_at_a_body_beside_a_chain_by_a_frame(opensim):
    inside = coordinates("r") + frames(offset("f", "/bodyset/a", "0 1 0"))
    by_frame = joint("PinJoint", "k", "f", "/bodyset/b", inside)
    joints = pin("j", "/ground", "/bodyset/a") + by_frame
    text = model(bodies=body("a") + body("b") + body("c"), joints=joints)
    with pytest.raises(RuntimeError, match="MobilizedBodyIndex"):
        opensim.Model(str(hopper_model.path_of(text))).initSystem()
    with pytest.raises(OsimFormatError, match="expected a joint of body 'c'"):
        read(text)


def test_a_joint_written_away_from_ground_stays_so():
    (spec,) = read(model(joints=pin("j", "/bodyset/a", "/ground"))).joints
    assert (spec.parent.body, spec.child.body) == ("a", "ground")


# Forces


def test_muscle_defaults():
    (spec,) = read(model(muscle())).forces
    points = (
        paths.PathPointSpec("p1", "ground", (0, 0, 0)),
        paths.PathPointSpec("p2", "a", (0, 0, 0)),
    )
    assert spec == thelen2003.Spec("m1", paths.PathSpec(points))


def test_defaults_of_the_file():
    defaults = "<defaults>" + muscle("default", KshapeActive="0.5", Flen="1.8") + "</defaults>"
    first, second = read(model(muscle(), muscle("m2", Flen="1.5"), rest=defaults)).forces
    assert (first.kshape_active, first.flen) == (0.5, 1.8)
    assert (second.kshape_active, second.flen) == (0.5, 1.5)
    # The next file knows nothing of it.
    assert read(model(muscle())).forces[0].flen == 1.4


def test_path_points():
    at_q = {"socket_coordinate": "/jointset/j/q"}
    moving = "".join(f"<socket_{a}_coordinate>/jointset/j/q</socket_{a}_coordinate>" for a in "xyz")
    moving += "<x_location><LinearFunction/></x_location>"
    points = (
        point("p", "/bodyset/a", location="1 2 3")
        + point("c", kind="ConditionalPathPoint", range="-1 2", **at_q)
        + point("m", "/bodyset/a", "MovingPathPoint", moving, location=None)
    )
    (spec,) = read(model(muscle(points=points))).forces
    zero = ConstantSpec(0.0)
    along_x = (LinearFunctionSpec((1, 0)), zero, zero)
    assert spec.path.points == (
        paths.PathPointSpec("p", "a", (1, 2, 3)),
        paths.ConditionalPathPointSpec("c", "ground", (0, 0, 0), "q", (-1, 2)),
        paths.MovingPathPointSpec("m", FrameSpec("a"), along_x, "q"),
    )


def test_short_forms_of_functions_that_may_be_absent_are_passed_over_as_in_opensim():
    # Seen in OpenSim 4.6: findings/opensim_moving_path_point_named_function.sh
    moving = "".join(f"<socket_{a}_coordinate>/jointset/j/q</socket_{a}_coordinate>" for a in "xyz")
    moving += '<LinearFunction name="x_location"/><LinearFunction/>'
    text = model(muscle(points=point("p") + point("m", "/bodyset/a", "MovingPathPoint", moving)))
    (spec,) = read(text).forces
    assert spec.path.points[1].location == (ConstantSpec(0.0),) * 3


def test_points_on_frames_are_resolved_to_bodies():
    on_body = f"<components>{offset('f', '..', '1 0 0', f'0 0 {math.pi / 2!r}')}</components>"
    bodies = element("Body", "a", on_body, mass="1")
    points = point("p", "/bodyset/a/f", location="1 0 0") + point("r", "../../../../ground")
    first, second = read(model(muscle(points=points), bodies=bodies)).forces[0].path.points
    assert (first.body, second.body) == ("a", "ground")
    assert first.location == pytest.approx((1, 1, 0), abs=1e-15)


def test_coordinates_made_up_by_us_can_be_named():
    points = point("p") + point(
        "c", "/bodyset/a", "ConditionalPathPoint", range="0 1", socket_coordinate="/jointset/j/b"
    )
    joints = custom(axis("rotation1", "b", "1 0 0", linear()))
    (muscle_spec,) = read(model(muscle(points=points), joints=joints)).forces
    assert muscle_spec.path.points[1].coordinate == "b"


@pytest.mark.parametrize("geometry", ["s p", "/contactgeometryset/s contactgeometryset/p"])
def test_contact(geometry):
    spec = read(model(contact(geometry), rest=SHAPES))
    material = hunt_crossley_force.ContactParametersSpec(("s", "p"), 5, 1, 0.8, 0, 0)
    assert spec.forces == (hunt_crossley_force.Spec("h", (material,), 0.01),)
    assert spec.contact_geometry == (
        specs.ContactGeometrySpec("ContactSphere", "s", FrameSpec("a", (1, 2, 3)), 0.1),
        specs.ContactGeometrySpec(
            "ContactHalfSpace", "p", FrameSpec("ground", (0, 0, 0), (0, 0, -1.57))
        ),
    )


def test_limit_and_spring():
    limit = element(
        "CoordinateLimitForce", "l", coordinate="q", upper_limit="30", appliesForce="false"
    )
    spring = element("SpringGeneralizedForce", "s", coordinate="q", stiffness="2")
    assert read(model(limit, spring)).forces == (
        coordinate_limit_force.Spec("l", "q", upper_limit=30, applies_force=False),
        spring_generalized_force.Spec("s", "q", stiffness=2),
    )


# Against OpenSim

ISLAND = body("a") + body("b") + body("c") + body("d")
TEXTS = {
    "joint names": model(
        bodies=body("a") + body("b"), joints=pin() + pin("j", "/bodyset/a", "/bodyset/b", "r")
    ),
    "body names": model(bodies=body("a") + body("a") + body("") + body("a") + body("a_0")),
    "reordered": model(joints=custom(ROTATION + SHIFT, coordinates("a", "b"))),
    "made up": model(joints=custom(ROTATION + SHIFT)),
    "floating": model(bodies=ISLAND),
    "islands": model(
        bodies=ISLAND,
        joints=pin("j", "/bodyset/c", "/bodyset/b") + pin("k", "/bodyset/b", "/bodyset/a", "r"),
    ),
    "away from ground": model(joints=pin("j", "/bodyset/a", "/ground")),
    "two children": model(
        bodies=ISLAND,
        joints=pin("j", "/bodyset/a", "/bodyset/d")
        + pin("k", "/bodyset/b", "/bodyset/d", "r")
        + pin("l", "/bodyset/b", "/bodyset/c", "s"),
    ),
    "nested frames": model(
        joints=joint(
            "WeldJoint",
            "j",
            "/ground",
            "inner",
            frames(
                offset("inner", "../outer", "1 2 3", "0.1 0.2 0.3"),
                offset("outer", "/bodyset/a", "4 5 6", "0.4 0.5 0.6"),
            ),
        )
    ),
    "gimbal lock": model(
        joints=joint(
            "WeldJoint",
            "j",
            "/ground",
            "inner",
            frames(
                offset("inner", "../outer", "1 2 3", f"0 {math.pi / 2 - 0.5!r} 0.3"),
                offset("outer", "/bodyset/a", "4 5 6", "0.4 0.5 0"),
            ),
        )
    ),
    **{kind: model(joints=joint(kind, "j", "/ground", "/bodyset/a")) for kind in COUNTS},
}


@pytest.mark.opensim
@pytest.mark.parametrize("name", TEXTS)
def test_opensim_reads_the_same(name, opensim, tmp_path):
    path = tmp_path / "m.osim"
    path.write_text(TEXTS[name])
    live = opensim.Model(str(path))
    live.initSystem()
    ours = read(TEXTS[name])
    assert_same_bodies(ours, live)
    assert_same_joints(ours, live)
