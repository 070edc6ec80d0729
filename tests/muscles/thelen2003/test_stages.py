"""Thelen2003Muscle: reference numbers of OpenSim 4.6, power balance, clamp, and gradients."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.muscles.pennation import minimum_pennate_length
from jaxosim.muscles.thelen2003.stages import (
    realize_dynamics,
    realize_fiber_velocity,
    realize_length,
)
from tests import hopper_model
from tests.muscles.thelen2003.soleus import SOLEUS, muscles

PRINTED = 2e-12  # the reference numbers have 13 digits
ROUNDING = 1e-12
GRADIENT_TOLERANCE = 1e-6
DIFFERENCE_STEP = 1e-5

# activation, fiber length, path length, excitation → what OpenSim 4.6 reports.
REFERENCE = [
    (
        (0.5, 0.08, 0.43, 0.8),
        {
            "pennation_angle": 0.08289284977191,
            "tendon_length": 0.3502746916387,
            "tendon_force_multiplier": 0.04262815779121,
            "active_force_length_multiplier": 0.9938631675241,
            "passive_force_multiplier": 7.478320221267e-5,
            "force_velocity_multiplier": 0.08592782242067,
            "normalized_fiber_velocity": -0.4251620979697,
            "fiber_velocity": -0.4846847916855,
            "tendon_force": 93.42988048664,
            "active_fiber_force": 93.58788549087,
            "activation_rate": 24.0,
        },
    ),
    (
        (0.05, 0.06, 0.42, 0.01),
        {
            "tendon_force_multiplier": 0.7387611013225,
            "active_force_length_multiplier": 0.9062030838989,
            "force_velocity_multiplier": 16.40481109635,
            "normalized_fiber_velocity": 14.20607776392,
            "fiber_velocity": 16.19492865087,
            "tendon_force": 1619.172982863,
            "activation_rate": -0.575,
        },
    ),
    (
        (0.3, 0.12, 0.5, 1.2),
        {
            "tendon_force_multiplier": 2.739634153935,
            "passive_force_multiplier": 0.02248686269852,
            "force_velocity_multiplier": 19.10477491875,
            "normalized_fiber_velocity": 27.65861007806,
            "tendon_force": 6004.568455268,
            "passive_fiber_force": 49.28537856907,
            "activation_rate": 94.73684210526,
        },
    ),
]


@jax.jit
def realize(properties, path_length, fiber_length, activation, excitation):
    """All three steps."""
    length = realize_length(properties, path_length, fiber_length)
    velocity = realize_fiber_velocity(
        properties, length, jnp.zeros_like(path_length), activation, fiber_length
    )
    force = realize_dynamics(properties, length, velocity, activation, excitation)
    return length, velocity, force


def sample(count, seed):
    """Path and fiber lengths, activations and excitations all over the place."""
    rng = np.random.default_rng(seed)
    fiber = SOLEUS["optimal_fiber_length"] * rng.uniform(0.5, 1.6, count)
    strain = rng.uniform(-0.02, 0.08, count)
    path = fiber + SOLEUS["tendon_slack_length"] * (1 + strain)
    return [
        jnp.asarray(values)
        for values in (path, fiber, rng.uniform(-0.1, 1.2, count), rng.uniform(-0.2, 1.3, count))
    ]


# parity


@pytest.mark.parametrize("given, expected", REFERENCE)
def test_reference_numbers(given, expected):
    activation, fiber, path, excitation = (jnp.array([value]) for value in given)
    reported = {}
    for record in realize(muscles(), path, fiber, activation, excitation):
        reported |= {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    for name, value in expected.items():
        np.testing.assert_allclose(reported[name], value, rtol=PRINTED, err_msg=name)


@pytest.mark.opensim
def test_all_muscles_of_the_hopper(opensim):
    """Slack, stretched, clamped and over-excited muscles; bundled models are in tests/parity."""
    from jaxosim.opensim.sampling import random_states, stressed

    oracle = hopper_model.oracle_of(hopper_model.HOPPER)
    states = stressed(oracle, random_states(oracle, 64, seed=5), seed=6)
    hopper_model.assert_parity(hopper_model.HOPPER, states, only=("muscles", "paths"))


# property


def test_power_is_balanced():
    """What the path takes, fiber and tendon give: T v_path = T v_tendon + F_fiber v_fiber."""
    path, fiber, activation, excitation = sample(500, seed=1)
    properties = muscles(500)
    length, velocity, force = realize(properties, path, fiber, activation, excitation)
    speed = jnp.asarray(np.random.default_rng(2).standard_normal(500))

    def along(fiber):
        length = realize_length(properties, path, fiber)
        return length.fiber_length * length.cos_pennation_angle

    rate = jax.jit(lambda fiber, speed: jax.jvp(along, (fiber,), (speed,))[1])
    tendon_speed = speed - rate(fiber, velocity.fiber_velocity)
    taken = force.tendon_force * speed
    given = force.tendon_force * tendon_speed + force.fiber_force * velocity.fiber_velocity
    scale = 1 + np.abs(force.fiber_force * velocity.fiber_velocity)
    np.testing.assert_array_less(np.abs(np.asarray(taken - given)), 1e-9 * np.asarray(scale))


def test_fiber_and_tendon_always_agree():
    properties = muscles(500)
    path, fiber, activation, excitation = sample(500, seed=3)
    length, velocity, force = realize(properties, path, fiber, activation, excitation)
    free = np.asarray(velocity.clamped) == 0
    np.testing.assert_allclose(
        np.asarray(force.fiber_force_along_tendon)[free],
        np.asarray(force.tendon_force)[free],
        rtol=0,
        atol=1e-9 * SOLEUS["max_isometric_force"],
    )
    np.testing.assert_allclose(
        force.active_fiber_force + force.passive_fiber_force, force.fiber_force, rtol=ROUNDING
    )


def test_tension_ignores_activation():
    path, fiber, activation, excitation = sample(50, seed=4)
    one = realize(muscles(50), path, fiber, activation, excitation)[2].tendon_force
    other = realize(muscles(50), path, fiber, 0 * activation + 1, excitation)[2].tendon_force
    np.testing.assert_array_equal(one, other)


def test_width_of_the_fiber_is_constant():
    path, fiber, *rest = sample(200, seed=5)
    length, _, _ = realize(muscles(200), path, fiber, *rest)
    width = length.fiber_length * length.sin_pennation_angle
    expected = SOLEUS["optimal_fiber_length"] * np.sin(SOLEUS["pennation_angle_at_optimal"])
    np.testing.assert_allclose(width, expected, rtol=ROUNDING)


def test_a_fiber_at_its_shortest_stands_still_or_lengthens():
    """Slack tendon: clamped, keeps passive force only in its report. Taut: it recovers."""
    shortest = minimum_pennate_length(muscles())
    slack, taut = shortest + SOLEUS["tendon_slack_length"] * jnp.array([0.9]), jnp.array([0.45])
    for fiber in (shortest, 0.5 * shortest):
        length, velocity, force = realize(muscles(), slack, fiber, *[jnp.array([0.5])] * 2)
        assert velocity.clamped == 1 and velocity.fiber_velocity == 0
        assert velocity.force_velocity_multiplier == 1 and force.fiber_force == 0
        np.testing.assert_allclose(length.pennation_angle, np.arccos(0.1), rtol=1e-13)
        _, velocity, _ = realize(muscles(), taut, fiber, *[jnp.array([0.5])] * 2)
        assert velocity.clamped == 0 and velocity.fiber_velocity > 0


def test_without_pennation_the_fiber_pulls_straight():
    path, fiber, *rest = sample(20, seed=6)
    length, velocity, _ = realize(muscles(20, pennation_angle_at_optimal=0.0), path, fiber, *rest)
    np.testing.assert_array_equal(length.pennation_angle, 0.0)
    np.testing.assert_array_equal(length.cos_pennation_angle, 1.0)
    np.testing.assert_allclose(length.tendon_length, path - fiber, rtol=1e-14)


# gradient


@jax.jit
def blended(arguments):
    """A scalar of everything that drives the simulation, scaled to order one."""
    _, velocity, force = realize(*arguments)
    strength = SOLEUS["max_isometric_force"]
    return jnp.sum(
        jnp.tanh(velocity.fiber_velocity / 5)
        + force.fiber_force_along_tendon / strength
        + 0.1 * force.tendon_force / strength
        + 0.001 * force.activation_rate
    )


SLOPES = jax.jit(jax.grad(blended))


@pytest.mark.parametrize("seed", range(4))
def test_gradient_equals_differences(seed):
    path, fiber, activation, excitation = sample(6, seed=10 + seed)
    at = (muscles(6), path, fiber, jnp.clip(activation, 0.05, 0.95), excitation)
    slopes = SLOPES(at)
    for index in range(5):
        direction = list(jax.tree.map(jnp.zeros_like, at))
        direction[index] = hopper_model.random_direction(at[index], seed)
        direction = tuple(direction)
        expected = hopper_model.slope_along(blended, at, direction, DIFFERENCE_STEP)
        obtained = hopper_model.inner(slopes, direction)
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index


def test_gradient_is_finite_at_the_awkward_points():
    """No length, shortest and slack fiber, toe's ends, activation out of range, no pennation."""
    shortest = float(minimum_pennate_length(muscles())[0])
    fibers = [0.0, 0.5 * shortest, shortest, 0.076, 0.3, 5.0]
    toe = 0.608616 * SOLEUS["fmax_tendon_strain"]
    strains = [-0.5, 0.0, toe, 0.5]
    for pennation in (0.0, SOLEUS["pennation_angle_at_optimal"], 1.0):
        for activation in (-0.5, 0.01, 1.0, 2.0):
            fiber, strain = (x.reshape(-1) for x in np.meshgrid(fibers, strains))
            path = jnp.asarray(fiber + SOLEUS["tendon_slack_length"] * (1 + strain))
            level = jnp.full(len(fiber), activation)
            properties = muscles(len(fiber), pennation_angle_at_optimal=pennation)
            slopes = SLOPES((properties, path, jnp.asarray(fiber), level, level))
            assert hopper_model.all_finite(slopes), (pennation, activation)


