"""Millard2012EquilibriumMuscle with a rigid tendon: it pulls or nothing, and gradients.

Its parity with OpenSim is tested with that of the other kinds, in test_stages.py.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.muscles.millard2012 import MODES, RIGID, mode_of
from jaxosim.muscles.millard2012.properties import Spec
from jaxosim.muscles.millard2012.stages import minimum_fiber_length
from tests import hopper_model
from tests.muscles.millard2012.pullers import SOLEUS, muscles, pullers

COUNT = 42
GRADIENT_TOLERANCE = 1e-6


@jax.jit
def realize(properties, path_length, lengthening_speed, activation):
    """All three steps."""
    length = RIGID.realize_length(properties, path_length, path_length)
    velocity = RIGID.realize_fiber_velocity(
        properties, length, lengthening_speed, activation, path_length
    )
    force = RIGID.realize_dynamics(properties, length, velocity, activation, activation)
    return length, velocity, force


def rigid(count=COUNT, **changes):
    return muscles(count, ignore_tendon_compliance=True, **changes)


def sample(seed=0):
    """Paths from too short to too long, speeds beyond the largest, activations out of range."""
    rng = np.random.default_rng(seed)
    path = SOLEUS["tendon_slack_length"] + rng.uniform(-0.01, 0.09, COUNT)
    speed, activation = rng.uniform(-0.8, 0.8, COUNT), rng.uniform(-0.1, 1.2, COUNT)
    return jnp.asarray(path), jnp.asarray(speed), jnp.asarray(activation)


shortest_of = jax.jit(minimum_fiber_length)


# property


def test_the_mode_follows_from_the_file():
    assert mode_of(Spec(name="m", path=(), ignore_tendon_compliance=True)) is RIGID
    assert MODES[0] is mode_of(Spec(name="m", path=())) is not RIGID
    assert RIGID.contraction_state is None


def test_the_tendon_keeps_its_length_and_the_muscle_never_pushes():
    length, velocity, force = realize(rigid(), *sample())
    taut = np.asarray(length.fiber_length > shortest_of(rigid()))
    slack = SOLEUS["tendon_slack_length"]
    assert 20 < taut.sum() < COUNT
    np.testing.assert_allclose(np.asarray(length.tendon_length)[taut], slack, rtol=1e-14)
    assert (np.asarray(length.tendon_length)[~taut] < slack).all()
    tension = np.asarray(force.tendon_force)
    assert (tension >= 0).all() and (tension[~taut] == 0).all() and (tension[taut] == 0).any()
    np.testing.assert_allclose(
        force.fiber_force, force.active_fiber_force + force.passive_fiber_force, atol=1e-12
    )


def test_a_fiber_at_its_shortest_may_lengthen_but_not_shorten():
    properties = rigid()
    shortest = shortest_of(properties)
    width = SOLEUS["optimal_fiber_length"] * np.sin(SOLEUS["pennation_angle_at_optimal"])
    path = SOLEUS["tendon_slack_length"] + jnp.sqrt(shortest**2 - width**2)
    speed, half = jnp.asarray(np.resize([0.1, -0.1], COUNT)), jnp.full(COUNT, 0.5)
    length, _, _ = realize(properties, path, speed, half)
    exactly = dataclasses.replace(length, fiber_length=shortest, tendon_strain=0 * shortest)
    velocity = jax.jit(RIGID.realize_fiber_velocity)(properties, exactly, speed, half, half)
    np.testing.assert_array_equal(velocity.clamped[:2], [0, 1])
    _, velocity, _ = realize(properties, path - 1e-9, speed, half)
    np.testing.assert_array_equal(velocity.clamped, 1)


# gradient


@jax.jit
def blended(arguments):
    _, velocity, force = realize(*arguments)
    strength = SOLEUS["max_isometric_force"]
    return jnp.sum(force.tendon_force / strength + velocity.fiber_velocity)


slopes = jax.jit(jax.grad(blended))


def test_gradient_equals_differences():
    path = jnp.linspace(0.285, 0.32, COUNT)
    at = (rigid(), path, jnp.linspace(-0.3, 0.3, COUNT), jnp.linspace(0.3, 0.9, COUNT))
    obtained = slopes(at)
    for index in range(4):
        direction = list(jax.tree.map(jnp.zeros_like, at))
        direction[index] = hopper_model.random_direction(at[index], seed=index)
        expected = hopper_model.slope_along(blended, at, tuple(direction), 1e-5)
        found = hopper_model.inner(obtained, tuple(direction))
        assert abs(found - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index


def test_gradient_is_finite_at_the_awkward_points():
    """Paths as long as the tendon, the shortest fibers, without pennation and without speed."""
    for pennation in (0.0, 0.4, 1.2):
        properties = rigid(pennation_angle_at_optimal=pennation)
        shortest = float(shortest_of(properties)[0])
        beyond = np.array([-0.25, 0.0, shortest, 0.05, 0.085, 0.09, 1.0])
        path, speed = (x.reshape(-1) for x in np.meshgrid(0.25 + beyond, np.arange(-3.0, 3.0)))
        for level in (-0.5, 0.01, 1.0):
            given = (properties, path, speed * 0.5, jnp.full(COUNT, level))
            assert hopper_model.all_finite(slopes(given)), (pennation, level)


# batch, compile


def test_vmap_equals_loop():
    given = [values.reshape(3, -1) for values in sample(4)]
    properties = rigid(COUNT // 3)
    together = jax.jit(jax.vmap(realize, (None, 0, 0, 0)))(properties, *given)
    for index in range(3):
        alone = realize(properties, *(values[index] for values in given))
        for a, b in zip(*map(jax.tree.leaves, (together, alone)), strict=True):
            np.testing.assert_allclose(a[index], b, rtol=1e-12, atol=1e-12)


def test_a_rigid_tendon_may_have_no_length():
    text = pullers(m=("", {"tendon_slack_length": "0", "ignore_tendon_compliance": "true"}))
    model, params = hopper_model.load(text)
    rates = hopper_model.rates(model, params, jaxosim.initial_state(model, params), jnp.ones(1))
    assert params.muscles.tendon_slack_length == 0.0 and hopper_model.all_finite(rates)
    for record in realize(rigid(tendon_slack_length=0.0), *sample()):
        assert hopper_model.all_finite(record)
