"""Components outside their sets, and coordinates of one name: read and moved as OpenSim does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.models.osim.reader import parse_model
from jaxosim.sto import read_states, write_states
from tests import hopper_model
from tests.models.osim_text import (
    PLANE,
    SHAPES,
    SPHERE,
    body,
    contact,
    element,
    joint,
    model,
    muscle,
    pin,
    point,
)

TOLERANCE = 1e-9
SPRING = element("SpringGeneralizedForce", "s", coordinate="q", stiffness="20", rest_length="1")
LIMIT = element("CoordinateLimitForce", "l", coordinate="q", lower_limit="20", lower_stiffness="3")
MUSCLE = muscle(
    points=point("p1", location="0.31 0 0") + point("p2", "/bodyset/a", location="0 0.1 0")
)
LEG = body("a", mass_center="0.1 0.2 0") + body("b", mass_center="0.1 0 0")
TWO_PINS = pin(default_value="0.1") + pin("k", "/bodyset/a", "/bodyset/b", "q", default_value="0.4")


def loose(*components, geometry=""):
    """The pendulum, with components that belong to no set."""
    return model(rest=geometry + f"<components>{''.join(components)}</components>")


def alike(*forces):
    """Two joints, each with a coordinate q."""
    return model(*forces, bodies=LEG, joints=TWO_PINS)


def conditional(path):
    """A muscle with a point that is present at some values of a coordinate."""
    at = {"range": "0.3 0.5", "location": "0.1 0.2 0", "socket_coordinate": path}
    middle = point("c", kind="ConditionalPathPoint", **at)
    end = point("p2", "/bodyset/b", location="0 0.1 0")
    return muscle(points=point("p1", location="0.31 0 0") + middle + end)


TEXTS = {
    "spring": loose(SPRING),
    "limit": loose(LIMIT),
    "muscle": loose(MUSCLE),
    "body": loose(body("c")),
    "body and joint": loose(
        body("c", mass_center="0.2 0 0"), pin("k", "/bodyset/a", "/c", "r", default_value="0.3")
    ),
    "contact": loose(SPHERE.replace("1 2 3", "0.3 0.05 0"), PLANE, contact(stiffness="5000")),
    "contact force": loose(
        contact(stiffness="5000"), geometry=SHAPES.replace("1 2 3", "0.3 0.05 0")
    ),
    "coordinates of one name": alike(),
    "forces on the first": alike(SPRING, LIMIT),
    "point at the first": alike(conditional("/jointset/j/q")),
    "nameless coordinates": model(
        bodies=LEG,
        joints=joint("BallJoint", "j", "/ground", "/bodyset/a")
        + joint("BallJoint", "k", "/bodyset/a", "/bodyset/b"),
    ),
    "path from a path point": model(
        muscle(
            points=point("p1", location="0.31 0 0")
            + point("p2", "../../../../bodyset/a", location="0 0.1 0")
        )
    ),
}


# Of components outside their sets, some are read as others are.
ALSO = ("limit", "muscle", "body", "contact force", "coordinates of one name")


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.thorough if n in ALSO else []) for n in TEXTS]
)
def test_opensim_moves_them_alike(name, opensim):
    live = opensim.Model(str(hopper_model.path_of(TEXTS[name])))
    state = live.initSystem()
    live.equilibrateMuscles(state)
    live.realizeAcceleration(state)
    structure, params = hopper_model.load(TEXTS[name])
    ours = jaxosim.initial_state(structure, params)
    excitation = jnp.zeros(len(structure.muscle_names))
    rate = jax.jit(jaxosim.state_derivative)(structure, params, ours, excitation)
    expected = {}
    for one in live.getComponentsList():
        coordinate = opensim.Coordinate.safeDownCast(one)
        if coordinate is not None:
            path = coordinate.getAbsolutePathString().split("/")
            expected["/".join(path[-2:])] = coordinate.getAccelerationValue(state)
    obtained = {
        f"{structure.joint_names[joint]}/{name.rpartition('/')[2]}": float(value)
        for joint, name, value in zip(
            structure.tree.coordinate_joint, structure.coordinate_names, rate.u, strict=True
        )
    }
    assert set(obtained) == set(expected)
    for path, value in expected.items():
        assert obtained[path] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), path


def test_a_path_finds_the_coordinate_of_its_joint():
    first, second = alike(conditional("/jointset/j/q")), alike(conditional("/jointset/k/q"))
    structure, _ = hopper_model.load(first)
    assert structure.coordinate_names == ("q", "k/q")
    assert [hopper_model.load(t)[0].paths.conditional_coordinate[0] for t in (first, second)] == [
        0,
        1,
    ]


def test_states_of_coordinates_of_one_name_are_written_under_their_joints(tmp_path):
    structure, params = hopper_model.load(alike())
    state = jaxosim.initial_state(structure, params)
    path = tmp_path / "a.sto"
    states = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    states = dataclasses.replace(states, time=jnp.array([0.0, 0.1]))
    write_states(path, structure, states)
    assert "/jointset/j/q/value" in path.read_text()
    assert "/jointset/k/q/value" in path.read_text()
    again = read_states(path, structure, params)
    np.testing.assert_array_equal(again.q, states.q)


def test_a_body_named_as_another_in_the_set_is_refused():
    with pytest.raises(OsimFormatError, match=r"Body\[a\]: expected another name"):
        parse_model(loose(body("a")).encode(), "test")


INERT = {
    "reporter": element("TableReporterVec3", "r"),
    "console": element("ConsoleReporter", "r"),
    "probe": element("MuscleMetabolicPowerProbeUmberger2010", "u"),
    "metabolics": element("Bhargava2004SmoothedMuscleMetabolics", "b"),
    "disabled force": element("MeyerFregly2016Force", "b", appliesForce="false"),
    "constraint not enforced": element("WeldConstraint", "w", isEnforced="false"),
    "controller switched off": element("ToyReflex", "t", enabled="false"),
}


@pytest.mark.parametrize("name", INERT)
def test_components_that_only_report_or_are_switched_off_are_passed_over(name):
    assert parse_model(loose(INERT[name]).encode(), "test").unsupported == ()
