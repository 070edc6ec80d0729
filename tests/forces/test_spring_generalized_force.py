"""SpringGeneralizedForce and the passive ankle of the walkers that have lost a leg."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.forces import spring_generalized_force
from jaxosim.forces.spring_generalized_force import Params
from tests import hopper_model
from tests.models import osim_text as osim

SPRINGS = Params(
    stiffness=jnp.array([225.0, 10.0]),
    rest_length=jnp.array([0.0, -0.3]),
    viscosity=jnp.array([1.0, 0.0]),
)
Q, U = jnp.array([0.2, 0.5]), jnp.array([-3.0, 4.0])


def spring_force(springs, q, u):
    """Force of each of two springs, on a coordinate of its own."""
    return hopper_model.on_coordinates(spring_generalized_force, springs, q, u).force


force = jax.jit(spring_force)


def _spring(name, coordinate, stiffness):
    return osim.element(
        "SpringGeneralizedForce",
        name,
        coordinate=coordinate,
        stiffness=stiffness,
        rest_length="0.1",
        viscosity="2",
    )


WORLD = osim.model(
    _spring("on_angle", "q", "50"),
    _spring("on_length", "x", "70"),
    _spring("also_on_angle", "q", "3"),
    bodies=osim.body("a") + osim.body("b"),
    joints=osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
)


# parity


@pytest.mark.opensim
def test_springs_on_angles_and_lengths_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    rng = np.random.default_rng(1)
    q, u = rng.standard_normal((2, 16, 2))
    hopper_model.assert_parity(WORLD, hopper_model.states_at(model, params, q, u))


@pytest.mark.parametrize("name", ["gait14dof22musc_pros", "gait14dof22musc_planar_pros"])
def test_passive_ankle_has_its_published_numbers(name):
    model, params = jaxosim.load_model(name)
    assert model.springs.names == ("ankleSpring",)
    assert model.coordinate_names[model.springs.coordinate[0]] == "ankle_angle_r"
    assert [float(x[0]) for x in jax.tree.leaves(params.springs)] == [225.0, 0.0, 1.0]
    assert not any(m in model.muscle_names for m in ("gastroc_r", "soleus_r", "tib_ant_r"))


# property


def test_force_is_linear_towards_the_rest_length_and_against_motion():
    np.testing.assert_allclose(force(SPRINGS, Q, U), [-225 * 0.2 + 3.0, -10 * 0.8], rtol=1e-14)
    np.testing.assert_array_equal(force(SPRINGS, SPRINGS.rest_length, 0 * U), [0.0, 0.0])


def test_springs_on_one_coordinate_add_up():
    model, params = hopper_model.load(WORLD)
    still = jaxosim.State(
        time=jnp.zeros(()),
        q=jnp.array([0.4, 0.0]),
        u=jnp.zeros(2),
        activation=jnp.zeros(0),
        fiber_length=jnp.zeros(0),
        normalized_tendon_force=jnp.zeros(0),
        force_states=jnp.zeros(0),
    )
    info = hopper_model.describe(model, params, still, jnp.zeros(0))
    np.testing.assert_allclose(info.forces["springs"].force, [-15.0, 7.0, -0.9], rtol=1e-13)


# gradient


def test_gradients_are_the_file_numbers():
    by_q, by_u = jax.jacfwd(spring_force, argnums=(1, 2))(SPRINGS, Q, U)
    np.testing.assert_array_equal(by_q, -np.diag(SPRINGS.stiffness))
    np.testing.assert_array_equal(by_u, -np.diag(SPRINGS.viscosity))
    by_params = jax.jacfwd(spring_force)(SPRINGS, Q, U)
    np.testing.assert_allclose(by_params.rest_length, np.diag(SPRINGS.stiffness), rtol=1e-15)


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    q, u = jnp.stack([Q, 2 * Q]), jnp.stack([U, -U])
    together = jax.vmap(force, (None, 0, 0))(SPRINGS, q, u)
    for index in range(2):
        np.testing.assert_array_equal(together[index], force(SPRINGS, q[index], u[index]))
    assert force._cache_size() == 1
