"""Rotations, spatial vectors and sums, against NumPy and against their own definitions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays import linalg, safe, spatial
from tests import hopper_model

ROUNDING = 1e-14  # a handful of products of numbers of order one
DIFFERENCE_TOLERANCE = 1e-9
LOCK = np.pi / 2


def vectors(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def close(a, b, tolerance=ROUNDING):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# parity


@pytest.mark.opensim
def test_angles_are_simbodys(opensim):
    rng = np.random.default_rng(1)
    angles = list(rng.uniform(-3, 3, (50, 3)))
    angles += [[0.3, LOCK, 0.2], [0.3, -LOCK, 0.2], [0.0, 0.0, 0.0], [np.pi, 0.0, np.pi]]
    for angle in angles:
        R = np.asarray(spatial.body_xyz_rotation(jnp.asarray(angle)))
        live = opensim.Rotation()
        live.setRotationToBodyFixedXYZ(opensim.Vec3(*map(float, angle)))
        close(R, [[live.get(i, j) for j in range(3)] for i in range(3)])
        expected = live.convertRotationToBodyFixedXYZ()
        close(spatial.body_xyz_angles(jnp.asarray(R)), [expected.get(i) for i in range(3)], 1e-12)


# property


def test_products_are_numpys():
    a, b = vectors(5, 3), vectors(5, 3, seed=1)
    A, B = vectors(5, 3, 3, seed=2), vectors(5, 3, 3, seed=3)
    close(linalg.dot(a, b), np.einsum("ni,ni->n", a, b))
    close(linalg.matvec(A, b), np.einsum("nij,nj->ni", A, b))
    close(linalg.matmul(A, B), A @ B)
    close(np.einsum("nij,nj->ni", spatial.skew(a), b), np.cross(a, b))


def test_poses_compose_as_homogeneous_matrices_do():
    outer, inner = vectors(5, 3, 4), vectors(5, 3, 4, seed=1)
    last = np.tile([[0.0, 0.0, 0.0, 1.0]], (5, 1, 1))
    whole = np.concatenate([outer, last], 1) @ np.concatenate([inner, last], 1)
    close(spatial.compose(outer, inner), whole[:, :3])
    np.testing.assert_array_equal(spatial.translation_only(outer)[..., :3], 0.0)
    np.testing.assert_array_equal(spatial.translation_only(outer)[..., 3], outer[..., 3])


def test_all_parts_of_a_vector_are_turned():
    R, v = vectors(5, 3, 3), vectors(5, 12, seed=1)
    close(spatial.rotate(R, v), np.einsum("nij,nkj->nki", R, v.reshape(5, 4, 3)).reshape(5, 12))


def test_safe_norm_and_division():
    v = jnp.array([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(safe.safe_norm(v), [5.0, 0.0])
    close(safe.unit(v), [[0.6, 0.0, 0.8], [0.0, 0.0, 0.0]])
    quotient = safe.safe_divide(jnp.array([1.0, 1.0, 0.0]), jnp.array([2.0, 0.0, 0.0]))
    np.testing.assert_array_equal(quotient, [0.5, 0.0, 0.0])


def test_axis_angle_turns_about_the_axis():
    axis = vectors(4, 3)
    axis = axis / jnp.linalg.norm(axis, axis=-1, keepdims=True)
    angle = jnp.array([0.3, -2.0, 0.0, 4.0])
    R = spatial.axis_angle_rotation(axis, angle)
    close(linalg.matvec(R, axis), axis)
    close(np.trace(R, axis1=1, axis2=2), 1 + 2 * np.cos(angle))
    twice = spatial.axis_angle_rotation(axis, 2 * angle)
    close(linalg.matmul(R, R), twice)
    z = spatial.axis_angle_rotation(jnp.array([0.0, 0.0, 1.0]), jnp.asarray(0.5))
    close(z[:, 0], [np.cos(0.5), np.sin(0.5), 0.0])


def test_body_xyz_is_three_turns_in_a_row():
    angles = jnp.array([0.4, -0.7, 1.9])
    turns = [
        spatial.axis_angle_rotation(axis, angle)
        for axis, angle in zip(jnp.eye(3), angles, strict=True)
    ]
    close(spatial.body_xyz_rotation(angles), turns[0] @ turns[1] @ turns[2])


@pytest.mark.parametrize("b", [-LOCK, LOCK])
def test_angles_at_gimbal_lock_give_the_same_rotation(b):
    R = spatial.body_xyz_rotation(jnp.array([0.3, b, 0.5]))
    angles = spatial.body_xyz_angles(R)
    assert float(angles[2]) == 0.0
    close(spatial.body_xyz_rotation(angles), R, 1e-12)


def test_cross_products_of_motions_and_forces_are_dual():
    """Power does not depend on who looks: (a × b)·f + b·(a × f) = 0."""
    a, b, f = (vectors(6, seed=s) for s in range(3))
    power = jnp.dot(spatial.motion_cross(a, b), f) + jnp.dot(b, spatial.force_cross(a, f))
    assert abs(float(power)) < ROUNDING * 10
    close(spatial.motion_cross(a, a), np.zeros(6))


def test_momentum_of_a_point_mass():
    """A mass at c that moves with the body: p = m v_c, about the common point c × p."""
    c, w, v, mass = vectors(3), vectors(3, seed=1), vectors(3, seed=2), jnp.asarray(2.5)
    arm = spatial.skew(c)
    motion = jnp.concatenate([w, v])
    momentum = spatial.apply_inertia(mass, mass * c, -mass * arm @ arm, motion)
    linear = 2.5 * (np.asarray(v) + np.cross(w, c))
    close(momentum, np.concatenate([np.cross(c, linear), linear]))


# gradient


def test_gradients_at_zero_are_zero_not_nan():
    zero = jnp.zeros(3)
    np.testing.assert_array_equal(jax.jit(jax.grad(safe.safe_norm))(zero), zero)
    slopes = jax.jit(jax.grad(safe.safe_divide, argnums=(0, 1)))(jnp.asarray(1.0), jnp.asarray(0.0))
    assert hopper_model.all_finite(slopes)
    assert hopper_model.all_finite(jax.jit(jax.hessian(safe.safe_norm))(zero))
    np.testing.assert_array_equal(jax.jit(jax.jacrev(safe.unit))(zero), np.zeros((3, 3)))


@pytest.mark.parametrize("angles", [[0.0, 0.0, 0.0], [0.3, -0.8, 2.0]])
def test_gradients_of_rotations_equal_differences(angles):
    weight = vectors(3, 3)

    @jax.jit
    def scalar(x):
        R = spatial.body_xyz_rotation(x)
        return jnp.sum(weight * R) + jnp.sum(jnp.sin(spatial.body_xyz_angles(R)))

    at = jnp.asarray(angles)
    expected = [hopper_model.slope_along(scalar, at, unit, 1e-3) for unit in jnp.eye(3)]
    close(jax.jit(jax.grad(scalar))(at), expected, DIFFERENCE_TOLERANCE)


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    a, b = vectors(4, 6), vectors(4, 6, seed=1)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def crossed(a, b):
        return spatial.motion_cross(a, b), spatial.force_cross(a, b)

    loop = [crossed(x, y) for x, y in zip(a, b, strict=True)]
    together = jax.vmap(lambda x, y: (spatial.motion_cross(x, y), spatial.force_cross(x, y)))(a, b)
    chex.assert_trees_all_close(together, hopper_model.stack(loop), rtol=ROUNDING)


def test_clip_is_numpys_and_keeps_its_slope_at_the_bounds():
    x = jnp.array([-1.0, 0.0, 0.4, 1.0, 2.0, jnp.nan])
    np.testing.assert_array_equal(safe.clip(x, 0.0, 1.0), np.clip(x, 0.0, 1.0))
    np.testing.assert_array_equal(safe.clip(x, low=0.0), np.maximum(x, 0.0))
    np.testing.assert_array_equal(safe.clip(x, high=0.5 * x), np.minimum(x, 0.5 * x))
    slope = jax.vmap(jax.grad(lambda x: safe.clip(x, 0.0, 1.0)))(x[:5])
    np.testing.assert_array_equal(slope, [0, 1, 1, 1, 0])
    by_bound = jax.grad(lambda low: safe.clip(jnp.float64(0.2), low=low))
    assert (by_bound(0.2), by_bound(0.3)) == (0.0, 1.0)
