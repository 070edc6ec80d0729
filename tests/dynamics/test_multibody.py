"""Equations of motion: mass matrix, energies, Lagrange's equation, and the small solve."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.positive_definite import inverse_positive, solve_positive, symmetric
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import coordinate_rates, realize_joints
from jaxosim.dynamics.kinematics import realize_pose, realize_velocity_of_bodies
from jaxosim.dynamics.multibody import bias_wrench, generalized_force, mass_matrix, realize_inertia
from jaxosim.opensim.sampling import random_states
from tests import hopper_model
from tests.dynamics.forests import FORESTS, poses

ROUNDING = 1e-12
ENERGY_TOLERANCE = 1e-11  # of the largest term
MOTION_TOLERANCE = 1e-10  # of the largest force: Lagrange's equation sums dozens of terms

# Worlds in which OpenSim's hinge rates are exact kinematics, so that Lagrange's equation holds.
EXACT = {
    "hopper": hopper_model.HOPPER,
    "built-in": FORESTS["built-in"],
    "reversed": FORESTS["built-in, reversed"],
}


@functools.cache
def mechanics_of(model):
    """Compiled: mass matrix, kinetic energy by bodies, q_dot, and gravity-free bias force."""

    def mechanics(params, q, u):
        instance = realize_instance(model, params)
        joints = realize_joints(model, params, q)
        bodies = realize_pose(model, instance, joints)
        velocity = realize_velocity_of_bodies(model, joints, bodies, u)
        inertia = realize_inertia(instance, bodies)
        lower = mass_matrix(model, bodies, inertia)
        V, w = velocity.velocity, velocity.velocity[:, :3]
        energy = 0.5 * jnp.sum(
            inertia.mass * jnp.sum(V[:, 3:] ** 2, axis=1)
            + 2 * jnp.sum(V[:, 3:] * jnp.cross(w, inertia.first_moment), axis=1)
            + jnp.einsum("mi,mij,mj->m", w, inertia.inertia, w)
        )
        zero = jnp.zeros_like(params.gravity)
        bias = generalized_force(model, bodies, bias_wrench(velocity, inertia, zero))
        return lower, energy, coordinate_rates(model, joints, u), bias

    return jax.jit(mechanics)


def solved(matrix, rhs):
    return solve_positive(matrix, inverse_positive(matrix), rhs)


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[] if n == "hopper" else pytest.mark.thorough) for n in EXACT],
)
def world(request):
    model, params = hopper_model.load(EXACT[request.param])
    q, u = poses(model, 1, seed=3)
    u = np.where(model.locked, 0.0, u)
    return model, params, jnp.asarray(q[0]), jnp.asarray(u[0])


# parity


@pytest.mark.opensim
def test_mass_matrix_of_a_walker_is_opensims(opensim):
    """Not reported by `describe`, so not among the quantities of tests/parity."""
    name = "gait9dof18musc"
    model, params = jaxosim.load_model(name)
    oracle = hopper_model.oracle_of(name)
    states = random_states(oracle, 6, seed=4)
    columns = oracle._mobility[model.tree.mobility]
    for q in states["q"]:
        live = oracle.state_of({"q": q, "u": 0 * q})
        oracle.model.realizePosition(live)
        matrix = opensim.Matrix()
        oracle.model.getMatterSubsystem().calcM(live, matrix)
        expected = matrix.to_numpy()[np.ix_(columns, columns)]
        obtained = symmetric(mechanics_of(model)(params, jnp.asarray(q), jnp.zeros(len(q)))[0])
        np.testing.assert_allclose(obtained, expected, rtol=0, atol=ROUNDING * expected.max())


# property


def test_mass_matrix_is_lower_positive_and_local(world):
    model, params, q, u = world
    lower = np.asarray(mechanics_of(model)(params, q, u)[0])
    np.testing.assert_array_equal(lower, np.tril(lower))
    whole = np.asarray(symmetric(jnp.asarray(lower)))
    assert np.linalg.eigvalsh(whole).min() > 0
    np.testing.assert_array_equal(whole[model.tree.related == 0], 0.0)


def test_kinetic_energy_is_that_of_the_bodies(world):
    model, params, q, u = world
    lower, energy, _, _ = mechanics_of(model)(params, q, u)
    free = np.asarray(u)[model.tree.mobility]
    half = 0.5 * free @ np.asarray(symmetric(lower)) @ free
    assert abs(half - float(energy)) < ENERGY_TOLERANCE * half


def test_mass_matrix_is_the_curvature_of_the_energy(world):
    model, params, q, u = world
    curvature = jax.jit(jax.hessian(lambda v: mechanics_of(model)(params, q, v)[1]))(u)
    free = model.tree.mobility
    expected = np.asarray(curvature)[np.ix_(free, free)]
    obtained = symmetric(mechanics_of(model)(params, q, u)[0])
    np.testing.assert_allclose(obtained, expected, rtol=0, atol=ENERGY_TOLERANCE * expected.max())


def test_bias_force_keeps_the_energy(world):
    """Without forces M u_dot = −bias, and along that motion kinetic energy does not change."""
    model, params, q, u = world
    lower, energy, q_dot, bias = mechanics_of(model)(params, q, u)
    u_dot = jnp.zeros_like(u).at[model.tree.mobility].set(solved(lower, -bias))

    def kinetic(q, u):
        return mechanics_of(model)(params, q, u)[1]

    _, power = jax.jvp(kinetic, (q, u), (q_dot, u_dot))
    scale = float(jnp.sum(jnp.abs(bias * u[model.tree.mobility])))
    assert scale > 0.01
    assert abs(float(power)) < MOTION_TOLERANCE * scale


def test_lagranges_equation():
    """d/dt ∂T/∂u − ∂T/∂q = 0 for the hopper, whose speeds are its coordinate rates."""
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.random_state(model, params, seed=6, speed=3.0)
    lower, _, _, bias = mechanics_of(model)(params, state.q, state.u)
    u_dot = jnp.zeros_like(state.u).at[model.tree.mobility].set(solved(lower, -bias))

    def kinetic(q, u):
        return mechanics_of(model)(params, q, u)[1]

    @jax.jit
    def residual_of(q, u, u_dot):
        _, rate = jax.jvp(jax.grad(kinetic, argnums=1), (q, u), (u, u_dot))
        return (rate - jax.grad(kinetic)(q, u))[model.tree.mobility]

    residual = residual_of(state.q, state.u, u_dot)
    assert float(jnp.abs(bias).max()) > 1.0
    assert float(jnp.abs(residual).max()) < MOTION_TOLERANCE * float(jnp.abs(bias).max())


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_bias_is_quadratic_in_the_speeds(world, scale):
    model, params, q, u = world
    one, other = (mechanics_of(model)(params, q, s * u)[3] for s in (1.0, -scale))
    np.testing.assert_allclose(
        other, scale**2 * one, rtol=0, atol=1e-11 * float(jnp.abs(one).max())
    )


def test_only_the_lower_triangle_is_read():
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((5, 5))
    matrix = matrix @ matrix.T + np.eye(5)
    rhs = rng.standard_normal(5)
    garbage = np.tril(matrix) + np.triu(rng.standard_normal((5, 5)), 1)
    expected = np.linalg.solve(matrix, rhs)
    for given in (matrix, np.tril(matrix), garbage):
        obtained = solved(jnp.asarray(given), jnp.asarray(rhs))
        np.testing.assert_allclose(obtained, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [1, 2, 5, 14])
def test_inverse_is_as_good_as_the_condition_number_lets_it_be(count, dtype):
    rng = np.random.default_rng(count)
    axes = np.linalg.qr(rng.standard_normal((count, count)))[0]
    lengths = np.logspace(-3, 1, count)
    matrix, expected = (axes * lengths) @ axes.T, (axes / lengths) @ axes.T
    obtained = np.asarray(inverse_positive(jnp.asarray(matrix, dtype)))
    assert obtained.dtype == dtype
    condition = lengths.max() / lengths.min()
    bound = 8 * condition * np.finfo(dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(obtained, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_inverse_of_a_singular_matrix_is_large_and_finite(rank, dtype):
    """As next to gimbal lock, where rounding may leave a pivot below zero."""
    rows = np.random.default_rng(rank).standard_normal((4, rank))
    inverse = np.asarray(inverse_positive(jnp.asarray(rows @ rows.T, dtype)))
    assert np.isfinite(inverse).all()
    assert np.abs(inverse).max() > 1e3


# gradient


@pytest.mark.parametrize("filled", [False, True], ids=["lower triangle", "whole matrix"])
def test_gradient_of_the_solve_equals_differences(filled):
    """The derivative too reads the lower triangle only, whatever stands above it."""
    rng = np.random.default_rng(2)
    square = rng.standard_normal((4, 4))
    matrix, change = square @ square.T + np.eye(4), rng.standard_normal((4, 4))
    change = change + change.T
    cut = (lambda x: x) if filled else np.tril
    at = jnp.asarray(cut(matrix)), jnp.asarray(rng.standard_normal(4))
    direction = jnp.asarray(cut(change)), jnp.asarray(rng.standard_normal(4))

    def scalar(at):
        return jnp.sum(jnp.sin(solved(*at)))

    expected = hopper_model.slope_along(scalar, at, direction, 1e-4)
    slopes = jax.grad(scalar)(at)
    assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-9
    np.testing.assert_array_equal(np.triu(slopes[0], 1), 0.0)


def test_gradient_of_the_mass_matrix_equals_differences(world):
    model, params, q, u = world

    @jax.jit
    def scalar(at):
        lower, energy, _, bias = mechanics_of(model)(*at, u)
        return jnp.sum(jnp.sin(lower)) + jnp.sin(energy) + jnp.sum(jnp.sin(bias))

    slopes = jax.jit(jax.grad(scalar))((params, q))
    assert hopper_model.all_finite(slopes[1])
    direction = jnp.asarray(np.random.default_rng(3).standard_normal(q.shape))
    expected = hopper_model.slope_along(lambda x: scalar((params, x)), q, direction, 1e-5)
    assert abs(float(slopes[1] @ direction) - expected) < 1e-6 * max(1.0, abs(expected))
    slopes, masses = slopes[0].bodies, params.bodies
    chex.assert_tree_all_finite(slopes)
    expected = hopper_model.slope_along(
        lambda b: scalar((jaxosim.Params(**{**vars(params), "bodies": b}), q)),
        masses,
        hopper_model.random_direction(masses, 5),
        1e-5,
    )
    obtained = hopper_model.inner(slopes, hopper_model.random_direction(masses, 5))
    assert abs(obtained - expected) < 1e-6 * max(1.0, abs(expected))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(FORESTS["built-in"])
    q, u = (jnp.asarray(x) for x in poses(model, 3, seed=8))
    mechanics = mechanics_of(model)
    together = jax.jit(jax.vmap(mechanics, (None, 0, 0)))(params, q, u)
    loop = [mechanics(params, q[i], u[i]) for i in range(3)]
    chex.assert_trees_all_close(together, hopper_model.stack(loop), rtol=1e-11, atol=1e-11)
    assert mechanics._cache_size() == 1
