"""Fiber lengths at equilibrium: OpenSim's own, balanced, with implicit gradients."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.muscles.millard2012.equilibrium import equilibrium
from jaxosim.muscles.millard2012.stages import realize_fiber_velocity, realize_length
from tests import hopper_model
from tests.muscles.millard2012.pullers import KINDS, SOLEUS, muscles, pullers

PARITY_TOLERANCE = 1e-10  # (m) the same iterates; only rounding differs
FORCE_TOLERANCE = 1.1e-8  # of max_isometric_force: OpenSim's, at which the iteration stops
GRADIENT_TOLERANCE = 1e-5  # differences see the iteration stop early

# Of as many muscles as the grid has, so that each compiles once.
program = jax.jit(equilibrium)
summed = jax.jit(lambda *given: jnp.sum(equilibrium(*given)[0]))
slopes_of_sum = jax.jit(jax.grad(summed, argnums=(0, 1, 2, 3)))


LEVELS = (0.0, 0.01, 0.05, 0.3, 1.0, 1.2)
STRAINS = (-0.3, -0.05, 0.0, 0.01, 0.03, 0.06)
STRETCHES = (0.3, 0.7, 1.0, 1.4, 1.7)


def grid(**changes):
    """Path lengths and activations that cover slack, toe and linear tendons and all fibers."""
    level, strain, stretch = (x.reshape(-1) for x in np.meshgrid(LEVELS, STRAINS, STRETCHES))
    path = SOLEUS["tendon_slack_length"] * (1 + strain) + SOLEUS["optimal_fiber_length"] * stretch
    still = jnp.zeros(len(level))
    return muscles(len(level), **changes), jnp.asarray(path), still, jnp.asarray(level)


def repeated(*given):
    """As many muscles as the grid has."""
    return jax.tree.map(lambda x: jnp.asarray(np.resize(x, (COUNT, *x.shape[1:]))), given)


def solve(*given):
    """Fiber lengths of fewer muscles, and whether they balance."""
    return tuple(values[: len(given[1])] for values in program(*repeated(*given)))


COUNT = len(LEVELS) * len(STRAINS) * len(STRETCHES)


# parity

# From slack to absurd.
PATHS = (0.1, 0.19, 0.2, 0.205, 0.25, 0.28, 0.31, 0.36, 0.4, 0.45, 0.5, 0.7, 1.0, 2.0)


@pytest.mark.opensim
def test_equilibrium_and_its_failure_are_live_opensims(opensim):
    text = pullers(**KINDS)
    (model, params), oracle = hopper_model.load(text), hopper_model.oracle_of(text)
    solved = jax.jit(lambda state: jaxosim.find_equilibrium(model, params, state))
    undamped = np.array(params.millard2012.fiber_damping == 0)
    rigid = np.array(["ignore_tendon_compliance" in values for _, values in KINDS.values()])
    compared = 0
    for speed, level in ((0.0, 0.0), (0.0, 0.05), (0.4, 0.9), (0.0, 1.1)):
        for length in PATHS:
            q, u, a = np.array([length]), np.array([speed]), np.full(len(KINDS), level)
            expected = oracle.equilibrium(q, u, a)
            state, balanced = solved(
                jaxosim.State(
                    time=0.0,
                    q=q,
                    u=u,
                    activation=a,
                    fiber_length=a,
                    normalized_tendon_force=np.zeros(0),
                    force_states=np.zeros(0),
                )
            )
            known = np.isfinite(expected) | rigid
            # OpenSim fails with slack tendons where rounding tilts the flat end of the active
            # curve the wrong way.
            tilted = undamped & (length < 0.24)
            np.testing.assert_array_equal(
                np.asarray(balanced)[~tilted], known[~tilted], err_msg=f"{length} {level}"
            )
            compared += np.sum(~tilted)
            error = np.abs(np.asarray(state.fiber_length) - expected)[known & ~rigid]
            assert error.max(initial=0) < PARITY_TOLERANCE, (length, level)
    assert compared > 0.7 * len(PATHS) * 4 * len(KINDS)


# property


@pytest.mark.parametrize("changes", [{}, {"fiber_damping": 0.0}], ids=["damped", "undamped"])
def test_fiber_and_tendon_agree_and_the_fiber_rests(changes):
    properties, path, still, level = grid(**changes)
    length, balanced = program(properties, path, still, level)
    info = jax.jit(realize_length)(properties, path, length)
    a = jnp.clip(level, 0.01, 1.0)
    fiber = a * info.active_force_length_multiplier + info.passive_force_multiplier
    residual = np.asarray(fiber * info.cos_pennation_angle - info.tendon_force_multiplier)
    tight = np.asarray(balanced & (path > 1.04 * SOLEUS["tendon_slack_length"] + 0.03))
    assert tight.sum() > 60
    assert np.abs(residual[tight]).max() < FORCE_TOLERANCE
    velocity = jax.jit(realize_fiber_velocity)(properties, info, still, level, length)
    assert np.abs(np.asarray(velocity.normalized_fiber_velocity)[tight]).max() < 1e-5


@pytest.mark.parametrize("changes", [{}, {"fiber_damping": 0.0}], ids=["damped", "undamped"])
def test_a_path_shorter_than_its_tendon_rests_at_the_shortest_fiber(changes):
    straight = muscles(pennation_angle_at_optimal=0.0, **changes)
    length, balanced = solve(straight, jnp.array([0.2]), jnp.zeros(1), jnp.array([0.5]))
    np.testing.assert_allclose(length, (0.47 - 0.0259) * 0.05, rtol=1e-12)
    assert balanced.all()


def test_speed_of_the_path_does_not_matter():
    properties, path, still, level = grid()
    expected, _ = program(properties, path, still, level)
    np.testing.assert_array_equal(program(properties, path, still + 0.7, level)[0], expected)


# gradient


def test_gradient_is_that_of_the_implicit_function():
    path, level = jnp.array([0.295, 0.3, 0.305, 0.31]), jnp.array([0.05, 0.3, 0.6, 0.9])
    at = repeated(muscles(4), path, jnp.zeros(4), level)
    slopes = slopes_of_sum(*at)
    for index in (0, 1, 3):
        direction = list(jax.tree.map(jnp.zeros_like, at))
        direction[index] = hopper_model.random_direction(at[index], seed=index)
        expected = hopper_model.slope_along(lambda x: summed(*x), at, tuple(direction), 1e-4)
        obtained = hopper_model.inner(slopes, tuple(direction))
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index
        assert abs(expected) > 1e-3


def test_gradient_is_finite_over_the_whole_grid():
    for damping in (0.0, 0.1):
        assert hopper_model.all_finite(slopes_of_sum(*grid(fiber_damping=damping)))


# batch, compile


def test_each_muscle_is_solved_alone():
    """A batch in which some iterate longer than others gives each its own answer."""
    properties, path, still, level = grid()
    together, _ = program(properties, path, still, level)
    for index in range(0, len(path), 37):
        one = slice(index, index + 1)
        alone, _ = solve(muscles(), path[one], still[one], level[one])
        np.testing.assert_allclose(together[one], alone, rtol=0, atol=1e-14)


@pytest.mark.thorough
def test_vmap_equals_a_loop_and_traces_once():
    one = jax.jit(chex.assert_max_traces(lambda *given: equilibrium(*given)[0], n=1))
    properties, path, still, level = muscles(2), *(x[:6].reshape(3, 2) for x in grid()[1:])
    rows = jax.jit(jax.vmap(lambda *given: equilibrium(*given)[0], (None, 0, 0, 0)))
    together = rows(properties, path, still, level)
    for index in range(3):
        alone = one(properties, path[index], still[index], level[index])
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-14)
