"""Ligament: beside OpenSim with its own and another curve, slackness, stiffness, refusals."""

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
CURVE = osim.element("PiecewiseLinearFunction", "force_length_curve", x="0 1 2", y="-1 0.1 3")


def ligament(name, curve="", **values):
    """A Ligament."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", POINTS))
    values = {"resting_length": "0.3", "pcsa_force": "40"} | values
    return osim.element("Ligament", name, path + curve, **values)


WORLD = actuated_bodies.world(
    ligament("default"),
    ligament("short", resting_length="0.2"),
    ligament("slack", resting_length="5"),
    ligament("other", CURVE),
)
PENDULUM = osim.model(
    ligament("l", resting_length="0.8").replace("/bodyset/c", "/bodyset/a"),
    joints=osim.joint("SliderJoint", "j", "/ground", "/bodyset/a", osim.coordinates("x")),
)


# parity


@pytest.mark.opensim
def test_ligaments_with_curves_of_every_kind_are_opensims(opensim):
    actuated_bodies.assert_opensims(WORLD)


@pytest.mark.parametrize("length", ["0", "-0.1", None])
def test_a_resting_length_that_is_not_above_zero_is_refused(length):
    text = ligament("l", resting_length=length or "REMOVED")
    text = text.replace("<resting_length>REMOVED</resting_length>", "")
    with pytest.raises(OsimFormatError, match=r"Ligament\[l\].*expected a resting_length above 0"):
        hopper_model.load(actuated_bodies.world(text))


def test_a_curve_of_two_arguments_is_refused():
    curve = osim.element("LinearFunction", "force_length_curve", coefficients="1 1 0")
    with pytest.raises(OsimFormatError, match="force_length_curve a function of one argument"):
        hopper_model.load(actuated_bodies.world(ligament("l", curve)))


# property


def tensions(model, params, x):
    """Tension (N) of the pendulum's ligament at values of its coordinate."""

    def one(value):
        state = dataclasses.replace(hopper_model.initial(model, params), q=value[None])
        return jaxosim.describe(model, params, state, jnp.zeros(0)).forces["ligaments"].tension[0]

    return jax.jit(jax.vmap(one))(x), jax.jit(jax.vmap(jax.grad(one)))(x)


@pytest.mark.thorough
def test_the_default_curve_passes_through_its_points():
    """Stretched by 10 to 60 percent; slack below."""
    model, params = hopper_model.load(PENDULUM)
    stretch = np.array([0.97, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    offset = np.array([0.4 + 0.5, 0.1 - 0.2])  # across the slider, of the two points
    x = 0.3 + np.sqrt(np.maximum((0.8 * stretch) ** 2 - np.sum(offset**2), 0.0))
    reached = np.hypot(x - 0.3, np.linalg.norm(offset)) / 0.8
    tension, _ = tensions(model, params, jnp.asarray(x))
    expected = 40 * np.array([0.0, 0.0, 0.12, 0.26, 0.55, 1.17, 2.0])
    touched = np.isclose(reached, stretch)
    assert touched[2:].all()
    np.testing.assert_allclose(tension[2:], expected[2:], rtol=1e-9)


@pytest.mark.thorough
def test_a_slack_ligament_pulls_nothing():
    model, params = hopper_model.load(WORLD)
    info = hopper_model.describe(
        model, params, actuated_bodies.a_state(model, params), jnp.zeros(0)
    )
    records = force_records(model, info)
    assert records["slack"] == [0.0]
    assert records["short"][0] > records["default"][0] > 0


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    actuated_bodies.assert_gradients(WORLD, "ligaments")


@pytest.mark.thorough
def test_the_slope_is_finite_where_the_ligament_becomes_taut():
    model, params = hopper_model.load(PENDULUM)
    taut = 0.3 + np.sqrt(0.95**2 - 0.82)  # at a resting length of 0.95
    long = dataclasses.replace(params.ligaments, resting_length=jnp.array([0.95]))
    changed = dataclasses.replace(params, ligaments=long)
    tension, slope = tensions(model, changed, jnp.array([taut - 1e-6, taut, taut + 1e-6]))
    assert np.isfinite(slope).all() and np.abs(tension).max() < 1e-3


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    actuated_bodies.assert_batched(WORLD)
