"""Coordinates that move no inertia: refused by name, where OpenSim refuses or gives NaN."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.positive_definite import symmetric
from jaxosim.dynamics.multibody import mass_matrix
from jaxosim.errors import OsimFormatError
from jaxosim.models.singularity import _System
from jaxosim.system import realize_position
from tests import hopper_model
from tests.models.osim_text import (
    axis,
    body,
    coordinates,
    custom,
    element,
    frames,
    joint,
    linear,
    model,
    offset,
    pin,
)

POINT_MASS = {"inertia": "0 0 0 0 0 0"}
WRIST = pin("k", "/bodyset/a", "/bodyset/b", "r")
WELD = joint("WeldJoint", "k", "/bodyset/a", "/bodyset/b")


def two(second, *joints, first=None):
    """A body on a pin and a second one, by default a massless one."""
    first = body("a") if first is None else first
    return model(bodies=first + second, joints=pin() + "".join(joints))


def along_x(function, values=""):
    """A body that one coordinate moves along x by a function."""
    return model(joints=custom(axis("translation1", "q", "1 0 0", function), values))


def spline(y):
    return element("SimmSpline", "function", x="0 1 2 3", y=y)


def free(**values):
    return model(
        bodies=body("a", **POINT_MASS, **values),
        joints=joint("FreeJoint", "j", "/ground", "/bodyset/a"),
    )


MASSLESS = body("b", "0")
REFUSED = {
    "massless last body": (two(MASSLESS, WRIST), "body 'b' to have mass.* 'r'"),
    "locked": (
        two(MASSLESS, WRIST.replace("</Coordinate>", "<locked>1</locked></Coordinate>")),
        "'b'",
    ),
    "massless only body": (model(bodies=body("a", "0")), "body 'a' to have mass"),
    "massless floating body": (two(MASSLESS), "body 'b' to have mass"),
    "joint written towards ground": (
        two(MASSLESS, pin("k", "/bodyset/b", "/bodyset/a", "r")),
        "body 'b' to have mass",
    ),
    "massless, and a massless one welded to it": (
        two(
            MASSLESS + body("c", "0"),
            WRIST,
            joint("WeldJoint", "l", "/bodyset/b", "/bodyset/c"),
        ),
        "body 'b' to have mass",
    ),
    "one massless body after another": (
        two(MASSLESS + body("c", "0"), WRIST, pin("l", "/bodyset/b", "/bodyset/c", "s")),
        "body 'c' to have mass",
    ),
    "point mass on its axis": (model(bodies=body("a", **POINT_MASS)), "'q'.* inertia"),
    "free point mass": (free(), "inertia"),
    "free point mass off its origin": (free(mass_center="0.1 0 0"), "inertia"),
    "point mass on a ball off its center": (
        model(
            bodies=body("a", mass_center="0.1 0 0", **POINT_MASS),
            joints=joint("BallJoint", "j", "/ground", "/bodyset/a"),
        ),
        "inertia",
    ),
    "massless between parallel axes": (
        two(body("b", mass_center="0.1 0 0"), WRIST, first=body("a", "0")),
        "'q'.* inertia",
    ),
    "two coordinates along one axis": (
        model(joints=custom(axis("translation1", "q r", "1 0 0", linear("1 1 0")))),
        "inertia",
    ),
    "slope of zero": (along_x(linear("0 0")), "'q'.* inertia"),
    "flat spline": (along_x(spline("1 1 1 1")), "'q'.* inertia"),
    "constant polynomial": (
        along_x(element("PolynomialFunction", "function", coefficients="3")),
        "'q'.* inertia",
    ),
    "negative inertia": (model(bodies=body("a", inertia="1 1 -1 0 0 0")), "positive inertia"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_coordinates_that_move_no_inertia_are_refused_by_name(name):
    text, words = REFUSED[name]
    with pytest.raises(OsimFormatError, match=words) as error:
        hopper_model.load(text)
    assert str(hopper_model.path_of(text)) in str(error.value)


SOUND = {
    # OpenSim accepts them too: it looks at the mass matrix alone, and so do we.
    "negative inertia about an axis that nothing turns": model(
        bodies=body("a", "2", mass_center="0 -1 0", inertia="-1 -1 1 0 0 0")
    ),
    "negative inertia that the place of the mass outweighs": model(
        bodies=body("a", "2", mass_center="0 -1 0", inertia="1 1 -0.5 0 0 0")
    ),
    "inertia that no body has": model(
        bodies=body("a", "2", mass_center="0 -1 0", inertia="1 1 5 0 0 0")
    ),
    "massless between others": model(
        bodies=body("a", "0") + body("b", mass_center="0.1 0 0"),
        joints=joint("SliderJoint", "j", "/ground", "/bodyset/a", coordinates("q")) + WRIST,
    ),
    "massless and welded": two(MASSLESS, WELD),
    "massless and welded to ground": two(
        MASSLESS, joint("WeldJoint", "k", "/ground", "/bodyset/b")
    ),
    "massless with a mass welded on": two(
        MASSLESS + body("c", mass_center="0.1 0 0"),
        WRIST,
        joint("WeldJoint", "l", "/bodyset/b", "/bodyset/c"),
    ),
    "point mass on a slider": model(
        bodies=body("a", **POINT_MASS),
        joints=joint("SliderJoint", "j", "/ground", "/bodyset/a", coordinates("q")),
    ),
    "point mass off its axis": model(bodies=body("a", mass_center="0.1 0 0", **POINT_MASS)),
    "hardly any mass": two(body("b", "1e-20", inertia="1e-22 1e-22 1e-22 0 0 0"), WRIST),
    "axes hardly apart": model(
        joints=custom(
            axis("translation1", "q", "1 0 0", linear())
            + axis("translation2", "r", "1 0.0001 0", linear())
        )
    ),
}


# Kinds of which another is tested in every run.
ALSO = (
    "negative inertia that the place of the mass outweighs",
    "inertia that no body has",
    "massless and welded to ground",
    "massless with a mass welded on",
    "point mass on a slider",
)
EACH = [pytest.param(n, marks=pytest.mark.thorough if n in ALSO else []) for n in SOUND]


def udot_of(text):
    """Our accelerations at the default pose."""
    structure, params = hopper_model.load(text)
    state = jaxosim.initial_state(structure, params)
    rate = jax.jit(jaxosim.state_derivative)
    return np.asarray(rate(structure, params, state, jnp.zeros(0)).u)


def live_udot_of(opensim, text):
    """OpenSim's."""
    live = opensim.Model(str(hopper_model.path_of(text)))
    state = live.initSystem()
    live.realizeAcceleration(state)
    return np.array([state.getUDot().get(i) for i in range(state.getNU())])


