"""Hunt-Crossley contact: live OpenSim's forces, dissipation, and gradients at touch and rest."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxosim.dynamics.multibody import generalized_force
from jaxosim.forces.hunt_crossley_force import contact_wrenches
from jaxosim.forces.hunt_crossley_material import combine_materials, friction_per_slip
from jaxosim.system import realize_dynamics, realize_position, realize_velocity
from tests import hopper_model
from tests.forces.touching import WORLD, as_states, touching_states

STATES = 256  # of every batch, which share a program
DISSIPATION_SLACK = 1e-9  # of the power at work: rounding
GRADIENT_TOLERANCE = 1e-6  # of the largest slope, against fourth-order differences
ENTRY_STEP = 1e-7
SMALL = 1e-10


@pytest.fixture(scope="module")
def world():
    return hopper_model.load(WORLD)


@functools.cache
def contacts_of(model):
    """Compiled: contact record, generalised forces, and the elastic energy's rate."""

    def realize(params, state):
        position = realize_position(model, params, state)
        velocity = realize_velocity(model, params, state, state.activation, position)
        return position, realize_dynamics(
            model, params, state, state.activation, position, velocity
        )

    def energy(params, state):
        contact = realize(params, state)[1].forces["contacts"]
        return 0.4 * jnp.sum(contact.hertz_force * jnp.maximum(contact.depth, 0.0))

    def everything(params, state, q_dot):
        position, dynamics = realize(params, state)
        contact = dynamics.forces["contacts"]
        force = generalized_force(model, position.bodies, contact.wrench)
        still = jax.tree.map(jnp.zeros_like, state)
        tangent = dataclasses.replace(still, q=q_dot)
        _, rate = jax.jvp(lambda s: energy(params, s), (state,), (tangent,))
        return contact, force, rate

    return jax.jit(jax.vmap(everything, (None, 0, 0)))


def evaluated(world, states):
    model, params = world
    batch = as_states(states)
    muscles = jnp.zeros((len(batch.time), 0))
    rates = jax.vmap(hopper_model.rates, (None, None, 0, 0))(model, params, batch, muscles)
    return contacts_of(model)(params, batch, rates.q)


# parity


@pytest.mark.opensim
def test_records_and_accelerations_of_many_touching_surfaces(opensim, world):
    states = touching_states(*world, STATES, seed=1)
    hopper_model.assert_parity(WORLD, states)


def test_states_reach_every_kind_of_contact_and_the_early_exit(world):
    """Else the parity above would mean little."""
    model, _ = world
    contact, _, _ = evaluated(world, touching_states(*world, STATES, seed=1))
    depth, normal = np.asarray(contact.depth), np.asarray(contact.normal_force)
    flat = model.contacts.half_space_count
    assert (depth > 0).any(axis=0).all()
    assert (depth[:, flat:] > 0).sum() > 10
    approach = np.sum(np.asarray(contact.velocity) * np.asarray(contact.normal), axis=-1)
    own = np.asarray(contact.hertz_force) * (1 + 1.5 * np.asarray(contact.dissipation) * approach)
    assert ((own <= 0) & (depth > 0)).sum() > 20
    stopped_by_another = (own > 0) & (normal == 0)
    assert stopped_by_another.sum() > 5
    slip = np.linalg.norm(
        np.asarray(contact.velocity) - approach[..., None] * np.asarray(contact.normal), axis=-1
    )
    assert (slip[normal > 0] > 0.2).any() and (slip[normal > 0] < 0.05).any()


def test_a_standing_sphere_bears_hertz_load():
    """Equal materials: 0.4714 K √r δ^1.5, by hand."""
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.initial(model, params)
    contact = _single(model, params, state)
    depth = np.asarray(contact.depth)
    expected = 4 / 3 * 2**-1.5 * 2e5 * np.sqrt(0.04) * np.maximum(depth, 0) ** 1.5
    assert (depth > 0).any()
    np.testing.assert_allclose(contact.normal_force, expected, rtol=1e-12)


def _single(model, params, state):
    return hopper_model.row(
        contacts_of(model)(params, hopper_model.stack([state]), jnp.zeros((1, state.q.size)))[0], 0
    )


# property


def test_materials_combine_alike_in_both_orders(world):
    """Swapping the two materials of every pair changes nothing but the share of depth."""
    model, params = world
    turned = dataclasses.replace(
        model,
        contacts=dataclasses.replace(
            model.contacts, first=model.contacts.second, second=model.contacts.first
        ),
    )
    one, other = (combine_materials(m.contacts, params.contacts) for m in (model, turned))
    chex.assert_trees_all_close(other.share, 1 - one.share, rtol=1e-14)
    chex.assert_trees_all_close(
        dataclasses.replace(one, share=0 * one.share),
        dataclasses.replace(other, share=0 * other.share),
        rtol=1e-14,
    )


def test_contact_only_dissipates(world):
    """Power of the forces plus the rate of the elastic energy is never positive.

    Compared while no pair is stopped by another's pull: that rule of OpenSim's takes forces away.
    """
    model, _ = world
    states = touching_states(*world, STATES, seed=2)
    contact, force, rate = evaluated(world, states)
    power = np.sum(np.asarray(force) * states["u"][:, model.tree.mobility], axis=-1)
    size = np.sum(np.abs(np.asarray(contact.force)), axis=(1, 2))
    scale = 1 + size * (1 + np.abs(states["u"]).max(axis=1))
    approach = np.sum(np.asarray(contact.velocity) * np.asarray(contact.normal), axis=-1)
    own = np.asarray(contact.hertz_force) * (1 + 1.5 * np.asarray(contact.dissipation) * approach)
    clean = ~((own > 0) & (np.asarray(contact.normal_force) == 0)).any(axis=1)
    lost = -(power + np.asarray(rate)) / scale
    assert clean.sum() > 50
    assert lost[clean].min() > -DISSIPATION_SLACK
    moving = clean & (size > 1) & (np.abs(states["u"]).max(axis=1) > 0.01)
    assert (lost[moving] > 1e-6).mean() > 0.9


