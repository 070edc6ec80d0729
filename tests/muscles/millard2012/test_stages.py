"""Millard2012EquilibriumMuscle: live OpenSim's numbers, power balance, clamp, and gradients."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.fused import using
from jaxosim.muscles.millard2012.stages import (
    minimum_fiber_length,
    realize_dynamics,
    realize_fiber_velocity,
    realize_length,
)
from tests import hopper_model
from tests.models import osim_text as osim
from tests.muscles.millard2012.pullers import KINDS, MIXED, SOLEUS, muscles, pullers

PARITY_TOLERANCE = 1e-8  # relative to max(1, |value|)
# OpenSim's iteration for the velocity of a damped fiber ends at a force error of 1e-10 of the
# muscle's strength: in OpenSim fiber and tendon force differ by as much, here by rounding.
FORCE_TOLERANCE = 1e-9  # of max_isometric_force
ROUNDING = 1e-12
GRADIENT_TOLERANCE = 1e-6


@jax.jit
def realize(properties, path_length, fiber_length, activation, excitation):
    """All three steps."""
    length = realize_length(properties, path_length, fiber_length)
    still = jnp.zeros_like(path_length)
    velocity = realize_fiber_velocity(properties, length, still, activation, fiber_length)
    force = realize_dynamics(properties, length, velocity, activation, excitation)
    return length, velocity, force


def sample(count, seed):
    """Path and fiber lengths, activations and excitations all over the place."""
    rng = np.random.default_rng(seed)
    fiber = SOLEUS["optimal_fiber_length"] * rng.uniform(0.5, 1.7, count)
    strain = rng.uniform(-0.02, 0.06, count)
    path = fiber + SOLEUS["tendon_slack_length"] * (1 + strain)
    return [
        jnp.asarray(values)
        for values in (path, fiber, rng.uniform(-0.1, 1.2, count), rng.uniform(-0.2, 1.3, count))
    ]


# parity


def states(count=48):
    """Poses from slack to a fifth too long, fibers of every length, some at and under the least."""
    rng = np.random.default_rng(7)
    shape = count, len(KINDS) + 1
    fiber = rng.uniform(0.05, 0.18, shape)
    least = rng.choice([0.04, 0.04441, 0.0444100001], shape)
    balanced = rng.random(shape) < 0.5
    q = rng.uniform(0.2, 0.36, (count, 1))
    taut = np.clip(q - 0.2 * (1 + rng.uniform(-0.01, 0.06, shape)), 0.05, 0.2)
    fiber = np.where(balanced, taut, np.where(rng.random(shape) < 0.2, least, fiber))
    return {
        "time": np.zeros(count),
        "q": q,
        "u": rng.standard_normal((count, 1)),
        "activation": rng.uniform(-0.05, 1.1, shape),
        "fiber_length": fiber,
        "normalized_tendon_force": np.zeros((count, 0)),
        "force_states": np.zeros((count, 0)),
        "excitation": rng.uniform(-0.2, 1.2, shape),
    }


@pytest.fixture(scope="module")
def comparison(opensim):
    from opensim_comparison.states import compare

    return compare(hopper_model.oracle_of(MIXED), hopper_model.source_of(MIXED), states())


FORCES = ("fiber_force", "active_fiber_force", "passive_fiber_force", "fiber_force_along_tendon")


@pytest.mark.opensim
def test_muscles_of_all_kinds_are_live_opensims(comparison):
    from opensim_comparison.states import QUANTITIES

    (quantity,) = [quantity for quantity in QUANTITIES if quantity.name == "muscles"]
    strength = 1000.0
    for key in (*quantity.parts, "u_dot"):
        obtained, expected = comparison.obtained[key], comparison.expected[key]
        if key in ("activation_rate", "fiber_length_rate"):
            expected = np.where(np.isnan(expected), 0.0, expected)  # states that OpenSim leaves out
        if key.removeprefix("muscle_") in FORCES:
            error = np.abs(obtained - expected) / strength
            assert error.max() < FORCE_TOLERANCE, key
        else:
            error = np.abs(obtained - expected) / np.maximum(1, np.abs(expected))
            assert error.max(initial=0) < PARITY_TOLERANCE, (
                key,
                error.max(axis=0, initial=0),
            )


@pytest.mark.opensim
def test_the_states_of_the_comparison_reach_every_case(comparison):
    report = comparison.expected
    moving, force = report["muscle_fiber_velocity"], report["muscle_tendon_force"]
    millards = slice(0, len(KINDS))
    assert (moving[:, millards] == 0).any() and (np.abs(moving[:, millards]) > 1).any()
    assert (force[:, millards] == 0).any() and (force[:, millards] > 1000).any()


# damping, (path length, fiber length, activation, excitation) → what OpenSim 4.6 reports.
REFERENCE = [
    (
        (0.1, (0.3, 0.052, 0.4, 0.9)),
        {
            "pennation_angle": 0.4184708321404,
            "tendon_length": 0.2524870068523,
            "active_force_length_multiplier": 0.9984625079082,
            "passive_force_multiplier": 0.004500195789118,
            "force_velocity_multiplier": 0.334130091725,
            "fiber_velocity": -0.148205448895,
            "tendon_force": 351.2094347928,
            "active_fiber_force": 473.6017979312,
            "passive_fiber_force": -89.22503277009,
            "fiber_force": 384.3767651611,
            "activation_rate": 45.45454545455,
        },
    ),
    (
        (0.0, (0.31, 0.06, 0.05, 0.01)),
        {
            "passive_force_multiplier": 0.04969203020562,
            "active_force_length_multiplier": 0.8236809708715,
            "force_velocity_multiplier": 3.47929909319,
            "fiber_velocity": 14.3619939546,
            "tendon_force": 641.0185882597,
            "active_fiber_force": 508.5419691452,
            "passive_fiber_force": 176.3570151997,
            "fiber_force_along_tendon": 641.0185882597,
            "activation_rate": -0.575,
        },
    ),
]


@pytest.mark.parametrize("given, expected", REFERENCE, ids=["damped", "undamped"])
def test_reference_numbers(given, expected):
    damping, values = given
    records = realize(muscles(fiber_damping=damping), *(jnp.array([x]) for x in values))
    reported = {name: value for record in records for name, value in vars(record).items()}
    for name, number in expected.items():
        np.testing.assert_allclose(reported[name], number, rtol=1e-9, err_msg=name)


# property


@pytest.mark.parametrize("damping", [0.0, 0.002, 0.1])
def test_fiber_and_tendon_carry_the_same_force(damping):
    given = sample(60, seed=2)
    _, velocity, force = realize(muscles(60, fiber_damping=damping), *given)
    moving = np.asarray(velocity.clamped) == 0
    gap = np.asarray(force.fiber_force_along_tendon - force.tendon_force)[moving]
    assert moving.sum() > 50
    assert np.abs(gap).max() < ROUNDING * SOLEUS["max_isometric_force"]


def test_damping_slows_a_fiber_down():
    given = sample(60, seed=3)
    speeds = [
        np.abs(realize(muscles(60, fiber_damping=d), *given)[1].fiber_velocity)
        for d in (0.05, 0.1, 0.5)
    ]
    for fast, slow in zip(speeds, speeds[1:], strict=False):
        assert (slow <= fast * (1 + 1e-12)).all() and slow.max() < fast.max()


def test_a_fiber_at_its_shortest_stands_still_or_lengthens():
    """Without overlap, or at the largest pennation, whichever is longer."""
    for angle, damping, expected in (
        (0.0, 0.0, (0.47 - 0.0259) * 0.05),
        (1.2, 0.1, 0.05 * np.sin(1.2) / 0.99**0.5),
    ):
        properties = muscles(pennation_angle_at_optimal=angle, fiber_damping=damping)
        shortest = minimum_fiber_length(properties)
        np.testing.assert_allclose(shortest, expected, rtol=1e-12)
        half = [jnp.array([0.5])] * 2
        for fiber in (shortest, 0.5 * shortest):
            length, velocity, force = realize(properties, jnp.array([0.25]), fiber, *half)
            np.testing.assert_allclose(length.fiber_length, expected, rtol=1e-12)
            assert velocity.clamped == 1 and velocity.fiber_velocity == 0
            assert velocity.force_velocity_multiplier == 1
            assert force.fiber_force == force.passive_fiber_force == 0
            _, velocity, _ = realize(properties, jnp.array([0.32]), fiber, *half)
            assert velocity.clamped == 0 and velocity.fiber_velocity > 0


def test_without_activation_a_damped_fiber_moves_by_its_damping_alone():
    properties = muscles(minimum_activation=0.0, pennation_angle_at_optimal=0.0)
    given = [jnp.array([x]) for x in (0.302, 0.05, 0.0, 0.0)]
    length, velocity, force = realize(properties, *given)
    assert force.active_fiber_force == 0
    expected = length.tendon_force_multiplier / 0.1
    np.testing.assert_allclose(velocity.normalized_fiber_velocity, expected, rtol=1e-12)


@pytest.mark.thorough
def test_the_rate_of_a_mixed_model_is_each_class_s_own():
    """Thelen's muscle in a model with Millard's moves as in a model of its own."""
    alone = pullers(osim.muscle("thelen"))
    both, one = (hopper_model.load(text) for text in (MIXED, alone))
    given = states(3)
    for index in range(3):
        row = {key: jnp.asarray(value[index]) for key, value in given.items()}
        excitation = row.pop("excitation")
        last = {k: row[k][-1:] for k in ("activation", "fiber_length")}
        mixed = hopper_model.rates(*both, jaxosim.State(**row), excitation)
        own = hopper_model.rates(*one, jaxosim.State(**row | last), excitation[-1:])
        assert mixed.fiber_length[-1] == pytest.approx(float(own.fiber_length[0]), rel=1e-12)
        assert mixed.activation[-1] == pytest.approx(float(own.activation[0]), rel=1e-12)


# gradient


@jax.jit
def blended(arguments):
    """A scalar of everything that drives the simulation, scaled to order one."""
    _, velocity, force = realize(*arguments)
    strength = SOLEUS["max_isometric_force"]
    return jnp.sum(
        jnp.tanh(velocity.fiber_velocity)
        + force.fiber_force_along_tendon / strength
        + 0.1 * force.tendon_force / strength
        + 0.001 * force.activation_rate
    )


SLOPES = jax.jit(jax.grad(blended))
AWKWARD = 28  # points of the test below: one shape, one program


@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_gradient_equals_differences(damping):
    path, fiber, activation, excitation = sample(AWKWARD, seed=10)
    level = jnp.clip(activation, 0.05, 0.95)
    at = (muscles(AWKWARD, fiber_damping=damping), path, fiber, level, excitation)
    slopes = SLOPES(at)
    for index in range(5):
        direction = list(jax.tree.map(jnp.zeros_like, at))
        direction[index] = hopper_model.random_direction(at[index], seed=index)
        expected = hopper_model.slope_along(blended, at, tuple(direction), 1e-5)
        obtained = hopper_model.inner(slopes, tuple(direction))
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index


def test_gradient_is_finite_at_the_awkward_points():
    """No length, shortest and slack fiber, knots, activation out of range, no pennation."""
    fibers = [0.0, 0.011, 0.0222050, 0.05, 0.085, 0.0906150, 0.3]
    strains = [-0.5, 0.0, 0.0368, 0.5]
    for pennation in (0.0, 0.4, 1.2):
        for damping in (0.0, 0.1):
            for activation in (-0.5, 0.01, 1.0):
                fiber, strain = (x.reshape(-1) for x in np.meshgrid(fibers, strains))
                path = jnp.asarray(fiber + SOLEUS["tendon_slack_length"] * (1 + strain))
                level = jnp.full(len(fiber), activation)
                properties = muscles(
                    len(fiber), pennation_angle_at_optimal=pennation, fiber_damping=damping
                )
                slopes = SLOPES((properties, path, jnp.asarray(fiber), level, level))
                assert hopper_model.all_finite(slopes), (pennation, damping, activation)


def test_slopes_of_a_fiber_at_its_shortest_are_those_of_longer_ones():
    muscle = muscles(pennation_angle_at_optimal=1.2)

    def lengths(x):
        info = realize_length(muscle, jnp.array([0.29]), x[None])
        return jnp.stack([info.cos_pennation_angle[0], info.sin_pennation_angle[0]])

    shortest = float(minimum_fiber_length(muscle)[0])
    at, within = hopper_model.slopes_at_an_edge(lengths, shortest, 1)
    np.testing.assert_allclose(at, within, rtol=1e-4)


# batch, compile


def test_vmap_equals_loop():
    path, fiber, *rest = (values.reshape(4, 3) for values in sample(12, seed=7))
    properties = muscles(3)
    together = jax.jit(jax.vmap(realize, (None, 0, 0, 0, 0)))(properties, path, fiber, *rest)
    for index in range(4):
        alone = realize(properties, path[index], fiber[index], *(r[index] for r in rest))
        chex.assert_trees_all_close(
            hopper_model.row(together, index), alone, rtol=1e-12, atol=1e-12
        )


def test_one_trace():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(*arguments):
        return realize(*arguments)

    for seed in range(3):
        one(muscles(5), *sample(5, seed))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "dtype, tolerance",
    [(jnp.float64, 1e-9), pytest.param(jnp.float32, 2e-3, marks=pytest.mark.slow)],
)
def test_the_fused_kernel_gives_what_xla_gives(dtype, tolerance):
    model, params = hopper_model.load(MIXED)
    given = {k: jnp.asarray(v, dtype) for k, v in states(5).items()}
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), params)
    excitation = given.pop("excitation")

    def rates():
        function = functools.partial(jaxosim.state_derivative, model, params)
        return jax.jit(jax.vmap(function))(jaxosim.State(**given), excitation)

    results = []
    for kernel in ("fused", "xla"):
        with using(kernel):
            results.append(rates())
    for a, b in zip(*map(jax.tree.leaves, results), strict=True):
        assert np.abs((a - b) / np.maximum(1, np.abs(b))).max(initial=0) < tolerance
