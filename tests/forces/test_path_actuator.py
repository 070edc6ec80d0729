"""PathActuator: beside OpenSim and a muscle, power along the path, refusals."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim

STRAIGHT = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p2", "/bodyset/c", location="0 -0.5 0.2"
)
BENT = (
    osim.point("p1", location="0.5 0.4 0.1")
    + osim.point("p2", "/bodyset/a", location="0.1 0.2 0")
    + osim.point("p3", "/bodyset/c", location="0 -0.5 0.2")
)


def actuator(name, points, **values):
    """A PathActuator through points."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", points))
    return osim.element("PathActuator", name, path, **values)


WORLD = actuated_bodies.world(
    actuator("straight", STRAIGHT), actuator("bent", BENT, optimal_force="-2.5")
)


# parity


@pytest.mark.opensim
def test_tensions_beside_a_muscle_are_opensims(opensim):
    muscle = osim.muscle(points=STRAIGHT, optimal_fiber_length="0.4", tendon_slack_length="0.6")
    actuated_bodies.assert_opensims(
        actuated_bodies.world(actuator("a", BENT), muscle, actuator("b", STRAIGHT))
    )


def test_a_path_that_is_missing_is_refused():
    missing = osim.element("PathActuator", "p")
    with pytest.raises(OsimFormatError, match=r"PathActuator\[p\].*expected a GeometryPath"):
        hopper_model.load(actuated_bodies.world(missing))


# property


@pytest.mark.thorough
def test_power_is_tension_times_the_speed_of_shortening():
    """The speed of shortening, from the path's length at two instants."""
    text = actuated_bodies.world(actuator("a", STRAIGHT, optimal_force="3"))

    def power(model, params, info, controls):
        ends = []
        for h in (-1e-5, 1e-5):
            state = actuated_bodies.a_state(model, params)
            moved = dataclasses.replace(state, q=state.q + h * state.u)
            body = hopper_model.describe(model, params, moved, controls).bodies
            end = body.position[2] + body.rotation[2] @ jnp.array([0.0, -0.5, 0.2])
            ends.append(np.linalg.norm(end - jnp.array([0.3, 0.4, 0.1])))
        return -3 * controls[0] * (ends[1] - ends[0]) / 2e-5

    actuated_bodies.assert_power(text, power)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "path_actuators")


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
