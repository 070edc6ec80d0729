"""Older dialects say the same as the newest, rounding included, and as OpenSim understands them."""

import pytest

from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.forces import coordinate_actuator, point_actuator, torque_actuator
from jaxosim.models import spec as specs
from jaxosim.models.osim.reader import parse_model
from jaxosim.models.osim.upgrade import upgrade
from jaxosim.models.osim.xml import parse_document
from jaxosim.models.spec import FrameSpec, SimmSplineSpec
from jaxosim.paths import read as paths
from tests.models.live import assert_same_bodies, assert_same_joints
from tests.models.osim_text import coordinates, document, element, joint, members, pin, point

INERTIA = {"inertia_xx": "2", "inertia_yy": "3", "inertia_zz": "4"}


def old_joint(kind="PinJoint", name="j", parent="ground", inside="", coordinate="q", **values):
    """The <Joint> inside a body of the dialects up to 30500."""
    if coordinate:
        inside += members("CoordinateSet", element("Coordinate", coordinate))
    return f"<Joint>{element(kind, name, inside, parent_body=parent, **values)}</Joint>"


def old_body(name, inside="", mass="1", **values):
    return element("Body", name, inside, mass=mass, **(INERTIA | values))


def old_model(*bodies, forces="", rest="", version=30000):
    ground = old_body("ground", "<Joint/>", "0")
    sets = members("BodySet", ground, *bodies) + members("ForceSet", forces)
    return document(sets + rest, version)


def pendulum(forces="", rest="", version=30000, **values):
    return old_model(old_body("a", old_joint(**values)), forces=forces, rest=rest, version=version)


def old_points(*points):
    return members("PathPointSet", *points)


def old_muscle(points=None, **values):
    points = points or element("PathPoint", "p", body="ground") + element(
        "PathPoint", "q", body="a"
    )
    return element(
        "Thelen2003Muscle", "m", f"<GeometryPath>{old_points(points)}</GeometryPath>", **values
    )


def read(text):
    spec = parse_model(text.encode(), "test")
    assert spec.unsupported == ()
    return spec


# Bodies and joints


def test_bodies_give_up_their_joints():
    weld = old_joint("WeldJoint", "k", "a", coordinate=None)
    spec = read(old_model(old_body("a", old_joint()), old_body("b", weld)))
    assert [body.name for body in spec.bodies] == ["a", "b"]
    assert [(j.kind, j.name, j.parent.body, j.child.body) for j in spec.joints] == [
        ("PinJoint", "j", "ground", "a"),
        ("WeldJoint", "k", "a", "b"),
    ]
    assert [c.name for c in spec.joints[0].coordinates] == ["q"]


def test_offsets_pass_through_six_digits():
    spec = read(
        pendulum(
            location_in_parent="100000.123 .3333333333333 0",
            orientation_in_parent="0 0 1.5707963267949",
            location="1e-7 0.12345678 -0.12345678",
            orientation="-0.7853981633974 0 0",
        )
    )
    assert spec.joints[0].parent == FrameSpec("ground", (100000, 0.333333, 0), (0, 0, 1.5708))
    assert spec.joints[0].child == FrameSpec("a", (1e-7, 0.123457, -0.123457), (-0.785398, 0, 0))


def test_inertia_passes_through_six_digits_and_mass_does_not():
    values = {"mass": "1.23456789", "mass_center": "0 0.123456789 0", "inertia_xx": "0.123456789"}
    spec = read(old_model(old_body("a", old_joint(), **values)))
    body = spec.bodies[0]
    assert (body.mass, body.mass_center) == (1.23456789, (0, 0.123456789, 0))
    assert body.inertia == (0.123457, 3, 4, 0, 0, 0)


