"""Slopes of contact forces: against differences of the forces, between sliding and sticking."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.positive_definite import diagonal, symmetric
from jaxosim.forces.hunt_crossley_jacobian import jacobian
from jaxosim.forces.hunt_crossley_material import MaterialPair, friction_per_slip, friction_rate
from jaxosim.integrators.linearization import evaluate
from tests import hopper_model
from tests.forces.touching import WORLD, as_states, touching_states

STATES = 64
SOON, LATE = 1e-12, 1e12  # (s) steps for which any friction slides, and sticks
ROUNDING = 1e-11


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(WORLD)
    return model, params, as_states(touching_states(model, params, STATES, seed=5))


@functools.cache
def matrices_of(model):
    """Compiled: damping, stiffness, contact record and poses at (params, state, h)."""

    def matrices(params, state, h):
        at = evaluate(model, params, state, jnp.zeros(0)).stages
        info, inertia = at.dynamics.forces["contacts"], diagonal(at.mass)
        found = jacobian(model.contacts, params.contacts, at.kinematics, info, inertia, h)
        return found.damping, found.stiffness, info, symmetric(at.mass)

    return jax.jit(matrices)


@functools.cache
def velocity_change_of(model):
    """Compiled: change of each pair's relative velocity, of (params, state, change of speeds)."""

    def change_of_velocity(params, state, change):
        def velocity(t):
            moved = dataclasses.replace(state, u=state.u + t * change)
            at = evaluate(model, params, moved, jnp.zeros(0)).stages
            return at.dynamics.forces["contacts"].velocity

        return jax.jvp(velocity, (0.0,), (1.0,))[1]

    return jax.jit(change_of_velocity)


def material(**changes):
    numbers = {
        "stiffness": 1e5,
        "share": 0.5,
        "dissipation": 1.0,
        "static_friction": 0.9,
        "dynamic_friction": 0.6,
        "viscous_friction": 0.0,
        "transition_velocity": 0.1,
    }
    numbers |= changes
    return MaterialPair(**{name: jnp.array([value]) for name, value in numbers.items()})


# parity: none, OpenSim has no such thing; differences of its forces stand in


@pytest.mark.parametrize("viscous", [0.0, 0.5])
@pytest.mark.parametrize("static", [0.6, 0.9])
@pytest.mark.parametrize("slip", [0.0, 0.02, 0.09, 0.11, 0.3, 2.0])
def test_sliding_slope_is_that_of_the_friction_coefficient(slip, static, viscous):
    """By automatic differentiation; where friction falls with the slip, zero."""
    own = material(static_friction=static, viscous_friction=viscous)
    at = jnp.array([slip])
    coefficient = lambda s: jnp.sum(s * friction_per_slip(own, s))  # noqa: E731
    expected = np.maximum(jax.grad(coefficient)(at), 0.0)
    np.testing.assert_allclose(friction_rate(own, at), expected, rtol=0, atol=1e-12)


def quadratic(matrix, change):
    return jnp.einsum("si,sij,sj->s", change, matrix, change)


