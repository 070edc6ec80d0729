"""PointActuator: beside OpenSim with points and directions in body and ground, power, refusals."""

import jax.numpy as jnp
import pytest

from jaxosim.errors import OsimFormatError
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim


def actuator(name, body="c", **values):
    """A PointActuator."""
    return osim.element("PointActuator", name, body=body, **values)


AT = {"point": "0.3 -0.2 0.5", "direction": "1 -2 0.5"}
WORLD = actuated_bodies.world(
    actuator("default"),
    actuator("local", "b", optimal_force="2.5", **AT),
    actuator("global_force", force_is_global="true", **AT),
    actuator("global_point", "a", point_is_global="true", **AT),
    actuator("global", "b", point_is_global="true", force_is_global="true", **AT),
)


# parity


@pytest.mark.opensim
def test_forces_at_points_of_every_kind_are_opensims(opensim):
    actuated_bodies.assert_opensims(WORLD)


@pytest.mark.parametrize(
    "given, expected",
    [
        (actuator("p", "nobody"), "expected in body the name of a body, found 'nobody'"),
        (actuator("p", "ground"), "expected in body the name of a body, found 'ground'"),
        (actuator("p", direction="0 0 0"), "expected a direction other than zero"),
    ],
)
def test_bodies_and_directions_that_are_none_are_refused(given, expected):
    with pytest.raises(OsimFormatError, match=rf"PointActuator\[p\].*{expected}"):
        hopper_model.load(actuated_bodies.world(given))


# property


@pytest.mark.thorough
def test_power_is_force_times_the_velocity_of_the_point():
    def power(model, params, info, controls):
        bodies, c = info.bodies, 2
        point = bodies.rotation[c] @ jnp.array([0.3, -0.2, 0.5])
        velocity = bodies.velocity[c] + jnp.cross(bodies.angular_velocity[c], point)
        return 4 * controls[0] * velocity[1]

    upward = actuator(
        "p", point=AT["point"], direction="0 3 0", force_is_global="true", optimal_force="4"
    )
    actuated_bodies.assert_power(actuated_bodies.world(upward), power)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "point_actuators")


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
