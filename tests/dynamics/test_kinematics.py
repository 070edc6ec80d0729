"""Poses and velocities: rates of one another, and as exact far from the start as at it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.spatial import point_velocity
from jaxosim.dynamics.joints import coordinate_rates
from jaxosim.system import realize_position, realize_velocity
from tests import hopper_model
from tests.dynamics.forests import FORESTS, poses

ROUNDING = 1e-12
FAR = 1000.0  # (m); float32 resolves 6e-5 m there
FLOAT32_TOLERANCE = 2e-6  # of the largest value: a chain of a dozen products


@functools.cache
def motion_of(model):
    """Compiled stages of (params, state)."""

    def motion(params, state):
        position = realize_position(model, params, state)
        return position, realize_velocity(
            model, params, state, jnp.zeros(len(model.control_names)), position
        )

    return jax.jit(motion)


def state_of(model, params, q, u):
    muscles = params.muscles
    return jaxosim.State(
        time=jnp.zeros((), q.dtype),
        q=q,
        u=u,
        activation=muscles.default_activation,
        fiber_length=muscles.optimal_fiber_length,
        normalized_tendon_force=params.degroote_fregly2016.default_normalized_tendon_force,
        force_states=params.default_force_states,
    )


def forest_state(name, seed):
    model, params = hopper_model.load(FORESTS[name])
    q, u = (jnp.asarray(x[0]) for x in poses(model, 1, seed))
    return model, params, state_of(model, params, q, u)


# parity: tests/dynamics/test_joints.py and tests/parity compare poses and velocities with OpenSim's


def test_a_chain_of_two_pins_by_hand():
    from tests.models import osim_text as osim

    second = osim.joint(
        "PinJoint",
        "k",
        "f",
        "/bodyset/b",
        osim.coordinates("p") + osim.frames(osim.offset("f", "/bodyset/a", "2 0 0")),
    )
    text = osim.model(bodies=osim.body("a") + osim.body("b"), joints=osim.pin() + second)
    model, params = hopper_model.load(text)
    q, u = jnp.array([0.3, 0.5]), jnp.array([1.5, -2.0])
    info = hopper_model.describe(model, params, state_of(model, params, q, u), jnp.zeros(0))
    c, s = np.cos(0.3), np.sin(0.3)
    np.testing.assert_allclose(info.bodies.position[1], [2 * c, 2 * s, 0], atol=ROUNDING)
    np.testing.assert_allclose(info.bodies.velocity[1], [-3 * s, 3 * c, 0], atol=ROUNDING)
    np.testing.assert_allclose(info.bodies.angular_velocity[1], [0, 0, -0.5], atol=ROUNDING)
    np.testing.assert_allclose(info.bodies.angles[1], [0, 0, 0.8], atol=ROUNDING)


# property


@pytest.mark.parametrize(
    "name", ["built-in", pytest.param("built-in, reversed", marks=pytest.mark.thorough)]
)
def test_velocity_is_the_rate_of_the_pose(name):
    model, params, state = forest_state(name, seed=1)
    position, velocity = motion_of(model)(params, state)
    q_dot = coordinate_rates(model, position.joints, state.u)
    still = jax.tree.map(jnp.zeros_like, state)

    def pose(state):
        bodies = motion_of(model)(params, state)[0].bodies
        return bodies.rotation, bodies.position + bodies.origin[None]

    (R, _), (R_dot, p_dot) = jax.jvp(pose, (state,), (dataclasses.replace(still, q=q_dot),))
    spin = np.asarray(R_dot @ jnp.swapaxes(R, 1, 2))
    omega = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    V = velocity.bodies.velocity
    np.testing.assert_allclose(V[:, :3], omega, rtol=0, atol=ROUNDING * 10)
    origins = point_velocity(V, position.bodies.position)
    np.testing.assert_allclose(origins, p_dot, rtol=0, atol=ROUNDING * 10)
    assert np.abs(np.asarray(p_dot)).max() > 0.1


def test_hinge_columns_are_the_velocities_of_unit_speeds():
    model, params, state = forest_state("built-in", seed=2)
    position, _ = motion_of(model)(params, state)
    for column in (0, 3, len(model.tree.mobility) - 1):
        unit = jnp.zeros_like(state.u).at[model.tree.mobility[column]].set(1.0)
        velocity = motion_of(model)(params, dataclasses.replace(state, u=unit))[1]
        moved = model.tree.support[:, column][:, None] * np.asarray(position.bodies.hinge[column])
        np.testing.assert_allclose(velocity.bodies.velocity, moved, rtol=0, atol=ROUNDING)


def test_locked_speeds_count_as_zero():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.random_state(model, params, seed=3)
    spun = hopper_model.replace_at(state, u=(4, 7.0))
    assert model.locked[4]
    for a, b in zip(
        *map(jax.tree.leaves, (motion_of(model)(params, s) for s in (state, spun))), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_only_the_origin_moves_with_the_model():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.random_state(model, params, seed=4)
    here, _ = motion_of(model)(params, state)
    there, _ = motion_of(model)(params, hopper_model.replace_at(state, q=(1, FAR)))
    np.testing.assert_array_equal(here.bodies.position, there.bodies.position)
    np.testing.assert_array_equal(here.bodies.hinge, there.bodies.hinge)
    np.testing.assert_allclose(there.bodies.origin[0] - here.bodies.origin[0], FAR - state.q[1])


def test_float32_does_not_degrade_far_from_the_start():
    """In the air, where no ground enters, the rates are the same number for number."""
    model, params = hopper_model.load(hopper_model.HOPPER)
    short = functools.partial(jax.tree.map, lambda leaf: leaf.astype(jnp.float32))
    state = hopper_model.replace_at(hopper_model.random_state(model, params, seed=5), q=(2, 3.0))
    exact = hopper_model.rates(model, params, state, jnp.full(2, 0.5))
    numbers, excitation = short(params), jnp.full(2, 0.5, jnp.float32)
    near = hopper_model.rates(model, numbers, short(state), excitation)
    far = short(hopper_model.replace_at(state, q=(1, FAR)))
    there = hopper_model.rates(model, numbers, far, excitation)
    np.testing.assert_array_equal(near.u, there.u)
    np.testing.assert_array_equal(near.fiber_length, there.fiber_length)
    scale = float(jnp.abs(exact.u).max())
    assert np.abs(np.asarray(there.u) - np.asarray(exact.u)).max() < 100 * FLOAT32_TOLERANCE * scale
    position = motion_of(model)(numbers, far)[0].bodies.position
    reference = motion_of(model)(params, state)[0].bodies.position
    assert np.abs(np.asarray(position) - np.asarray(reference)).max() < FLOAT32_TOLERANCE


# gradient


def test_gradients_of_velocities_equal_differences():
    model, params, state = forest_state("custom", seed=6)

    @jax.jit
    def scalar(q):
        _, velocity = motion_of(model)(params, dataclasses.replace(state, q=q))
        bodies = velocity.bodies
        return jnp.sum(jnp.sin(bodies.velocity)) + jnp.sum(jnp.sin(bodies.bias_acceleration))

    slope = jax.jit(jax.grad(scalar))(state.q)
    direction = jnp.asarray(np.random.default_rng(1).standard_normal(slope.shape))
    expected = hopper_model.slope_along(scalar, state.q, direction, 1e-4)
    assert abs(float(slope @ direction) - expected) < 1e-7 * max(1.0, abs(expected))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    model, params, _ = forest_state("built-in", seed=1)
    states = [forest_state("built-in", seed)[2] for seed in range(3)]
    together = jax.jit(jax.vmap(motion_of(model), (None, 0)))(params, hopper_model.stack(states))
    for index, state in enumerate(states):
        alone = motion_of(model)(params, state)
        for a, b in zip(
            jax.tree.leaves(hopper_model.row(together, index)), jax.tree.leaves(alone), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    assert motion_of(model)._cache_size() == 1
