"""TorqueActuator: beside OpenSim in ground's and in tilted axes, its power, refusals."""

import jax.numpy as jnp
import pytest

from jaxosim.errors import OsimFormatError
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim


def actuator(name, a, b, **values):
    """A TorqueActuator."""
    return osim.element("TorqueActuator", name, bodyA=a, bodyB=b, **values)


WORLD = actuated_bodies.world(
    actuator("default", "a", "ground"),
    actuator("global", "c", "a", axis="1 2 -3", optimal_force="2.5"),
    actuator("local", "b", "c", axis="0.1 0 0.2", torque_is_global="false"),
    actuator("tilted", "tilted", "ground", axis="0 2 1", torque_is_global="false"),
    actuator("path", "/bodyset/c", "/bodyset/b", torque_is_global="0", optimal_force="-1.5"),
    actuator("off", "a", "b", appliesForce="false"),
)


# parity


@pytest.mark.opensim
def test_torques_in_axes_of_every_kind_are_opensims(opensim):
    actuated_bodies.assert_opensims(
        WORLD.replace(actuator("off", "a", "b", appliesForce="false"), actuator("on", "a", "b"))
    )


@pytest.mark.parametrize(
    "given, expected",
    [
        (
            actuator("t", "nobody", "ground"),
            "expected in bodyA the path of a frame, found '/bodyset/no",
        ),
        (actuator("t", "a", ""), "expected in bodyB the path of a frame, found '/bodyset/'"),
        (actuator("t", "a", "b", axis="0 0 0"), "expected a axis other than zero"),
    ],
)
def test_bodies_and_axes_that_are_none_are_refused(given, expected):
    with pytest.raises(OsimFormatError, match=rf"TorqueActuator\[t\].*{expected}"):
        hopper_model.load(actuated_bodies.world(given))


# property


@pytest.mark.thorough
def test_power_is_torque_times_the_relative_angular_velocity():
    def power(model, params, info, controls):
        bodies, a, b = info.bodies, 2, 1  # c and b
        axis = bodies.rotation[a] @ jnp.array([0.0, 0.0, 1.0])
        return 2 * controls[0] * axis @ (bodies.angular_velocity[a] - bodies.angular_velocity[b])

    local = actuator("t", "c", "b", axis="0 0 7", torque_is_global="false", optimal_force="2")
    actuated_bodies.assert_power(actuated_bodies.world(local), power)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "torque_actuators")


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
