"""PointToPointActuator: beside OpenSim, power, direction, refusals."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim


def actuator(name, first="a", second="c", **values):
    """A PointToPointActuator."""
    values = {"pointA": "0.1 0.2 -0.3", "pointB": "0 -0.5 0.2", "optimal_force": "30"} | values
    return osim.element("PointToPointActuator", name, bodyA=first, bodyB=second, **values)


WORLD = actuated_bodies.world(
    actuator("ac"),
    actuator("ba", "b", "a", optimal_force="4"),
    actuator("own", "c", "c"),
)


# parity


@pytest.mark.opensim
def test_actuators_are_opensims(opensim):
    actuated_bodies.assert_opensims(WORLD)


def test_points_in_ground_are_refused():
    text = actuated_bodies.world(actuator("p", points_are_global="true"))
    with pytest.raises(UnsupportedComponentError, match="points_are_global is not simulated"):
        hopper_model.load(text)


def test_a_body_that_is_none_is_named():
    with pytest.raises(OsimFormatError, match="expected in bodyB the name of a body, found 'd'"):
        hopper_model.load(actuated_bodies.world(actuator("p", second="d")))


# property


@pytest.mark.thorough
def test_the_power_is_force_times_speed_of_parting():
    """That of the only actuator whose points part, by differences of their distance."""
    text = actuated_bodies.world(actuator("ac"))

    def power(model, params, info, controls):
        first, second = (info.bodies.rotation[i] for i in (0, 2))
        arms = first @ jnp.array([0.1, 0.2, -0.3]), second @ jnp.array([0.0, -0.5, 0.2])
        apart = info.bodies.position[2] + arms[1] - info.bodies.position[0] - arms[0]
        speed = info.bodies.velocity[2] + jnp.cross(info.bodies.angular_velocity[2], arms[1])
        speed -= info.bodies.velocity[0] + jnp.cross(info.bodies.angular_velocity[0], arms[0])
        return controls[0] * 30 * jnp.dot(speed, apart) / jnp.linalg.norm(apart)

    actuated_bodies.assert_power(text, power)


@pytest.mark.thorough
def test_points_of_one_place_give_no_force_where_opensims_is_nan():
    """A slider at its origin: both points are at the origin of ground."""
    joint = osim.joint("SliderJoint", "j", "/ground", "/bodyset/a", osim.coordinates("x"))
    joint += osim.joint("PinJoint", "k", "/ground", "/bodyset/b", osim.coordinates("r"))
    zero = {"pointA": "0 0 0", "pointB": "0 0 0"}
    text = osim.model(
        actuator("p", "a", "b", **zero), joints=joint, bodies=osim.body("a") + osim.body("b")
    )
    model, params = hopper_model.load(text)
    state = hopper_model.initial(model, params)
    for x, pushes in ((0.0, False), (0.2, True)):
        at = dataclasses.replace(state, q=jnp.array([x, 0.0]))
        forced, free = (hopper_model.rates(model, params, at, jnp.full(1, c)).u for c in (1.0, 0.0))
        moved = np.asarray(forced - free)
        assert np.isfinite(moved).all() and (moved[0] > 0) == pushes


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "point_to_point_actuators")


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
