"""BodyActuator: six controls, beside OpenSim in body and ground, power, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim


def actuator(name, body="/bodyset/c", **values):
    """A BodyActuator."""
    return osim.element("BodyActuator", name, socket_body=body, **values)


LOCAL = {"spatial_force_is_global": "false", "point": "0.3 -0.2 0.5"}
WORLD = actuated_bodies.world(
    actuator("default"),
    actuator("local", "/bodyset/b", **LOCAL),
    actuator("global_point", "/bodyset/a", point_is_global="true", point="0.3 0.1 0.2"),
)


# parity


@pytest.mark.opensim
def test_torques_and_forces_of_every_kind_are_opensims(opensim):
    actuated_bodies.assert_opensims(WORLD)


@pytest.mark.opensim
def test_controls_are_named_and_ordered_as_opensims(opensim):
    spring = osim.element("CoordinateActuator", "s", coordinate="q")
    text = actuated_bodies.world(spring, actuator("body"), spring.replace('"s"', '"t"'))
    live = opensim.Model(str(hopper_model.path_of(text)))
    live.initSystem()
    paths = opensim.createControlNamesFromModel(live)
    model, _ = hopper_model.load(text)
    assert model.control_names == tuple(path.rpartition("/")[2] for path in paths)
    assert model.control_names[:3] == ("s", "body_0", "body_1")
    np.testing.assert_array_equal(model.min_control, np.full(8, -np.inf))


@pytest.mark.parametrize("path", ["", "/ground", "/bodyset/nobody", "/tilted"])
def test_what_is_no_body_is_refused(path):
    with pytest.raises(OsimFormatError, match=r"BodyActuator\[b\].*in socket_body the name of a"):
        hopper_model.load(actuated_bodies.world(actuator("b", path)))


# property


@pytest.mark.thorough
def test_power_is_that_of_torque_and_force():
    def power(model, params, info, controls):
        bodies, c = info.bodies, 2
        point = bodies.rotation[c] @ jnp.array([0.3, -0.2, 0.5])
        velocity = bodies.velocity[c] + jnp.cross(bodies.angular_velocity[c], point)
        torque, force = (bodies.rotation[c] @ part for part in (controls[:3], controls[3:]))
        return torque @ bodies.angular_velocity[c] + force @ velocity

    actuated_bodies.assert_power(actuated_bodies.world(actuator("b", **LOCAL)), power)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "body_actuators")


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
