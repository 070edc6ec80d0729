"""Models of which nothing can move: muscles still contract, everything else stands still."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.constraints import worlds
from tests.models import osim_text as osim


def world(constraint=""):
    """Two bodies on pins that are locked, and a muscle."""
    names = "ab"
    bodies = "".join(osim.body(name, inertia="0.1 0.1 0.1 0 0 0") for name in names)
    locks = [osim.coordinates(f"q{name}", locked="true", default_value="0.3") for name in names]
    joints = "".join(
        osim.joint("PinJoint", f"j{name}", "/ground", f"/bodyset/{name}", lock)
        for name, lock in zip(names, locks, strict=True)
    )
    points = osim.point("p", location="-0.2 0.4 0")
    points += osim.point("o", "/bodyset/b", location="0.1 0.1 0")
    muscle = osim.muscle(points=points, tendon_slack_length="0.3", optimal_fiber_length="0.1")
    rest = osim.members("ConstraintSet", constraint) if constraint else ""
    return osim.model(muscle, bodies=bodies, joints=joints, rest=rest)


SAME = worlds.function("LinearFunction", coefficients="1 0")
LOCKED, COUPLED = world(), world(worlds.coupler("c", "qa", "qb", SAME))


@pytest.mark.opensim
@pytest.mark.parametrize("text", [LOCKED, COUPLED], ids=["locked", "coupled"])
def test_muscles_are_opensims(opensim, text):
    model, params = hopper_model.load(text)
    states = hopper_model.states_at(model, params, np.full((3, 2), 0.3), np.zeros((3, 2)))
    hopper_model.assert_parity(text, states, only=("poses, velocities", "paths", "muscles"))


@pytest.mark.parametrize("text", [LOCKED, COUPLED], ids=["locked", "coupled"])
def test_a_step_contracts_the_muscle_and_moves_nothing(text):
    model, params = hopper_model.load(text)
    start = jaxosim.initial_state(model, params)

    def fiber_length(excitation):
        after = jaxosim.step(model, params, start, excitation[None])
        return after.fiber_length[0], after.q

    excitations = jnp.array([0.1, 0.9])
    lengths, poses = jax.vmap(fiber_length)(excitations)
    np.testing.assert_array_equal(poses, np.broadcast_to(start.q, (2, 2)))
    assert lengths[1] < lengths[0]
    one = [fiber_length(excitation)[0] for excitation in excitations]
    np.testing.assert_allclose(lengths, one, rtol=1e-13)
    slope = jax.grad(lambda x: fiber_length(x)[0])(excitations[0])
    up, down = (fiber_length(excitations[0] + side)[0] for side in (1e-4, -1e-4))
    np.testing.assert_allclose(slope, (up - down) / 2e-4, rtol=1e-5)
    arms = jaxosim.describe(model, params, start, excitations[:1]).muscles.moment_arm
    np.testing.assert_array_equal(arms, np.zeros((1, 2)))
