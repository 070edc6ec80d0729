"""What a model file may not hold: refused by name, or an error; and at what cost."""

import math
import pickle
import random
import time

import pytest

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.models.catalog import resolve
from jaxosim.models.compile import compile_model
from jaxosim.models.osim.reader import parse_model, read_model
from tests.models.osim_text import (
    SHAPES,
    axis,
    body,
    contact,
    coordinates,
    custom,
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


def parse(text):
    return parse_model(text.encode(), "test")


def refused(text):
    """Class, name and reason of everything refused."""
    return [(e.class_name, e.name, e.reason) for e in parse(text).unsupported]


ROTATION = axis("rotation3", "b", "0 0 2", linear("-1 0.5"))
SHIFT = axis("translation2", "a", "0 1 0", linear())


# Refused by name

WRAP = members("PathWrapSet", element("PathWrap", "w", wrap_object="cylinder"))
OTHER_WRAP = element(
    "Ground", "ground", members("WrapObjectSet", element("WrapStrange", "cylinder"))
)
MESH = SHAPES.replace("ContactHalfSpace", "ContactMesh")
REFUSED = {
    "muscle": (
        model(muscle(kind="Millard2012AccelerationMuscle")),
        "Millard2012AccelerationMuscle",
        "m1",
    ),
    "rigid tendon": (model(muscle(ignore_tendon_compliance="true")), "Thelen2003Muscle", "m1"),
    "no activation": (model(muscle(ignore_activation_dynamics="1")), "Thelen2003Muscle", "m1"),
    "wrapping": (model(muscle(wraps=WRAP), rest=OTHER_WRAP), "WrapStrange", "m1/w"),
    "conditional range": (
        model(
            muscle(
                wraps=WRAP.replace("</PathWrap>", "<range>2 2</range></PathWrap>"),
                points=point("p1")
                + point(
                    "c", kind="ConditionalPathPoint", socket_coordinate="/jointset/j/q", range="0 1"
                )
                + point("p2", "/bodyset/a"),
            ),
            rest=OTHER_WRAP.replace("WrapStrange", "WrapSphere"),
        ),
        "PathWrap",
        "m1/w",
    ),
    "path": (
        model(muscle().replace("GeometryPath", "Scholz2015GeometryPath")),
        "Scholz2015GeometryPath",
        "m1",
    ),
    "path point": (
        model(muscle(points=point("p", kind="StrangePoint") + point("q"))),
        "StrangePoint",
        "m1/p",
    ),
    "force": (model(element("MeyerFregly2016Force", "b")), "MeyerFregly2016Force", "b"),
    "contact with states": (
        model(element("ExponentialContactForce", "f")),
        "ExponentialContactForce",
        "f",
    ),
    "unknown force": (model(element("Banana", "b")), "Banana", "b"),
    "mesh in contact": (model(contact(), rest=MESH), "ContactMesh", "p"),
    "joint": (
        model(joints=joint("CantileverFreeBeamJoint", "j", "/ground", "/bodyset/a")),
        "CantileverFreeBeamJoint",
        "j",
    ),
    "frame": (
        model(joints=joint("PinJoint", "j", "/ground", "f", frames(element("LeapFrame", "f")))),
        "LeapFrame",
        "f",
    ),
    "prescribed and locked": (
        model(
            joints=pin(prescribed="true", locked="true").replace(
                "</Coordinate>",
                "<prescribed_function><LinearFunction/></prescribed_function></Coordinate>",
            )
        ),
        "Coordinate",
        "q",
    ),
    "constraint": (
        model(rest=members("ConstraintSet", element("RollingOnSurfaceConstraint", "w"))),
        "RollingOnSurfaceConstraint",
        "w",
    ),
    "controller": (
        model(
            rest=members(
                "ControllerSet",
                element("InputController", "c", socket_actuators="/forceset/m"),
            )
        ),
        "InputController",
        "c",
    ),
    "other controller": (
        model(rest=members("ControllerSet", element("ToyReflex", "c"))),
        "ToyReflex",
        "c",
    ),
    "component": (model(rest=members("ComponentSet", element("Thruster", "t"))), "Thruster", "t"),
    "component of a body": (
        model(bodies=element("Body", "a", "<components><Body name='b'/></components>", mass="1")),
        "Body",
        "b",
    ),
    "part": (model(rest="<WarpDrive/>"), "WarpDrive", "m"),
    "other file": (model(rest='<MarkerSet file="markers.xml"/>'), "MarkerSet", "markers.xml"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, class_name, component = REFUSED[name]
    ((found, called, reason),) = refused(text)
    assert (found, called) == (class_name, component)
    assert reason


@pytest.mark.parametrize("tag", ["ExponentialCoordinateLimitForce", "CoordinateLinearStopForce"])
def test_forces_of_a_later_opensim_are_refused_with_its_version(tag):
    ((found, called, reason),) = refused(model(element(tag, "b")))
    assert (found, called) == (tag, "b")
    assert "OpenSim 4.6.1" in reason
    assert not refused(model(element(tag, "b", appliesForce="false")))


def test_exponential_contact_is_refused_because_of_its_history():
    ((found, called, reason),) = refused(model(element("ExponentialContactForce", "c")))
    assert (found, called) == ("ExponentialContactForce", "c")
    assert "depends on the steps" in reason and "appliesForce" in reason
    assert not refused(model(element("ExponentialContactForce", "c", appliesForce="false")))


@pytest.mark.opensim
def test_under_exponential_contact_opensims_motion_depends_on_its_steps(opensim):
    """A body that slides until a small push leaves it in place stops elsewhere by other steps."""

    def stops_at(longest_step):
        live = opensim.Model()
        block = opensim.Body("block", 10, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
        live.addBody(block)
        live.addJoint(opensim.PlanarJoint("planar", live.getGround(), block))
        axis = opensim.CoordinateAxis.getCoordinateAxis(0)
        floor = opensim.Transform(opensim.Rotation(-math.pi / 2, axis), opensim.Vec3(0))
        live.addForce(opensim.ExponentialContactForce(floor, block, opensim.Vec3(0)))
        push = opensim.PrescribedForce("push", block)
        push.setForceFunctions(*(opensim.Constant(newtons) for newtons in (1.0, 0.0, 0.0)))
        live.addForce(push)
        state = live.initSystem()
        along = live.getCoordinateSet().get(1)
        along.setSpeedValue(state, 0.3)
        manager = opensim.Manager(live)
        manager.setIntegratorAccuracy(1e-5)
        manager.setIntegratorMaximumStepSize(longest_step)
        manager.initialize(state)
        return along.getValue(manager.integrate(1.0))

    assert abs(stops_at(1e-2) - stops_at(1e-3)) > 1e-4  # m, of 35 mm


def test_unknown_function_is_refused_where_it_stands():
    text = model(
        joints=custom(axis("rotation1", "b", "1 0 0", '<SignalGenerator name="function"/>'))
    )
    ((class_name, name, _),) = refused(text)
    assert class_name == "SignalGenerator"
    assert name.endswith(
        "CustomJoint[j]/SpatialTransform/TransformAxis[rotation1]/SignalGenerator[function]"
    )


def test_everything_refused_is_listed():
    text = model(
        element("MeyerFregly2016Force", "b"),
        muscle(wraps=WRAP),
        rest=members("ConstraintSet", element("RollingOnSurfaceConstraint", "w")) + OTHER_WRAP,
    )
    assert [e[1] for e in refused(text)] == ["b", "m1/w", "w"]


def test_what_stands_behind_a_refused_muscle_is_listed_too():
    text = model(
        muscle(
            kind="Millard2012AccelerationMuscle",
            points=point("p1")
            + point("x", kind="StrangePathPoint")
            + point(
                "p2",
                "/bodyset/a",
                "MovingPathPoint",
                '<x_location><SignalGenerator name="x_location"/></x_location>',
            ),
            wraps=WRAP.replace('name="w"', "") + WRAP.replace("PathWrapSet", "Again"),
            ignore_tendon_compliance="true",
        ),
        element("StrangeLigament", "s", element("GeometryPath", "path", WRAP)),
        muscle("off", kind="OtherMuscle", wraps=WRAP, appliesForce="false"),
    )
    found = refused(text)
    assert [(class_name, name) for class_name, name, _ in found[:4]] == [
        ("Millard2012AccelerationMuscle", "m1"),
        ("Millard2012AccelerationMuscle", "m1"),
        ("PathWrap", "m1/pathwrap"),
        ("StrangePathPoint", "m1/x"),
    ]
    assert [class_name for class_name, _, _ in found[4:]] == [
        "SignalGenerator",
        "StrangeLigament",
        "PathWrap",
    ]
    assert "ignore_tendon_compliance" in found[1][2]


STOPPED = {
    "unknown frame": {
        "joints": pin(child="/f"),
        "rest": "<components>" + element("StrangeFrame", "f") + "</components>",
    },
    "other file": {"rest": '<MarkerSet file="markers.xml"/>'},
}


@pytest.mark.parametrize("name", STOPPED)
def test_where_reading_has_to_stop_the_list_goes_on(name):
    values = STOPPED[name]
    strange = joint("StrangeJoint", "k", "/bodyset/a", "/bodyset/b")
    joints = values.get("joints", pin()) + strange
    rest = values["rest"] + members("ConstraintSet", element("RollingOnSurfaceConstraint", "w"))
    text = model(
        muscle(kind="OtherMuscle", wraps=WRAP),
        muscle("m2", wraps=WRAP),
        bodies=body("a") + body("b"),
        joints=joints,
        rest=rest,
    )
    classes = {class_name for class_name, _, _ in refused(text)}
    assert {"RollingOnSurfaceConstraint", "StrangeJoint", "OtherMuscle", "PathWrap"} < classes
    assert len([entry for entry in refused(text) if entry[0] == "PathWrap"]) == 2


def test_the_message_has_a_line_for_each_class_and_the_exception_everything():
    wrapped = [muscle(f"m{i}", kind="OtherMuscle", wraps=WRAP) for i in range(40)]
    spec = parse(model(*wrapped))
    with pytest.raises(UnsupportedComponentError) as error:
        compile_model(spec)
    assert error.value.unsupported == spec.unsupported
    assert len(error.value.unsupported) == 80
    head, *lines = str(error.value).splitlines()
    assert head == "test: 80 component(s) of 2 class(es) that change the motion are not supported:"
    assert lines[0].startswith("  OtherMuscle (40): 'm0', 'm1', 'm2', 'm3', 'm4', …: ")
    assert lines[1].startswith("  PathWrap (40): 'm0/w', ") and "via points" in lines[1]
    assert len(lines) == 2
    again = pickle.loads(pickle.dumps(error.value))
    assert again.unsupported == spec.unsupported and str(again) == str(error.value)


def test_other_files_are_never_opened(tmp_path):
    other = tmp_path / "other.xml"
    other.write_text(model())
    text = model(rest=f'<ComponentSet file="{other}"/>')
    assert refused(text) == [("ComponentSet", str(other), "other files are never opened")]


INERT = {
    "disabled force": model(element("MeyerFregly2016Force", "b", appliesForce="false")),
    "disabled constraint": model(
        rest=members(
            "ConstraintSet", element("RollingOnSurfaceConstraint", "w", isEnforced="false")
        )
    ),
    "disabled controller": model(
        rest=members("ControllerSet", element("ToyReflex", "c", enabled="false"))
    ),
    "controller of nobody": model(
        rest=members("ControllerSet", element("PrescribedController", "c", socket_actuators=""))
    ),
    "unused mesh": model(contact("s"), rest=MESH),
    "mesh in disabled contact": model(contact(appliesForce="false"), rest=MESH),
    "unused wrap object": model(
        bodies=element(
            "Body", "a", members("WrapObjectSet", element("WrapCylinder", "c")), mass="1"
        )
    ),
    "prescribed without function": model(joints=pin(prescribed="true")),
    "function without prescription": model(
        joints=pin().replace("</Coordinate>", '<Sine name="prescribed_function"/></Coordinate>')
    ),
    "probes and looks": model(
        rest=members("ProbeSet", element("SystemEnergyProbe", "e"))
        + "<ModelVisualPreferences/><credits>me</credits>"
        + '<VisibleObject file="a.vtp"/>'
    ),
    "unknown property": model(muscle(damping="7")),
}


@pytest.mark.parametrize("name", INERT)
def test_inert(name):
    assert refused(INERT[name]) == []


# Errors


def in_body(**values):
    return model(bodies=body("a", **values))


def in_muscle(**values):
    return model(muscle(**values))


def with_function(text, names="b"):
    return model(joints=custom(axis("rotation1", names, "1 0 0", text)))


def weld(child, *inside):
    return model(joints=joint("WeldJoint", "j", "/ground", child, frames(*inside)))


def spline(x, y):
    return with_function(element("SimmSpline", "function", x=x, y=y))


LIMIT = {"coordinate": "q"}
ERRORS = {
    # numbers
    "no mass": (in_body(mass=None), r"Body\[a\]: expected a mass"),
    "empty mass": (in_body(mass=""), r"expected a mass"),
    "word for mass": (in_body(mass="heavy"), "heavy"),
    "NaN mass": (in_body(mass="NaN"), "finite"),
    "negative mass": (in_body(mass="-1"), "mass of 0 or more"),
    "infinite mass": (in_body(mass="inf"), "finite"),
    "overflow": (in_body(mass="1e999"), "finite"),
    "overflow in a range": (model(joints=pin(range="0 1e999")), "finite"),
    "underscore": (in_body(mass="1_0"), "expected a number"),
    "foreign digits": (in_body(mass="١"), "expected a number"),
    "hexadecimal": (in_body(mass="0x10"), "expected a number"),
    "endless number": (in_body(mass="1" * 100_000), "expected a number"),
    "comma": (in_body(mass_center="0,0,0"), "expected a number"),
    "too few": (in_body(mass_center="0 0"), r"mass_center: expected 3 number\(s\), found '0 0'"),
    "too many": (in_body(mass_center="0 0 0 0"), "expected 3"),
    "inertia of seven": (in_body(inertia="1 1 1 0 0 0 0"), "expected 6"),
    "NaN range": (model(joints=pin(range="NaN 1")), "finite"),
    "range of one": (model(joints=pin(range="1")), "expected 2"),
    "flag": (model(joints=pin(locked="maybe")), "true or false"),
    "gravity": (model(rest="<gravity>0 -9.8</gravity>"), "expected 3"),
    "clamped default": (
        model(joints=pin(clamped="true", range="0 1", default_value="2")),
        "within 0.0 and 1.0",
    ),
    "clamped to a reversed range": (
        model(joints=pin(clamped="true", range="1 -1")),
        "range in ascending order",
    ),
    # references
    "unknown body": (model(joints=pin(child="/bodyset/b")), "'/bodyset/b'"),
    "bare ground": (model(joints=pin("j", "ground")), "path of a frame"),
    "set for a frame": (model(joints=pin(child="/bodyset")), "path of a frame"),
    "joint for a frame": (model(joints=pin(child="/jointset/j")), "found a PinJoint"),
    "no frame": (model(joints=element("PinJoint", "j")), "socket_parent_frame"),
    "beyond the root": (model(joints=pin(child="../../../../../..")), "path of a frame"),
    "unknown coordinate": (model(element("CoordinateLimitForce", "l", coordinate="r")), "'r'"),
    "no coordinate": (model(element("SpringGeneralizedForce", "s")), "name of a coordinate"),
    "unknown geometry": (model(contact("s q"), rest=SHAPES), "'q'"),
    "marker of nothing": (
        model(rest=members("MarkerSet", element("Marker", "k", socket_parent_frame="/b"))),
        "'/b'",
    ),
    "point of nothing": (in_muscle(points=point("p") + point("q", "/bodyset/b")), "bodyset/b"),
    "conditional on nothing": (
        in_muscle(points=point("p") + point("q", kind="ConditionalPathPoint")),
        "coordinate",
    ),
    "conditional on unknown": (
        in_muscle(
            points=point("p")
            + point("q", kind="ConditionalPathPoint", socket_coordinate="/jointset/j/r")
        ),
        "jointset/j/r",
    ),
    "moving by two": (
        model(
            muscle(
                points=point("p")
                + point(
                    "q",
                    kind="MovingPathPoint",
                    socket_x_coordinate="/jointset/j/q",
                    socket_y_coordinate="/jointset/j/q",
                    socket_z_coordinate="/jointset/k/r",
                )
            ),
            bodies=body("a") + body("b"),
            joints=pin() + pin("k", "/bodyset/a", "/bodyset/b", "r"),
        ),
        "one and the same",
    ),
    "moving by none": (
        in_muscle(points=point("p") + point("q", kind="MovingPathPoint")),
        "expected a socket_x_coordinate",
    ),
    # the graph
    "body to itself": (model(joints=pin("j", "/bodyset/a", "/bodyset/a")), "both are 'a'"),
    "body to itself by frames": (
        model(joints=joint("PinJoint", "j", "/bodyset/a", "o", frames(offset("o", "/bodyset/a")))),
        "both are 'a'",
    ),
    "frame on itself": (weld("o", offset("o", "../o")), "hangs on itself"),
    "frames in a circle": (weld("o", offset("o", "../p"), offset("p", "../o")), "hangs on itself"),
    "ground as a body": (model(bodies=body("ground")), "another name"),
    "component like a set": (
        model(rest=f"<components>{offset('jointset', '/ground')}</components>"),
        "another name",
    ),
    # joints and functions
    "too many coordinates": (
        model(joints=joint("PinJoint", "j", "/ground", "/bodyset/a", coordinates("q", "r"))),
        r"expected 1 coordinate\(s\) in a PinJoint, not 2",
    ),
    "no coordinates": (
        model(joints=joint("PinJoint", "j", "/ground", "/bodyset/a", "<coordinates/>")),
        "not 0",
    ),
    "no transform": (
        model(joints=joint("CustomJoint", "j", "/ground", "/bodyset/a")),
        "SpatialTransform",
    ),
    "no coordinate used": (model(joints=custom("")), "1 to 6"),
    "coordinate unused": (
        model(joints=custom(ROTATION + SHIFT, coordinates("a", "b", "z"))),
        "'z'",
    ),
    "coordinate not listed": (
        model(joints=custom(ROTATION + SHIFT, coordinates("a"))),
        "expected a Coordinate 'b'",
    ),
    "coordinate idle": (with_function(""), "to move something"),
    "nothing to multiply": (
        with_function('<MultiplierFunction name="function"><scale>2</scale></MultiplierFunction>'),
        "MultiplierFunction.*expected a <function>",
    ),
    "multiplied function outside its property": (
        with_function(element("MultiplierFunction", "function", linear(), scale="2")),
        "MultiplierFunction.*expected a <function>",
    ),
    "collinear": (model(joints=custom(axis("rotation1", "b", "0 3 0", linear()))), "collinear"),
    "no direction": (model(joints=custom(axis("rotation1", "b", "0 0 0", linear()))), "collinear"),
    "argument missing": (with_function(linear("1 2 3")), "takes 2"),
    "argument too many": (with_function(linear(), "b c"), "takes 1"),
    "no coefficients": (with_function(linear("")), "coefficient"),
    "one knot": (spline("0", "0"), "two or more knots"),
    "unequal knots": (spline("0 1", "0"), "2 x and 1 y"),
    "falling knots": (spline("0 2 1", "0 0 0"), "ascending"),
    "step at the first knot": (spline("0 0 1", "0 1 2"), "no two y for one x"),
    "step at the last knot": (spline("0 1 1", "0 1 2"), "no two y for one x"),
    "NaN knot": (spline("0 nan", "0 0"), "finite"),
    "no knots": (with_function('<SimmSpline name="function"/>'), "x of its knots"),
    # forces
    "one point": (in_muscle(points=point("p")), "two or more points"),
    "no path": (model(element("Thelen2003Muscle", "m")), "GeometryPath"),
    "no fiber": (in_muscle(optimal_fiber_length="0"), "optimal_fiber_length above 0"),
    "upright fiber": (in_muscle(pennation_angle_at_optimal="1.6"), "pennation"),
    "no activation": (in_muscle(minimum_activation="0"), "minimum_activation"),
    "control below activation": (in_muscle(min_control="0"), "min_control"),
    "slack-less": (in_muscle(tendon_slack_length="0"), "tendon_slack_length"),
    "never pennate": (in_muscle(maximum_pennation_angle="0"), "maximum_pennation_angle above 0"),
    "flat curve": (in_muscle(Flen="1"), "Flen"),
    "NaN force": (in_muscle(max_isometric_force="NaN"), "finite"),
    "no stiffness": (model(contact(stiffness="0"), rest=SHAPES), "stiffness"),
    "no velocity": (model(contact(transition_velocity="0"), rest=SHAPES), "transition_velocity"),
    "negative radius": (model(rest=SHAPES.replace("0.1", "-1")), "radius"),
    "no transition": (
        model(element("CoordinateLimitForce", "l", transition="0", **LIMIT)),
        "transition",
    ),
    "no limit stiffness": (
        model(element("CoordinateLimitForce", "l", upper_stiffness="0", **LIMIT)),
        "stiffnesses",
    ),
    # sets
    "stranger among bodies": (model(bodies=element("Planet", "a")), "expected a Body"),
    "stranger among markers": (model(rest=members("MarkerSet", element("Flag", "f"))), "Marker"),
    "stranger among coordinates": (
        model(
            joints=joint(
                "PinJoint", "j", "/ground", "/bodyset/a", "<coordinates><Speed/></coordinates>"
            )
        ),
        "Coordinate",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    text, words = ERRORS[name]
    with pytest.raises(OsimFormatError, match=words) as error:
        parse(text)
    message = str(error.value)
    assert message.startswith("test: line 1: Model[m]")
    assert "expected" in message and len(message) < 500


def test_read_model_names_the_file(tmp_path):
    path = tmp_path / "a.osim"
    path.write_text(in_body(mass="x"))
    with pytest.raises(OsimFormatError, match="a.osim: line 1"):
        read_model(path)
    path.write_text(model())
    assert read_model(str(path)).source == str(path)


# Hostile files

COUNT = 10_000


def chain(count):
    return [offset(f"f{i}", f"../f{i + 1}") for i in range(count)] + [
        offset(f"f{count}", "/bodyset/a")
    ]


HOSTILE = {
    "long chain of frames": lambda: weld("f0", *chain(COUNT)),
    "long chain of bodies": lambda: model(
        bodies="".join(body(f"b{i}") for i in range(COUNT)),
        joints="".join(
            joint("WeldJoint", f"j{i}", f"/bodyset/b{i + 1}", f"/bodyset/b{i}")
            for i in range(COUNT - 1)
        ),
    ),
    "same name again and again": lambda: model(bodies=body("a") * COUNT),
    "refusals": lambda: model("".join(element("Banana", f"b{i}") for i in range(COUNT))),
    "sets again and again": lambda: model(
        rest=members("ConstraintSet", *[element("W", f"w{i}") for i in range(COUNT)])
        + "<ConstraintSet/>" * COUNT
    ),
    "connectors": lambda: model(
        rest="<connectors>" + "<C name='a'/>" * COUNT + "</connectors>", version=30503
    ),
    "knots": lambda: with_function(
        element("SimmSpline", "function", x="0 " * COUNT * 20, y="0 " * COUNT * 20)
    ),
    "path of dots": lambda: model(joints=pin(child="../" * COUNT * 20)),
    "coordinates": lambda: with_function(linear(), " ".join(f"c{i}" for i in range(COUNT))),
    "junk in a muscle": lambda: model(
        muscle().replace("<GeometryPath", "<a/>" * COUNT + "<GeometryPath")
    ),
}
SECONDS = 20.0  # generous: an idle machine needs one or two


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_models_cost_little(name):
    text = HOSTILE[name]().encode()
    start = time.process_time()
    try:
        parse_model(text, "test")
    except OsimFormatError as error:
        assert len(str(error)) < 1000
    assert time.process_time() - start < SECONDS


def test_damaged_files_are_read_or_refused():
    """Any damage gives a spec or an OsimFormatError, nothing else."""
    original = resolve("arm2dof6musc").read_bytes()
    chance = random.Random(1)
    read_count = 0
    for _ in range(150):
        data = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(data))
            stop = start + chance.choice((1, 1, 8, 300))
            other = chance.randrange(len(data))
            data[start:stop] = chance.choice(
                (
                    b"",
                    b"-",
                    b"0",
                    b"nan",
                    b"<",
                    bytes([chance.randrange(256)]),
                    data[other : other + 40],
                )
            )
        try:
            parse_model(bytes(data), "test")
            read_count += 1
        except OsimFormatError:
            pass
    assert 0 < read_count < 150
