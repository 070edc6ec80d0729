"""Accelerations as good as by a recursion from body to body, where one body is pulled far more.

A leg hangs on an axle through a light hub's mass center, and a stiff spring pulls its foot. No
torque acts on the hub, so its angular acceleration is zero, beside 4e7 rad/s² of the leg.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim import fused
from tests import hopper_model
from tests.forces.touching import as_states
from tests.models import osim_text as osim

STATES = 12
ZERO = 1e-10  # rad/s²: 1e-7 if refined by M, 1e-8 if wrenches are summed from the hub to the shank
TOLERANCE = 1e-12  # of max(1, |acceleration|), of all coordinates


def hinge(parent, child, coordinate, at="0 0 0"):
    """A PinJoint about z."""
    inside = osim.coordinates(coordinate) + osim.frames(osim.offset("from", parent, at))
    return osim.joint("PinJoint", coordinate, "from", f"/bodyset/{child}", inside)


def pulled_leg():
    """The hub on a PlanarJoint, with its leg and spring."""
    light = {"mass_center": "0 -0.2 0", "inertia": "1e-4 1e-4 1e-3 0 0 0"}
    spring = osim.element(
        "PointToPointSpring",
        "spring",
        socket_body1="/ground",
        socket_body2="/bodyset/shank",
        point1="1 1 1",
        point2="0.05 -0.4 0",
        stiffness="1e5",
        rest_length="0.1",
    )
    base = osim.coordinates("tilt", "x", "y")
    return osim.model(
        spring,
        bodies=osim.body("hub", "0.5", inertia="1e-4 1e-4 1e-4 0 0 0")
        + osim.body("thigh", "0.05", **light)
        + osim.body("shank", "0.05", **light),
        joints=osim.joint("PlanarJoint", "base", "/ground", "/bodyset/hub", base)
        + hinge("/bodyset/hub", "thigh", "hip")
        + hinge("/bodyset/thigh", "shank", "knee", at="0 -0.4 0"),
    )


@functools.cache
def states():
    """`[state, …]` for the oracle."""
    model, params = hopper_model.load(pulled_leg())
    rng = np.random.default_rng(1)
    shape = STATES, len(model.coordinate_names)
    q, u = rng.uniform(-1.5, 1.5, shape), rng.standard_normal(shape)
    return hopper_model.states_at(model, params, q, u)


@functools.cache
def obtained(kernel):
    """`[state, coordinate]`."""
    model, params = hopper_model.load(pulled_leg())
    with fused.using(kernel):
        one = lambda state: jaxosim.state_derivative(model, params, state, jnp.zeros(0)).u  # noqa: E731
        return np.asarray(jax.jit(jax.vmap(one))(as_states(states())))


# parity


@pytest.mark.opensim
def test_accelerations_are_opensims():
    """Those that satisfy its equations: what it reports turns the hub by up to 3e-8 rad/s²."""
    from jaxosim.opensim.scatter import accelerations

    oracle = hopper_model.oracle_of(pulled_leg())
    said = [accelerations(oracle, hopper_model.row(states(), i)) for i in range(STATES)]
    expected = np.array([one["refined_u_dot"] for one in said])
    error = np.abs(obtained("xla") - expected) / np.maximum(1.0, np.abs(expected))
    assert error.max() < TOLERANCE


# property


@pytest.mark.parametrize("kernel", ["fused", "xla"])
def test_a_pulled_leg_does_not_turn_the_hub(kernel):
    if kernel == "fused" and not fused.is_available():
        pytest.skip("kernels cannot be made here")
    u_dot = obtained(kernel)
    tilt = hopper_model.load(pulled_leg())[0].coordinate_names.index("tilt")
    assert np.abs(u_dot).max() > 1e7
    assert np.abs(u_dot[:, tilt]).max() < ZERO
