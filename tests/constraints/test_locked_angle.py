"""Angles of Ball and Free joints that are locked, prescribed or coupled, beside OpenSim."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.joints import coordinate_rates, realize_joints
from jaxosim.integrators.projection import assemble, project
from tests import hopper_model
from tests.constraints.worlds import coupler, function
from tests.models import osim_text as osim

TIMED = "<prescribed_function><LinearFunction><coefficients>0.4 0.2</coefficients>"
TIMED += "</LinearFunction></prescribed_function>"


def coordinates(*elements):
    """The coordinates of a joint, each an element or a name."""
    texts = (e if e.startswith("<") else osim.element("Coordinate", e) for e in elements)
    return f"<coordinates>{''.join(texts)}</coordinates>"


def locked(name, value):
    """A coordinate that is locked at a value."""
    return osim.element("Coordinate", name, default_value=value, locked="true")


# A Free joint with two locked angles and a locked length; on it one Ball joint with a locked and a
# prescribed angle; on that one with two angles that are coupled, and one with all angles locked.
WORLD = osim.model(
    bodies="".join(
        osim.body(name, "2", mass_center="0.1 0.2 -0.3", inertia="0.3 0.2 0.4 0.01 0.02 0")
        for name in "abcd"
    ),
    joints=osim.joint(
        "FreeJoint",
        "free",
        "/ground",
        "/bodyset/a",
        coordinates(locked("ax", "0.4"), "ay", locked("az", "-0.3"), "tx", locked("ty", "1"), "tz"),
    )
    + osim.joint(
        "BallJoint",
        "ball",
        "/bodyset/a",
        "/bodyset/b",
        coordinates(
            "bx", locked("by", "0.5"), osim.element("Coordinate", "bz", TIMED, prescribed="true")
        ),
    )
    + osim.joint("BallJoint", "coupled", "/bodyset/b", "/bodyset/c", coordinates("cx", "cy", "cz"))
    + osim.joint(
        "BallJoint",
        "fixed",
        "/bodyset/c",
        "/bodyset/d",
        coordinates(locked("dx", "0.1"), locked("dy", "0.2"), locked("dz", "0.3")),
    ),
    rest=osim.members(
        "ConstraintSet",
        coupler("k", "cx cy", "cz", function("LinearFunction", coefficients="0.5 -0.3 0.1")),
    ),
)


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(WORLD)
    return model, params, jax.jit(lambda s: project(model, params, s))


def states_of(world, count, seed=1):
    """States on the constraints, speeds included, near the default pose."""
    model, params, onto = world
    rng, start = np.random.default_rng(seed), hopper_model.initial(model, params)
    moves = np.isin(np.arange(len(model.locked)), model.tree.mobility)
    states = []
    for _ in range(count):
        q = start.q + jnp.where(model.locked, 0.0, rng.uniform(-0.4, 0.4, start.q.shape))
        u = jnp.where(moves, rng.uniform(-1, 1, q.shape), 0.0)
        state = dataclasses.replace(start, q=q, u=u)
        for _ in range(3):
            state = onto(state)
        states.append(state)
    return states


# parity


@pytest.mark.opensim
def test_accelerations_are_opensims(opensim, world):
    model, params, _ = world
    oracle = hopper_model.oracle_of(WORLD)
    for state in states_of(world, 6):
        values = {"q": np.asarray(state.q), "u": np.asarray(state.u)}
        live = oracle.state_of(values)
        oracle.model.realizeAcceleration(live)
        expected = np.array([c.getAccelerationValue(live) for c in oracle._coordinates])
        found = hopper_model.rates(model, params, state, jnp.zeros(0)).u
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
        held = np.flatnonzero(model.locked)[:2]
        assert np.abs(expected[held]).max() > 1e-2  # speeds change where angles do not


@pytest.mark.thorough
@pytest.mark.opensim
def test_a_motion_is_opensims(opensim, world):
    model, params, _ = world
    (state,) = states_of(world, 1)
    start = {"q": np.asarray(state.q), "u": np.asarray(state.u)}
    expected = hopper_model.oracle_of(WORLD).trajectory(np.zeros((10, 0)), start=start)
    rollout = hopper_model.rollout_of(model, jaxosim.Options(substeps=20))
    found = rollout(params, state, jnp.zeros((10, 0)))
    np.testing.assert_allclose(found.q, expected["q"][1:], rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.u, expected["u"][1:], rtol=0, atol=2e-5)


@pytest.mark.opensim
def test_an_angle_beside_a_locked_and_a_prescribed_one_starts_as_in_opensim(opensim):
    """It stays. The equation of the locked one is zero for the others but for rounding."""
    third = osim.element("Coordinate", "c", default_value="0.7")
    timed = "<prescribed_function><Constant><value>-0.4</value></Constant></prescribed_function>"
    timed = osim.element("Coordinate", "b", timed, default_value="0.5", prescribed="true")
    joint = osim.joint(
        "FreeJoint",
        "free",
        "/ground",
        "/bodyset/body",
        coordinates(locked("a", "0.3"), timed, third, "x", "y", "z"),
    )
    body = osim.body("body", "2", inertia="0.3 0.2 0.4 0.01 0.02 0")
    text = osim.model(bodies=body, joints=joint)
    live = opensim.Model(str(hopper_model.path_of(text)))
    start = live.initSystem()
    found = live.getCoordinateSet()
    expected = [found.get(i).getValue(start) for i in range(6)]
    np.testing.assert_allclose(expected, [0.3, -0.4, 0.7, 0, 0, 0], rtol=0, atol=1e-9)
    q = jaxosim.initial_state(*hopper_model.load(text)).q
    np.testing.assert_allclose(q, expected, rtol=0, atol=1e-9)


# property


@pytest.mark.thorough
def test_locked_angles_stay_and_all_others_move(world):
    model, params, _ = world
    (state,) = states_of(world, 1)
    options = jaxosim.Options(substeps=20)
    end = hopper_model.rollout_of(model, options)(params, state, jnp.zeros((10, 0)))
    moved = np.abs(np.asarray(end.q[-1] - state.q))
    np.testing.assert_array_equal(moved[model.locked], 0.0)
    assert moved[~model.locked].min() > 1e-4
    joints = realize_joints(model, params, end.q[-1])
    free = dataclasses.replace(model, locked=np.zeros_like(model.locked))
    rates = np.asarray(coordinate_rates(free, joints, end.u[-1]))
    angles = [model.coordinate_names.index(name) for name in ("ax", "az", "by")]
    assert np.abs(rates[angles]).max() < 1e-10  # of the angles that the speeds would move


@pytest.mark.thorough
def test_a_pose_is_assembled_with_locked_angles_where_they_are(world):
    model, params, _ = world
    start = hopper_model.initial(model, params)
    moved = dataclasses.replace(start, q=start.q.at[model.coordinate_names.index("cy")].set(0.7))
    pose = assemble(model, params, moved)
    np.testing.assert_array_equal(pose.q[model.locked], moved.q[model.locked])
    value = dict(zip(model.coordinate_names, pose.q.tolist(), strict=True))
    assert value["bz"] == pytest.approx(0.2, abs=1e-12)
    coupled = 0.5 * value["cx"] - 0.3 * value["cy"] + 0.1
    assert value["cz"] == pytest.approx(coupled, abs=1e-12)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences(world):
    model, params, _ = world
    (state,) = states_of(world, 1)

    def scalar(q, u):
        at = dataclasses.replace(state, q=q, u=u)
        return jnp.sum(hopper_model.rates(model, params, at, jnp.zeros(0)).u)

    at = state.q, state.u
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.jit(jax.grad(scalar, argnums=(0, 1)))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-3)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-6)


# batch, compile


@pytest.mark.thorough
def test_batches_of_fused_kernels_equal_single_worlds_and_are_traced_once():
    joints = coordinates(locked("x", "0.4"), "y", locked("z", "-0.3"))
    text = osim.model(
        bodies=osim.body("a", mass_center="0.1 0.2 -0.3"),
        joints=osim.joint("BallJoint", "ball", "/ground", "/bodyset/a", joints),
    )
    model, params = hopper_model.load(text)
    start = hopper_model.initial(model, params)
    starts = [
        dataclasses.replace(start, q=start.q.at[1].set(y), u=jnp.full(3, y)) for y in (0.5, -0.2)
    ]
    hopper_model.assert_batches_equal_single_worlds(jaxosim.state_derivative, model, params, starts)