def test_forces_between_bodies_cancel(world):
    """Sphere on sphere of different bodies: no net force and no net moment."""
    model, params = world
    contact, _, _ = evaluated(world, touching_states(*world, STATES, seed=3))
    between = model.contacts.geometry_body[model.contacts.first] >= 0
    on_ground = jax.vmap(
        lambda point, force: contact_wrenches(model.contacts, point, force, len(model.tree.body))
    )(contact.position, jnp.where(between[:, None], 0.0, contact.force))
    internal = np.asarray(contact.wrench - on_ground)
    assert np.abs(internal).max() > 1.0
    assert np.abs(internal.sum(axis=1)).max() < SMALL * np.abs(internal).max()


def test_no_force_apart(world):
    model, params = world
    states = touching_states(*world, STATES, seed=1)
    states["q"][:, 4] += 9.0  # above the plate, which is solid downwards
    states["q"][:, 10] += 5.0
    contact, force, _ = evaluated(world, states)
    assert (np.asarray(contact.depth) < 0).all()
    assert not np.any(np.asarray(contact.force)) and not np.any(np.asarray(force))


# gradient


@functools.cache
def force_jacobian(model):
    """Generalised contact force and its derivatives by q and u, compiled."""

    def force(params, state, qu):
        state = dataclasses.replace(state, q=qu[0], u=qu[1])
        position = realize_position(model, params, state)
        velocity = realize_velocity(model, params, state, state.activation, position)
        dynamics = realize_dynamics(model, params, state, state.activation, position, velocity)
        return generalized_force(model, position.bodies, dynamics.forces["contacts"].wrench)

    return jax.jit(force), jax.jit(jax.jacrev(force, argnums=2))


@pytest.mark.parametrize("speed", [0.0, 0.5])
def test_gradient_equals_differences_touching_at_rest_and_sliding(speed):
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.initial(model, params)
    free = np.asarray(~model.locked, float)
    at = (state.q, jnp.asarray(speed * np.array([0.1, 1.0, -0.1, 0.2, 0.0])))
    force, jacobian = force_jacobian(model)
    obtained = jacobian(params, state, at)
    flat, unravel = ravel_pytree(at)
    columns = []
    for unit in jnp.eye(len(flat)):
        ahead, behind = (
            force(params, state, unravel(flat + s * ENTRY_STEP * unit)) for s in (1, -1)
        )
        columns.append(np.asarray(ahead - behind) / (2 * ENTRY_STEP))
    expected = np.stack(columns, axis=-1) * np.concatenate([np.ones(5), free])
    together = np.concatenate([np.asarray(part) for part in obtained], axis=-1)
    assert np.abs(expected[:, 5:]).max() > 1.0  # friction and damping do act
    np.testing.assert_allclose(
        together, expected, rtol=0, atol=GRADIENT_TOLERANCE * np.abs(expected).max()
    )


def test_gradient_vanishes_where_a_sphere_grazes(world):
    """At zero depth force and slope are zero from both sides, and no NaN comes in."""
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.initial(model, params)
    lowest = float(_single(model, params, state).depth.max())
    at = (state.q.at[2].add(lowest), state.u)
    depth = _single(model, params, dataclasses.replace(state, q=at[0])).depth
    assert abs(float(depth.max())) < 1e-15
    slopes = force_jacobian(model)[1](params, state, at)
    assert hopper_model.all_finite(slopes)
    assert max(float(jnp.abs(part).max()) for part in slopes) < 1.0  # N/m; 1e5 when pressed


@pytest.mark.thorough
def test_gradient_is_finite_for_coincident_spheres(world):
    model, params = world
    states = touching_states(*world, 2, seed=4)
    states["q"][:] = 0.0  # spheres b0 and a… stand where the element's sweep has ties, too
    states["u"][:] = 0.0
    state = hopper_model.row(as_states(states), 0)
    inside = state.q.at[3:6].set(jnp.array([0.1, 0.0, -0.05]))  # a0 on b0: distance zero
    slopes = force_jacobian(model)[1](params, state, (inside, state.u))
    assert hopper_model.all_finite(slopes)


# batch, compile


def test_vmap_equals_loop_and_traces_once(world):
    model, params = world
    states = touching_states(*world, STATES, seed=5)
    together = evaluated(world, states)[1]
    force = force_jacobian(model)[0]
    batch = as_states(states)
    for index in range(5):
        one = hopper_model.row(batch, index)
        alone = force(params, one, (one.q, one.u))
        scale = 1.0 + float(jnp.abs(alone).max())
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-11 * scale)
    assert force._cache_size() == 1


def test_the_slope_of_friction_at_the_transition_velocity_is_that_of_faster_slip(world):
    model, params = world
    material = combine_materials(model.contacts, params.contacts)
    edge = float(material.transition_velocity[0])
    friction = lambda slip: slip * friction_per_slip(material, slip)[0]  # noqa: E731
    at, within = hopper_model.slopes_at_an_edge(friction, edge, 1)
    np.testing.assert_allclose(at, within, rtol=1e-5)