@pytest.mark.parametrize("h, slope", [(SOON, "sliding_slope"), (LATE, "friction_slope")])
def test_damping_is_the_sum_of_each_pairs_resistance(world, h, slope):
    """Across the slip the secant, along it the slope, and the normal damping."""
    model, params, states = world
    batch = jax.vmap(matrices_of(model), (None, 0, None))
    damping, stiffness, record, _ = batch(params, states, h)
    change = jnp.asarray(
        np.random.default_rng(1).standard_normal((STATES, len(model.tree.mobility)))
    )
    whole = jnp.zeros_like(states.u).at[:, model.tree.mobility].set(change)
    velocity = jax.vmap(velocity_change_of(model), (None, 0, 0))(params, states, whole)
    normal = jnp.sum(velocity * record.normal, axis=-1)
    sideways = velocity - normal[..., None] * record.normal
    slip = record.velocity - jnp.sum(record.velocity * record.normal, -1, keepdims=True) * (
        record.normal
    )
    size = jnp.linalg.norm(slip, axis=-1)
    along = jnp.sum(sideways * slip, axis=-1) / jnp.where(size > 0, size, 1.0)
    across = jnp.sum(sideways**2, axis=-1) - along**2
    pressing = record.normal_force > 0
    assert 0.2 < float(jnp.mean(pressing & (size > 0.2))) < 0.95
    press = jnp.where(pressing, 1.5 * record.dissipation * record.hertz_force, 0.0)
    expected = record.friction_slope * across + getattr(record, slope) * along**2
    expected = jnp.sum(expected + press * normal**2, axis=1)
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(quadratic(damping, change), expected, rtol=0, atol=ROUNDING * scale)
    spring = jnp.where(
        pressing, 1.5 * record.normal_force / jnp.where(pressing, record.depth, 1.0), 0.0
    )
    expected = jnp.sum(spring * normal**2, axis=1)
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(
        quadratic(stiffness, change), expected, rtol=0, atol=ROUNDING * scale
    )


# property


@pytest.mark.parametrize("h", [SOON, 1e-4, 1e-3, 1e-2, LATE])
def test_matrices_never_push(world, h):
    model, params, states = world
    for matrix in jax.vmap(matrices_of(model), (None, 0, None))(params, states, h)[:2]:
        matrix = np.asarray(matrix)
        scale = np.abs(matrix).max()
        np.testing.assert_allclose(matrix, np.swapaxes(matrix, 1, 2), rtol=0, atol=1e-12 * scale)
        assert np.linalg.eigvalsh(matrix).min() > -1e-12 * scale


def test_a_longer_step_is_damped_more(world):
    """Until friction that slides is damped as if it stuck."""
    model, params, states = world
    change = jnp.asarray(
        np.random.default_rng(2).standard_normal((STATES, len(model.tree.mobility)))
    )
    damping = [
        np.asarray(
            quadratic(jax.vmap(matrices_of(model), (None, 0, None))(params, states, h)[0], change)
        )
        for h in (SOON, 1e-4, 1e-3, 1e-2, LATE)
    ]
    scale = np.abs(damping[-1]).max()
    for less, more in zip(damping, damping[1:], strict=False):
        assert (less <= more + 1e-12 * scale).all()
    assert (damping[0] < 0.99 * damping[-1]).mean() > 0.2


# gradient


@pytest.mark.thorough
@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_gradient_is_finite_at_rest_and_equals_differences(world, speed):
    model, params, states = world
    state = hopper_model.row(states, 3)
    state = dataclasses.replace(state, u=speed * state.u)

    def scalar(at):
        damping, stiffness, *_ = matrices_of(model)(*at, 1e-3)
        return jnp.sum(jnp.sin(1e-3 * damping)) + jnp.sum(jnp.sin(1e-4 * stiffness))

    slopes = jax.jit(jax.grad(scalar))((params, state))
    assert hopper_model.all_finite(slopes)
    if speed:
        direction = (jax.tree.map(jnp.zeros_like, params), hopper_model.random_direction(state, 4))
        expected = hopper_model.slope_along(scalar, (params, state), direction, 1e-6)
        assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-5 * max(
            1.0, abs(expected)
        )


# batch, compile


def test_vmap_equals_loop_and_traces_once(world):
    model, params, states = world
    one = matrices_of(model)
    together = jax.jit(jax.vmap(one, (None, 0, None)))(params, states, 1e-3)
    for index in range(3):
        alone = one(params, hopper_model.row(states, index), 1e-3)
        for a, b in zip(together[:2], alone[:2], strict=True):
            scale = 1.0 + float(jnp.abs(b).max())
            np.testing.assert_allclose(a[index], b, rtol=0, atol=ROUNDING * scale)
    assert one._cache_size() == 1
