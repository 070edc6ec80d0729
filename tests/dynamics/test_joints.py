"""Joints of every class against live OpenSim, its hinge-rate quirks, and the map to rates."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.dynamics.joints import coordinate_rates, coordinate_speeds, realize_joints
from tests import hopper_model
from tests.dynamics.forests import (
    FORESTS,
    KINDS,
    poses,
)

PARITY_STATES = 32
ROUNDING = 1e-12
DIFFERENCE_TOLERANCE = 1e-8  # of fourth-order differences with steps of 1e-4
KNOT_TOLERANCE = 1e-4  # at a spline's knot curvature has a kink: differences are good to their step


# name: coordinates, axes. The layouts for which OpenSim's hinge rates are not exact come last.


compiled_joints = jax.jit(realize_joints)


@functools.cache
def transforms_of(model):
    """Rotation and position of every joint and their rates along q_dot, compiled."""

    def both(params, q, q_dot):
        def pose(q):
            info = realize_joints(model, params, q)
            return info.rotation, info.position

        return jax.jvp(pose, (q,), (q_dot,))

    return jax.jit(both)


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough if "reversed" in name else ())
        for name in FORESTS
    ],
)
def test_poses_velocities_and_accelerations_are_opensims(opensim, name):
    model, params = hopper_model.load(FORESTS[name])
    states = hopper_model.states_at(model, params, *poses(model, PARITY_STATES, seed=1))
    hopper_model.assert_parity(FORESTS[name], states)


def test_forests_hold_every_joint_class():
    built_in, _ = hopper_model.load(FORESTS["built-in"])
    assert set(built_in.joint_kinds) == set(KINDS)
    assert hopper_model.load(FORESTS["built-in, reversed"])[0].tree.reversed.all()
    assert hopper_model.load(FORESTS["custom"])[0].tree.undriven_axis.any()


# property


@pytest.mark.parametrize("name", ["built-in", "custom"])
def test_rotations_are_rotations(name):
    model, params = hopper_model.load(FORESTS[name])
    R = np.asarray(compiled_joints(model, params, jnp.asarray(poses(model, 1, 2)[0][0])).rotation)
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.tile(np.eye(3), (len(R), 1, 1)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-14)


@pytest.mark.parametrize("name", ["built-in", "custom"])
def test_hinge_map_is_the_rate_of_the_transform(name):
    """V_FM = H u, wherever OpenSim's own hinge map is exact."""
    model, params = hopper_model.load(FORESTS[name])
    q, u = (jnp.asarray(x[0]) for x in poses(model, 1, seed=3))
    info = compiled_joints(model, params, q)
    q_dot = coordinate_rates(model, info, u)
    (R, _), (R_dot, p_dot) = transforms_of(model)(params, q, q_dot)
    spin = np.asarray(R_dot @ jnp.swapaxes(R, 1, 2))
    omega = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    exact = ~model.tree.undriven_axis.any(axis=1)
    moved = np.asarray(info.hinge * u[model.tree.mobility][:, None])
    V = np.zeros((len(exact), 6))
    np.add.at(V, model.tree.mobility_mobod, moved)
    np.testing.assert_allclose(V[exact, :3], omega[exact], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(V[exact, 3:], np.asarray(p_dot)[exact], rtol=0, atol=ROUNDING)
    assert exact.sum() >= len(exact) - 1


def test_a_constant_rotation_is_left_out_of_the_hinge_map_only():
    model, params = hopper_model.load(FORESTS["custom"])
    mobod = int(np.flatnonzero(model.tree.undriven_axis.any(axis=1))[0])
    zero = jnp.zeros(len(model.coordinate_names))
    info = compiled_joints(model, params, zero)
    c, s = np.cos(0.6), np.sin(0.6)
    np.testing.assert_allclose(info.rotation[mobod], [[c, -s, 0], [s, c, 0], [0, 0, 1]], atol=1e-15)
    column = int(np.flatnonzero(model.tree.mobility_mobod == mobod)[0])
    np.testing.assert_allclose(info.hinge[column], [1, 0, 0, 0, 0, 0], atol=1e-15)
    np.testing.assert_allclose(info.axis_direction[mobod, 1], [c, s, 0], atol=1e-15)


def test_speeds_and_rates_are_inverse_maps():
    model, params = hopper_model.load(FORESTS["built-in"])
    q, u = (jnp.asarray(x[0]) for x in poses(model, 1, seed=4))
    info = compiled_joints(model, params, q)
    q_dot = coordinate_rates(model, info, u)
    np.testing.assert_allclose(
        coordinate_speeds(model, info, q_dot), u[model.tree.mobility], rtol=0, atol=ROUNDING
    )
    ball = model.joint_names.index("jBallJoint")
    index = list(model.joint_coordinates[ball])
    assert float(jnp.abs(q_dot - u)[jnp.array(index)].max()) > 0.1
    others = [
        c
        for joint, kind in enumerate(model.joint_kinds)
        if kind not in ("BallJoint", "FreeJoint")
        for c in model.joint_coordinates[joint]
    ]
    np.testing.assert_array_equal(np.asarray(q_dot)[others], np.asarray(u)[others])


# gradient


@functools.cache
def number_of_joints(model):
    """Compiled number that is made of the joints, of (params, q), and its gradient by both."""

    def scalar(params, q):
        info = realize_joints(model, params, q)
        parts = info.rotation[:, 0], info.position, info.hinge, info.q_dot_map[:, 1]
        return sum(jnp.sum(jnp.sin(part + 0.3)) for part in parts)

    return jax.jit(scalar), jax.jit(jax.grad(scalar, argnums=(0, 1)))


@pytest.mark.parametrize("name", ["built-in", "custom"])
@pytest.mark.parametrize("at_zero", [False, True])
def test_gradients_equal_differences(name, at_zero):
    model, params = hopper_model.load(FORESTS[name])
    q = jnp.asarray(poses(model, 1, seed=5)[0][0]) * float(not at_zero)
    value, gradient = number_of_joints(model)
    slopes = gradient(params, q)
    tolerance = KNOT_TOLERANCE if at_zero else DIFFERENCE_TOLERANCE
    assert hopper_model.all_finite(slopes)
    moved = jnp.asarray(np.random.default_rng(6).standard_normal(q.shape))
    expected = hopper_model.slope_along(lambda x: value(params, x), q, moved, 1e-4)
    obtained = hopper_model.inner(slopes[1], moved)
    assert abs(expected - obtained) < tolerance * max(1, abs(expected))
    zero = jax.tree.map(jnp.zeros_like, params)
    turn = dataclasses.replace(
        zero,
        joints=dataclasses.replace(zero.joints, constant=jnp.ones_like(params.joints.constant)),
    )
    expected = hopper_model.slope_along(lambda p: value(p, q), params, turn, 1e-4)
    obtained = float(jnp.sum(slopes[0].joints.constant))
    # where a driven axis's constant changes; an undriven one's is left out of the hinge map
    assert abs(expected - obtained) < DIFFERENCE_TOLERANCE * max(1, abs(expected))


def test_ball_joint_at_its_singular_pose_stays_finite():
    model, params = hopper_model.load(FORESTS["built-in"])
    q = jnp.full(len(model.coordinate_names), np.pi / 2, float)
    slopes = jax.jit(jax.jacrev(lambda q: realize_joints(model, params, q).q_dot_map))(q)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.all_finite(compiled_joints(model, params, q))


# batch, compile


@pytest.mark.parametrize("name", ["built-in", "custom"])
def test_vmap_equals_loop_and_traces_once(name):
    model, params = hopper_model.load(FORESTS[name])
    q = jnp.asarray(poses(model, 4, seed=7)[0])
    one = jax.jit(lambda *arguments: realize_joints(*arguments))  # with a cache of its own
    together = jax.jit(jax.vmap(realize_joints, (None, None, 0)))(model, params, q)
    for index in range(4):
        alone = one(model, params, q[index])
        for a, b in zip(
            jax.tree.leaves(hopper_model.row(together, index)), jax.tree.leaves(alone), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)
    assert one._cache_size() == 1


def test_single_precision_stays_single_where_jax_allows_double():
    """Promotion is strict in all tests: a constant in double precision would be an error."""
    assert hopper_model.dtypes_in_single_precision(FORESTS["built-in"]) == {np.dtype(np.float32)}
