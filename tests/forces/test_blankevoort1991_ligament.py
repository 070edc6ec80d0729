"""Blankevoort1991Ligament: beside OpenSim, continuous slopes, damping only while it lengthens."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.outputs import force_records
from tests import actuated_bodies, hopper_model
from tests.models import osim_text as osim

POINTS = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p2", "/bodyset/c", location="0 -0.5 0.2"
)
STIFFNESS, TRANSITION, DAMPING, SLACK = 500.0, 0.06, 20.0, 0.8


def ligament(name, **values):
    """A Blankevoort1991Ligament."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", POINTS))
    values = {
        "linear_stiffness": "500",
        "damping_coefficient": "20",
        "slack_length": "0.8",
    } | values
    return osim.element("Blankevoort1991Ligament", name, path, **values)


WORLD = actuated_bodies.world(
    ligament("beyond", slack_length="0.3"),
    ligament("toe", slack_length="0.9", transition_strain="2"),
    ligament("slack", slack_length="5"),
    ligament("sharp", slack_length="0.7", transition_strain="0"),
)
SLIDER = osim.model(
    ligament("l").replace("/bodyset/c", "/bodyset/a").replace("0 -0.5 0.2", "0.3 0.4 0.1"),
    joints=osim.joint("SliderJoint", "j", "/ground", "/bodyset/a", osim.coordinates("x")),
)


# parity


@pytest.mark.opensim
def test_ligaments_are_opensims(opensim):
    actuated_bodies.assert_opensims(WORLD)


@pytest.mark.parametrize("tag", ["linear_stiffness", "transition_strain", "damping_coefficient"])
def test_negative_numbers_are_refused(tag):
    with pytest.raises(OsimFormatError, match=rf"Ligament\[l\].*expected a {tag} of 0 or more"):
        hopper_model.load(actuated_bodies.world(ligament("l", **{tag: "-1"})))


def test_a_slack_length_of_zero_is_refused():
    with pytest.raises(OsimFormatError, match="expected a slack_length above 0, found 0.0"):
        hopper_model.load(actuated_bodies.world(ligament("l", slack_length="0")))


# property


def at(strain, rate):
    """Records of the slider's ligament, `[state, record]`, and slopes of its tension by x and u."""
    model, params = hopper_model.load(SLIDER)

    def info(x, u):
        state = dataclasses.replace(hopper_model.initial(model, params), q=x[None], u=u[None])
        return jaxosim.describe(model, params, state, jnp.zeros(0))

    def total(x, u):
        return info(x, u).forces["blankevoort1991_ligaments"].total_force[0]

    given = SLACK * (1 + jnp.asarray(strain)), SLACK * jnp.asarray(rate)
    slopes = jax.jit(jax.vmap(jax.grad(total, argnums=(0, 1))))(*given)
    found = jax.jit(jax.vmap(info))(*given)
    rows = [jax.tree.map(lambda x, i=i: x[i], found) for i in range(len(strain))]
    return np.array([force_records(model, row)["l"] for row in rows]), slopes


@pytest.mark.thorough
def test_tension_follows_the_published_curve():
    strain = np.array([-0.1, 0.0, 0.03, 0.06, 0.1, 0.1, 0.1, 0.005])
    rate = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 2.0, -2.0, 2.0])
    record, _ = at(strain, rate)
    spring = [0, 0, 500 * 0.03**2 / 0.12, 15, *[500 * 0.07] * 3, 500 * 0.005**2 / 0.12]
    np.testing.assert_allclose(record[:, 0], spring, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(record[:, 1], [0, 0, 0, 0, 0, 40, 0, 20], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(record[:, 2], record[:, 0] + record[:, 1], rtol=1e-15)
    np.testing.assert_allclose(record[:, 5], strain, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(record[:, 6], rate, rtol=1e-12, atol=1e-15)


@pytest.mark.thorough
def test_the_slope_does_not_jump_where_the_toe_begins_and_ends():
    edges = np.array([0.0, TRANSITION])
    _, (slope, _) = at(np.concatenate([edges - 1e-9, edges, edges + 1e-9]), np.zeros(6))
    expected = np.array([0.0, STIFFNESS / SLACK])
    np.testing.assert_allclose(slope.reshape(3, 2), [expected] * 3, rtol=1e-7, atol=1e-4)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "blankevoort1991_ligaments")


@pytest.mark.thorough
def test_slopes_are_finite_at_the_awkward_points():
    strain, rate = (x.ravel() for x in np.meshgrid([-1.0, 0.0, 0.01, 0.06, 3.0], [-1.0, 0.0, 1.0]))
    record, slopes = at(strain, rate)
    assert np.isfinite(record).all() and hopper_model.all_finite(slopes)


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
