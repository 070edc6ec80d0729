"""PointToPointSpring: beside OpenSim between points of several frames, energy, points that meet."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES, POINTS
from tests.models import osim_text as osim

NUMBERS = {"stiffness": "90", "rest_length": "0.6"}


def spring(name, first, second, **values):
    """A spring between points of two frames."""
    sockets = {"socket_body1": first, "socket_body2": second}
    return osim.element("PointToPointSpring", name, **sockets, **values)


WORLD = osim.model(
    spring("on_ground", "/ground", "/bodyset/a", **POINTS, **NUMBERS),
    spring("between", "/bodyset/b", "/bodyset/a", **POINTS, stiffness="40"),
    spring("welded", "/bodyset/a", "/bodyset/w", **POINTS, **NUMBERS),
    spring("in_frame", "/bodyset/b/o", "/ground", **POINTS, **NUMBERS),
    spring("still", "/bodyset/b", "/bodyset/w", **POINTS, **NUMBERS),
    spring("default", "/bodyset/b", "/ground"),
    **BODIES,
)
BETWEEN_ORIGINS = osim.model(spring("s", "/ground", "/bodyset/a", stiffness="50"), **BODIES)


# parity


@pytest.mark.opensim
def test_springs_between_points_of_all_kinds_of_frames_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    assert len(model.point_springs.names) == 6
    hopper_model.assert_parity(WORLD, checks.states(model, params, 32))


def test_bodies_of_old_files_are_found():
    text = osim.model(
        osim.element("PointToPointSpring", "s", body1="ground", body2="a", isDisabled="false"),
        osim.element("PointToPointSpring", "off", body1="ground", body2="a", isDisabled="true"),
        version=30400,
        bodies=osim.element(
            "Body",
            "a",
            "<Joint><PinJoint name='j'><parent_body>ground</parent_body>"
            + osim.members("CoordinateSet", osim.element("Coordinate", "q"))
            + "</PinJoint></Joint>",
            mass="1",
            mass_center="0 0 0",
        ),
        joints="",
    )
    model, _ = hopper_model.load(text)
    assert model.point_springs.names == ("s",)
    assert model.point_springs.pairs.body.tolist() == [[-1], [0]]


def test_points_of_one_body_are_refused():
    text = osim.model(spring("s", "/bodyset/b/o", "/bodyset/b"), **BODIES)
    with pytest.raises(OsimFormatError, match=r"\[s\]: expected points of two bodies.*'b'"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_the_power_of_springs_is_what_their_energy_loses():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    stiffness = params.point_springs.stiffness

    def energy(forces):
        return jnp.sum(forces["point_springs"].tension ** 2 / stiffness) / 2

    info = hopper_model.describe(model, params, state, checks.no_controls())
    out, body = info.forces["point_springs"], model.point_springs.pairs.body

    def motion(values):
        return jnp.concatenate([values, jnp.zeros((1, 3))])[body.T]

    location = jnp.swapaxes(params.point_springs.location, 0, 1)
    R = jnp.concatenate([info.bodies.rotation, jnp.eye(3)[None]])[body.T]
    arm = jnp.einsum("fsij,fsj->fsi", R, location)
    velocity = motion(info.bodies.velocity) + jnp.cross(motion(info.bodies.angular_velocity), arm)
    lost = -checks.energy_rate(model, params, state, energy)
    assert float(jnp.sum(out.force * velocity)) == pytest.approx(lost, rel=1e-10)


@pytest.mark.thorough
def test_points_that_meet_pull_nothing_and_have_finite_derivatives():
    model, params = hopper_model.load(BETWEEN_ORIGINS)
    at = hopper_model.initial(model, params)

    def acceleration(q):
        state = dataclasses.replace(at, q=q)
        return hopper_model.rates(model, params, state, checks.no_controls()).u

    slopes = jax.jit(jax.jacrev(acceleration))(jnp.zeros_like(at.q))
    assert hopper_model.all_finite((acceleration(at.q), slopes))


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    checks.assert_gradients_equal_differences(model, params, "point_springs", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)


@pytest.mark.thorough
def test_a_stiff_spring_between_points_that_meet_holds_a_body():
    """1e7 N/m on 2 kg, without rest length: as stiff in every direction."""
    model, params = hopper_model.load(BETWEEN_ORIGINS)
    hard = dataclasses.replace(params.point_springs, stiffness=jnp.array([1e7]))
    params = dataclasses.replace(params, point_springs=hard)
    start = hopper_model.initial(model, params)
    end = jaxosim.rollout(model, params, start, jnp.zeros((20, 0)))
    assert np.all(np.isfinite(end.u)) and np.abs(end.q[:, 3:6]).max() < 1e-3