def test_inertia_that_is_not_written():
    spec = read(document(members("BodySet", element("Body", "a", old_joint(), mass="1")), 30000))
    assert spec.bodies[0].inertia == (1, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("version", [30000, 20303])
def test_reversed_joints_exchange_their_frames(version):
    spec = read(
        pendulum(location_in_parent="1 0 0", location="2 0 0", reverse="true", version=version)
    )
    assert spec.joints[0].parent == FrameSpec("a", (2, 0, 0))
    assert spec.joints[0].child == FrameSpec("ground", (1, 0, 0))


def test_empty_coordinate_set_gets_default_names():
    inside = "<CoordinateSet><objects/></CoordinateSet>"
    spec = read(pendulum(inside=inside, coordinate=None))
    assert [c.name for c in spec.joints[0].coordinates] == ["_coord_0"]


def test_names_lose_white_space():
    spec = read(pendulum(name="my joint", coordinate="my q"))
    assert spec.joints[0].name == "myjoint"
    assert spec.joints[0].coordinates[0].name == "myq"


def test_joints_need_a_parent_body():
    text = pendulum().replace("<parent_body>ground</parent_body>", "")
    with pytest.raises(OsimFormatError, match=r"PinJoint\[j\].*parent_body"):
        read(text)


# References, through three dialects of the way to 4.0


def connectors(**names):
    inside = "".join(
        f'<Connector_PhysicalFrame_ name="{name}"><connectee_name>{path}</connectee_name>'
        "</Connector_PhysicalFrame_>"
        for name, path in names.items()
    )
    return f"<connectors>{inside}</connectors>"


def named_sockets(prefix, suffix, **names):
    return "".join(f"<{prefix}_{n}{suffix}>{p}</{prefix}_{n}{suffix}>" for n, p in names.items())


BODY = element("Body", "a", mass="1", inertia="1 1 1 0 0 0")


def with_body(*joints):
    return document(members("BodySet", BODY) + members("JointSet", *joints))


@pytest.mark.parametrize(
    ("version", "sockets"),
    [
        (30505, connectors),
        (30508, lambda **names: named_sockets("connector", "_connectee_name", **names)),
        (30510, lambda **names: named_sockets("socket", "_connectee_name", **names)),
        (30517, lambda **names: named_sockets("socket", "", **names)),
    ],
)
def test_spellings_of_sockets(version, sockets):
    frame = element(
        "PhysicalOffsetFrame",
        "o",
        sockets(parent="../../../bodyset/a"),
        translation="1 2 3",
    )
    inside = sockets(parent_frame="../../ground", child_frame="o") + f"<frames>{frame}</frames>"
    text = document(
        members("BodySet", BODY) + members("JointSet", element("PinJoint", "j", inside))
    )
    spec = read(text.replace("40600", str(version)))
    assert spec.joints[0].parent == FrameSpec("ground")
    assert spec.joints[0].child == FrameSpec("a", (1, 2, 3))


def test_joints_with_offsets_and_connectors():
    inside = connectors(parent_body="../ground", child_body="../a")
    inside += "<location_in_child>1.23456789 0 0</location_in_child>"
    text = document(
        members("BodySet", BODY) + members("JointSet", element("PinJoint", "j", inside))
    )
    spec = read(text.replace("40600", "30503"))
    assert spec.joints[0].child == FrameSpec("a", (1.23457, 0, 0))


def test_markers_points_and_contact_geometry_name_bodies():
    rest = members("MarkerSet", element("Marker", "k", body="a", location="1 0 0"))
    rest += members(
        "ContactGeometrySet",
        element("ContactHalfSpace", "p", body_name="ground", orientation="0 0 -1.5707963267949"),
        element("ContactSphere", "s", body_name="a", radius="0.1"),
    )
    spec = read(pendulum(old_muscle(), rest))
    assert spec.markers == (specs.MarkerSpec("k", "a", (1, 0, 0)),)
    assert spec.contact_geometry == (
        specs.ContactGeometrySpec(
            "ContactHalfSpace", "p", FrameSpec("ground", (0, 0, 0), (0, 0, -1.5707963267949))
        ),
        specs.ContactGeometrySpec("ContactSphere", "s", FrameSpec("a"), 0.1),
    )
    assert [p.body for p in spec.forces[0].path.points] == ["ground", "a"]


# Forces


def test_disabled_becomes_not_applying_force():
    spec = read(pendulum(old_muscle(isDisabled="true")))
    assert spec.forces[0].applies_force is False
    assert read(pendulum(old_muscle(isDisabled="False"))).forces[0].applies_force is True


def test_disabled_constraints_and_controllers_are_inert():
    rest = members("ConstraintSet", element("WeldConstraint", "w", isDisabled="true"))
    rest += members("ControllerSet", element("ToyController", "c", isDisabled="true"))
    read(pendulum(rest=rest))


@pytest.mark.parametrize(
    ("version", "value", "expected"),
    [(30000, "0", 0.01), (30512, "1e-15", 0.01), (30000, "0.02", 0.02), (30513, "0.02", 0.02)],
)
@pytest.mark.parametrize("kind", ["Thelen2003Muscle", "Millard2012EquilibriumMuscle"])
def test_habitual_bounds_of_control_are_dropped(version, value, expected, kind):
    text = pendulum(old_muscle(min_control=value, max_control="1"), version=30000)
    if version > 30500:
        inside = point("p", "/bodyset/a") + point("q", "/ground")
        path = element("GeometryPath", "path", old_points(inside))
        force = element(kind, "m", path, min_control=value, max_control="1")
        sets = members("BodySet", BODY) + members("ForceSet", force)
        sets += members("JointSet", joint("PinJoint", "j", "/ground", "/bodyset/a"))
        text = document(sets, version)
    text = text.replace("Thelen2003Muscle", kind)
    assert read(text).forces[0].min_control == expected


def test_new_files_mean_what_they_say():
    force = element("Thelen2003Muscle", "m", "<GeometryPath/>", min_control="0")
    with pytest.raises(OsimFormatError):
        read(document(members("ForceSet", force)))


OLD_POINTS = (
    element("MusclePoint", "p", body="ground")
    + element("MuscleViaPoint", "v", body="a", coordinates="q", range="-1 1")
    + element(
        "MovingMusclePoint",
        "m",
        "<XAttachment><natCubicSpline><x>0 1</x><y>2 3</y></natCubicSpline></XAttachment>"
        "<YAttachment><NaturalCubicSpline><x>0 1</x><y>2 3</y></NaturalCubicSpline></YAttachment>",
        body="a",
        x_coordinate="q",
        y_coordinate="q",
        z_coordinate="q",
    )
)
OLD_MUSCLE_POINTS = members("MusclePointSet", OLD_POINTS)


def test_old_names_of_muscles_and_points():
    force = element("Thelen2003Muscle", "m", OLD_MUSCLE_POINTS, pennation_angle="0.25")
    (muscle,) = read(pendulum(force, version=20000)).forces
    first, second, third = muscle.path.points
    assert muscle.pennation_angle_at_optimal == 0.25
    assert first == paths.PathPointSpec("p", "ground", (0, 0, 0))
    assert second == paths.ConditionalPathPointSpec("v", "a", (0, 0, 0), "q", (-1, 1))
    spline = SimmSplineSpec((0, 1), (2, 3))
    assert third == paths.MovingPathPointSpec(
        "m", FrameSpec("a"), (spline, spline, specs.ConstantSpec(0)), "q"
    )


def test_old_names_of_forces():
    forces = (
        element("Force", "f", body="a")
        + element("Torque", "t", bodyA="a", bodyB="ground")
        + element("GeneralizedForce", "g", coordinate="q")
    )
    sets = members("BodySet", old_body("a", old_joint())) + members("ActuatorSet", forces)
    spec = parse_model(document(sets, 30000).encode(), "test")
    kinds = {force.name: type(force) for force in spec.forces}
    expected = (point_actuator, torque_actuator, coordinate_actuator)
    assert kinds == dict(zip("ftg", (module.Spec for module in expected), strict=True))
    assert spec.unsupported == ()


def test_old_frame_sets():
    frames = members("FrameSet", element("PhysicalOffsetFrame", "f", socket_parent="/bodyset/a"))
    marker = element("Marker", "k", socket_parent_frame="/f", location="1 0 0")
    sets = members("BodySet", BODY) + frames + members("MarkerSet", marker)
    assert read(document(sets, 30511)).markers[0].body == "a"


@pytest.mark.parametrize("version", [30000, 40500])
def test_controllers_of_old_files(version):
    controller = element("PrescribedController", "c", actuator_list="ALL")
    text = document(members("ControllerSet", controller), version)
    spec = parse_model(text.encode(), "test")
    assert [controller.name for controller in spec.controllers] == ["c"]
    assert spec.unsupported == ()


def test_defaults_are_upgraded_too():
    defaults = (
        "<defaults>" + element("Thelen2003Muscle", "default", isDisabled="true") + "</defaults>"
    )
    assert read(pendulum(old_muscle(), defaults)).forces[0].applies_force is False


# Against OpenSim

TEXTS = {
    "plain": pendulum(),
    "offsets": pendulum(
        location_in_parent="100000.123 .3333333333333 0",
        orientation_in_parent="0.1 0.2 1.5707963267949",
        location="1e-7 0.12345678 -0.12345678",
        orientation="-0.7853981633974 0 0",
    ),
    "reversed": pendulum(location_in_parent="1 0 0", orientation="0.3 0.2 0.1", reverse="true"),
    "names": pendulum(name="my joint", coordinate="my q"),
    "no names": pendulum(name="", coordinate="_"),
    "empty coordinates": pendulum(
        coordinate=None, inside="<CoordinateSet><objects/></CoordinateSet>"
    ),
    "duplicates": old_model(old_body("a", old_joint()), old_body("b", old_joint("PinJoint"))),
    "inertia": old_model(element("Body", "a", old_joint(), mass="1", inertia_xy="0.123456789")),
    "connectors": document(
        members("BodySet", BODY)
        + members(
            "JointSet",
            element(
                "PinJoint",
                "j",
                connectors(parent_body="../ground", child_body="../a")
                + "<location_in_child>1.23456789 0 0</location_in_child>"
                + coordinates("q"),
            ),
        ),
        30503,
    ),
    "muscle": pendulum(old_muscle(min_control="0", max_control="1")),
    "oldest": pendulum(
        element("Thelen2003Muscle", "m", OLD_MUSCLE_POINTS, pennation_angle="0.25"), version=20000
    ),
}


TEXTS |= {
    f"oldest in version {version}": TEXTS["oldest"].replace("20000", str(version))
    for version in (*range(10901, 10907), 19999)
}
NEWEST = document(
    members("BodySet", BODY) + members("JointSet", pin()),
)


@pytest.mark.opensim
@pytest.mark.parametrize("version", [10500, 10600, 10900])
def test_opensim_refuses_files_before_10901_as_we_do(version, opensim, tmp_path):
    text = TEXTS["oldest"].replace("20000", str(version))
    path = tmp_path / "m.osim"
    path.write_text(text)
    with pytest.raises(RuntimeError, match="unsupported file format.*OpenSim version 3.3"):
        opensim.Model(str(path))
    with pytest.raises(OsimFormatError, match=f"found {version}: .*OpenSim 3.3"):
        parse_model(text.encode(), "test")


@pytest.mark.opensim
@pytest.mark.parametrize("version", [40601, 40700, 50000])
def test_opensim_reads_later_files_as_40600_and_so_do_we_with_a_warning(version, opensim, tmp_path):
    text = NEWEST.replace("40600", str(version))
    path = tmp_path / "m.osim"
    path.write_text(text)
    live = opensim.Model(str(path))
    live.initSystem()
    with pytest.warns(OsimFormatWarning, match=f"^test: Version {version} is of a later OpenSim"):
        ours = parse_model(text.encode(), "test")
    assert_same_bodies(ours, live)
    assert_same_joints(ours, live)


@pytest.mark.opensim
@pytest.mark.parametrize("name", TEXTS)
def test_opensim_reads_the_same(name, opensim, tmp_path):
    path = tmp_path / "m.osim"
    path.write_text(TEXTS[name])
    live = opensim.Model(str(path))
    live.initSystem()
    ours = parse_model(TEXTS[name].encode(), "test")
    assert_same_bodies(ours, live)
    assert_same_joints(ours, live)
    for force in ours.forces:
        expected = opensim.Thelen2003Muscle.safeDownCast(live.getForceSet().get(force.name))
        assert force.pennation_angle_at_optimal == expected.get_pennation_angle_at_optimal()
        assert force.min_control == expected.getMinControl()
        assert force.max_control == expected.getMaxControl()


OLD_ACTUATORS = {
    "force": "<Force name='f'><body_B>a</body_B><point_B>1 2 3</point_B>"
    "<direction_A>1 0.5 0</direction_A></Force>",
    "force of its later name": "<PointActuator name='f'><body_B>a</body_B>"
    "<force_is_global>false</force_is_global></PointActuator>",
    "torque": "<Torque name='f'><body_A>ground</body_A><body_B>a</body_B>"
    "<direction_A>1 0.5 0</direction_A></Torque>",
    "torque of its later name": "<TorqueActuator name='f'><bodyA>ground</bodyA>"
    "<bodyB>a</bodyB></TorqueActuator>",
}
ACTUATOR_PROPERTIES = {
    "PointActuator": ("body", "point", "direction", "force_is_global"),
    "TorqueActuator": ("bodyA", "bodyB", "axis"),
}


@pytest.mark.opensim
@pytest.mark.parametrize("version", [10902, 10905, 20302])
@pytest.mark.parametrize("name", OLD_ACTUATORS)
def test_old_forces_and_torques_turn_round_as_in_opensim(name, version, opensim, tmp_path):
    text = pendulum(OLD_ACTUATORS[name], version=version)
    path = tmp_path / "m.osim"
    path.write_text(text)
    owner = opensim.Model(str(path))  # kept, or the force would be gone
    live = owner.getForceSet().get(0)
    found = parse_document(text.encode()).model
    upgrade(found, version)
    (force,) = found.child("ForceSet").child("objects").children
    assert force.tag == live.getConcreteClassName()
    expected = parse_document(document(live.dump()).encode()).model.children[0]
    for tag in ACTUATOR_PROPERTIES[force.tag]:
        if force.child(tag) is None:  # the class's default stands for it, in both
            continue
        ours, theirs = (" ".join(e.child(tag).text.split()) for e in (force, expected))
        if tag in ("point", "direction", "axis"):
            ours, theirs = ([float(v) for v in values.split()] for values in (ours, theirs))
        assert ours == theirs, tag
    written = {child.tag for child in force.children}
    assert version >= 10905 or written & {"direction", "axis"}
