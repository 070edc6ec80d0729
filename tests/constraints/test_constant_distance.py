"""ConstantDistanceConstraint where its points coincide: Simbody's direction, forces, assembly."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.integrators.projection import assemble, constraint_error
from tests import hopper_model
from tests.models import osim_text as osim

pytestmark = pytest.mark.thorough

NONE = jnp.zeros(0)  # controls
DISTANCE = 0.3
ROD = osim.element(
    "ConstantDistanceConstraint",
    "rod",
    socket_body_1="/bodyset/w",
    socket_body_2="/bodyset/b",
    location_body_1="0 0 0",
    location_body_2="0 0 0",
    constant_distance=str(DISTANCE),
)
# Body a turns about ground's origin, w is welded to it askew; the free body b begins there as well.
MEETING = osim.model(
    bodies="".join(
        osim.body(name, mass, mass_center=center, inertia="0.3 0.2 0.4 0.01 0.02 0")
        for name, mass, center in (
            ("a", "1", "0.1 -0.2 0.05"),
            ("w", "0.5", "0 0 0.1"),
            ("b", "2", "0.1 0 0.05"),
        )
    ),
    joints=osim.joint(
        "GimbalJoint",
        "turn",
        "/ground",
        "/bodyset/a",
        "<coordinates>"
        + "".join(
            osim.element("Coordinate", name, default_value=value)
            for name, value in (("x", "0.4"), ("y", "-0.3"), ("z", "0.7"))
        )
        + "</coordinates>",
    )
    + osim.joint(
        "WeldJoint",
        "weld",
        "askew",
        "/bodyset/w",
        osim.frames(osim.offset("askew", "/bodyset/a", orientation="0.3 -0.2 0.5")),
    )
    + osim.joint(
        "FreeJoint",
        "free",
        "/ground",
        "/bodyset/b",
        osim.coordinates("rx", "ry", "rz", "tx", "ty", "tz"),
    ),
    rest=osim.members("ConstraintSet", ROD),
)


@pytest.fixture(scope="module")
def world():
    """Model, params, and states in motion in which the points coincide."""
    model, params = hopper_model.load(MEETING)
    rng = np.random.default_rng(4)
    q = np.concatenate([rng.uniform(-1, 1, (4, 6)), np.zeros((4, 3))], axis=1)
    return model, params, hopper_model.states_at(model, params, q, rng.normal(size=q.shape))


def state_of(states):
    """Our state of the first of these states."""
    values = {key: jnp.asarray(value[0]) for key, value in states.items()}
    return jaxosim.State(**{key: v for key, v in values.items() if key != "excitation"})


@pytest.mark.opensim
def test_accelerations_where_the_points_coincide_are_opensims(opensim, world):
    hopper_model.assert_parity(MEETING, world[2], only=("reported accel.", "refined accel."))


@pytest.mark.opensim
def test_points_that_coincide_are_assembled_as_opensim_assembles_them(opensim, world):
    model, params, _ = world
    expected = hopper_model.oracle_of(MEETING).defaults
    found = hopper_model.initial(model, params)
    assert np.linalg.norm(expected[6:]) == pytest.approx(DISTANCE, abs=1e-9)
    np.testing.assert_allclose(found.q, expected, rtol=0, atol=1e-6)
    assert float(constraint_error(model, params, found)) < 1e-12


def test_gradients_where_the_points_coincide_are_finite(world):
    """By the speeds they are differences too; the direction jumps with the pose."""
    model, params, states = world
    start = state_of(states)

    def scalar(u, state, params):
        rates = jaxosim.state_derivative(model, params, dataclasses.replace(state, u=u), NONE)
        return jnp.sum(rates.u**2)

    value = jax.jit(scalar)
    by_speed, *others = jax.jit(jax.grad(scalar, argnums=(0, 1, 2)))(start.u, start, params)
    assert hopper_model.all_finite((by_speed, *others)) and np.abs(by_speed).min() > 0
    for index, slope in enumerate(by_speed):
        step = 1e-5 * np.eye(len(by_speed))[index]
        ahead, behind = (value(start.u + sign * step, start, params) for sign in (1, -1))
        assert float(ahead - behind) / 2e-5 == pytest.approx(float(slope), rel=1e-6)


def test_the_gradient_of_an_assembly_from_coinciding_points_is_finite(world):
    model, params, states = world

    def scalar(distance, q):
        rods = dataclasses.replace(params.constant_distances, constant_distance=distance)
        changed = dataclasses.replace(params, constant_distances=rods)
        moved = assemble(model, changed, dataclasses.replace(state_of(states), q=q))
        return jnp.linalg.norm(moved.q[6:]) + 0.0 * jnp.sum(moved.q)

    slopes = jax.jit(jax.grad(scalar, argnums=(0, 1)))(np.full(1, DISTANCE), states["q"][0])
    assert hopper_model.all_finite(slopes)
    assert float(slopes[0][0]) == pytest.approx(1.0, rel=1e-9)  # the mass center is off the rod


def test_a_batch_is_a_loop_where_the_points_coincide(world):
    model, params, states = world
    rates = jax.jit(lambda s: jaxosim.state_derivative(model, params, s, NONE).u)
    values = {key: jnp.asarray(value) for key, value in states.items() if key != "excitation"}
    batch = jaxosim.State(**values)
    together = jax.vmap(rates)(batch)
    for index in range(len(together)):
        alone = rates(hopper_model.row(batch, index))
        np.testing.assert_allclose(together[index], alone, rtol=1e-12, atol=1e-12)