@pytest.mark.parametrize("name", EACH)
def test_coordinates_that_move_little_are_not_refused(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(udot_of(SOUND[name])).all()


@pytest.mark.opensim
@pytest.mark.parametrize("name", REFUSED)
def test_opensim_cannot_move_what_is_refused(name, opensim):
    try:
        accelerations = live_udot_of(opensim, REFUSED[name][0])
    except RuntimeError:
        return  # said so
    if name == "negative inertia":
        assert accelerations[0] < 0.0 or np.isfinite(accelerations).all()
        return  # OpenSim differs: it moves this, the wrong way
    assert np.isnan(accelerations).any()


@pytest.mark.opensim
@pytest.mark.parametrize("name", EACH)
def test_opensim_moves_the_rest_alike(name, opensim):
    expected = live_udot_of(opensim, SOUND[name])
    np.testing.assert_allclose(udot_of(SOUND[name]), expected, rtol=1e-8, atol=1e-10)


UPRIGHT = f"{math.pi / 2!r}"
IN_ONE_POSE = {
    "gimbal lock": (
        model(
            joints=joint(
                "GimbalJoint",
                "j",
                "/ground",
                "/bodyset/a",
                "<coordinates>"
                + element("Coordinate", "x")
                + element("Coordinate", "y", default_value=UPRIGHT)
                + element("Coordinate", "z")
                + "</coordinates>",
            )
        ),
        "'x'",
    ),
    "square": (along_x(element("PolynomialFunction", "function", coefficients="1 0 0")), "'q'"),
}


@pytest.mark.parametrize("name", IN_ONE_POSE)
def test_a_default_pose_in_which_the_mass_matrix_is_singular_is_warned_of(name):
    text, words = IN_ONE_POSE[name]
    with pytest.warns(UserWarning, match=f"singular at the default pose.*{words}"):
        hopper_model.load(text)


@pytest.mark.opensim
@pytest.mark.parametrize("name", IN_ONE_POSE)
def test_opensims_accelerations_are_nan_in_that_pose(name, opensim):
    assert np.isnan(live_udot_of(opensim, IN_ONE_POSE[name][0])).any()


def folded(inertia):
    """Two links at a right angle, the outer one with this inertia about its mass center."""
    joints = pin() + joint(
        "PinJoint",
        "k",
        "far",
        "/bodyset/b",
        "<coordinates>"
        + element("Coordinate", "r", default_value="1.5707963")
        + "</coordinates>"
        + frames(offset("far", "/bodyset/a", "1 0 0")),
    )
    bodies = body("a", inertia="0.1 0.1 0.1 0 0 0")
    bodies += body("b", mass_center="0.3 0 0", inertia=f"0.1 0.1 {inertia} 0 0 0")
    return model(bodies=bodies, joints=joints)


def test_a_mass_matrix_that_other_poses_make_indefinite_is_warned_of():
    with pytest.warns(UserWarning, match="not positive definite in some poses.*'q' of joint 'j'"):
        hopper_model.load(folded(-0.05))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("inertia", [0.0, 0.05])
def test_moments_of_inertia_of_matter_are_not_warned_of(inertia):
    hopper_model.load(folded(inertia))


# Welds in between, joints of several coordinates, written in both directions.
TREE = model(
    bodies=body("a", mass_center="0.1 0.2 0.3")
    + body("b", "2", mass_center="0 0.1 0", inertia="0.3 0.2 0.4 0.01 0.02 0.03")
    + body("c", "0.5")
    + body("d", "3", mass_center="0.2 0 0"),
    joints=pin()
    + joint("WeldJoint", "k", "/bodyset/b/f", "/bodyset/a/g")
    + joint("BallJoint", "l", "/bodyset/c/h", "/bodyset/b")
    + joint(
        "CustomJoint",
        "m",
        "/bodyset/c",
        "/bodyset/d",
        "<SpatialTransform>"
        + axis("rotation1", "s", "0.6 0.8 0", spline("0 1 3 2"))
        + axis("rotation2", "t", "0 0 1", linear("2 0.1"))
        + axis("rotation3", "", "1 0 0")
        + axis(
            "translation1",
            "s",
            "1 0 0",
            element("PiecewiseLinearFunction", "function", x="0 1 2", y="1 3 2"),
        )
        + axis(
            "translation3",
            "t",
            "0 0 1",
            element("PolynomialFunction", "function", coefficients="1 2 3"),
        )
        + "</SpatialTransform>",
    ),
)
for _owner, _frame in (("b", "f"), ("a", "g"), ("c", "h")):
    TREE = TREE.replace(
        f'<Body name="{_owner}">',
        f'<Body name="{_owner}"><components>'
        + offset(_frame, "..", "0.1 -0.2 0.3", "0.4 0.5 -0.6")
        + "</components>",
    )


@pytest.mark.parametrize(
    "world",
    ["arm2dof6musc", pytest.param(TREE, marks=pytest.mark.thorough)],
    ids=["arm", "tree"],
)
def test_inertias_of_single_coordinates_multiply_to_the_determinant(world):
    structure, params = hopper_model.load(world)
    q = np.random.default_rng(1).uniform(0.1, 1.0, len(structure.coordinate_names))
    state = jaxosim.initial_state(structure, params, q=jnp.asarray(q))
    position = jax.jit(realize_position)(structure, params, state)
    mass = np.asarray(symmetric(mass_matrix(structure, position.bodies, position.inertia)))
    system = _System(structure.bodies, structure.tree, params.joints, params.bodies)
    alone = {coordinate: own for coordinate, own, _ in system.inertias(q)}
    assert set(alone) == set(range(len(q)))
    product = np.prod(list(alone.values()))
    np.testing.assert_allclose(product, np.linalg.det(mass), rtol=1e-9)