# batch, compile


def test_vmap_equals_loop():
    path, fiber, *rest = (values.reshape(4, 3) for values in sample(12, seed=7))
    properties = muscles(3)
    together = jax.jit(jax.vmap(realize, (None, 0, 0, 0, 0)))(properties, path, fiber, *rest)
    for index in range(4):
        alone = realize(properties, path[index], fiber[index], *(r[index] for r in rest))
        chex.assert_trees_all_close(
            hopper_model.row(together, index), alone, rtol=1e-13, atol=1e-13
        )


def test_one_trace():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(*arguments):
        return realize(*arguments)

    for seed in range(3):
        one(muscles(5), *sample(5, seed))


def test_slopes_of_a_fiber_at_its_shortest_are_those_of_longer_ones():
    for angle in (0.08726646, 0.5):
        muscle = muscles(pennation_angle_at_optimal=angle)

        def lengths(x, muscle=muscle):
            info = realize_length(muscle, jnp.array([0.43]), x[None])
            return jnp.stack([info.cos_pennation_angle[0], info.sin_pennation_angle[0]])

        shortest = float(minimum_pennate_length(muscle)[0])
        at, within = hopper_model.slopes_at_an_edge(lengths, shortest, 1)
        np.testing.assert_allclose(at, within, rtol=1e-4)


def test_slope_of_fiber_velocity_at_the_smallest_activation():
    """OpenSim's default of 0.01, and where zero actions lead."""

    def velocity(activation):
        length = realize_length(muscles(), jnp.array([0.45]), jnp.array([0.08]))
        fiber = jnp.array([0.08])
        still = jnp.zeros(1)
        return realize_fiber_velocity(
            muscles(), length, still, activation[None], fiber
        ).fiber_velocity[0]

    at, within = hopper_model.slopes_at_an_edge(velocity, 0.01, 1)
    np.testing.assert_allclose(at, within, rtol=1e-5)
    assert float(jax.jit(jax.jacfwd(velocity))(jnp.float64(0.009))) == 0.0
