"""The structured Jacobian: its solve against a dense one, its stiff eigenvalues against exact."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.positive_definite import symmetric
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import coordinate_rates
from jaxosim.integrators.linearization import evaluate, iteration_matrix, linearize
from jaxosim.muscles.rows import contraction, contraction_fields
from jaxosim.paths.geometry_path import moment_arms
from jaxosim.system import StepContext
from tests import hopper_model
from tests.forces.touching import WORLD as TWO_BODIES
from tests.forces.touching import as_states, touching_states

SOLVE_TOLERANCE = 1e-10  # relative to the largest entry: condition numbers reach 1e5
SAME = 1e-11
STEPS = (1e-4, 2e-3, 1e-2)  # (s)
STEP = 1e-3  # (s) for which A is taken
STIFF = 100.0  # (1/s); slower parts are left out of the structured Jacobian on purpose
EIGENVALUE_TOLERANCE = 0.1  # of what else acts: gravity, Coriolis forces, changing moment arms


@functools.cache
def linearize_of(model):
    return jax.jit(lambda p, s, e: linearize(evaluate(model, p, s, e), STEP))


@functools.cache
def evaluate_of(model):
    """Compiled stages and rates at (params, state, controls)."""

    def evaluated(params, state, controls):
        at = evaluate(model, params, state, controls)
        return at.stages, at.rates()

    return jax.jit(evaluated)


@functools.cache
def solve_of(model):
    return jax.jit(lambda lin, g, *given: iteration_matrix(model, lin, g).solve_momentum(*given))


# The hopper with an extensor whose state is the tendon's force, and a flexor with a rigid tendon.
OTHER_MUSCLES = hopper_model.HOPPER.replace("Thelen2003Muscle", "DeGrooteFregly2016Muscle").replace(
    '<DeGrooteFregly2016Muscle name="flexor">',
    '<DeGrooteFregly2016Muscle name="flexor">'
    "<ignore_tendon_compliance>true</ignore_tendon_compliance>",
)


OTHERS = pytest.param("other muscles", marks=pytest.mark.thorough)


@pytest.fixture(scope="module", params=["standing", "random", OTHERS])
def world(request):
    has_fibers = request.param != "other muscles"
    model, params = hopper_model.load(hopper_model.HOPPER if has_fibers else OTHER_MUSCLES)
    state = hopper_model.initial(model, params)
    if request.param == "random":
        state = hopper_model.random_state(model, params, seed=3, spread=0.05)
    return model, params, state, linearize_of(model)(params, state, jnp.array([0.3, 0.6]))


def dense(model, lin):
    """A `[s, u, a, l]` built of the same terms, entry by entry."""
    R, zero = np.asarray(moment_arms(model, lin.paths)), np.zeros
    m, n = R.shape
    f = {
        name: zero((m, m)) if value is None else np.diag(np.asarray(value))
        for name, value in lin.fibers._asdict().items()
    }
    mass = np.asarray(symmetric(lin.mass))
    u_rows = np.linalg.solve(
        mass,
        np.concatenate(
            [
                -np.asarray(lin.stiffness) - R.T @ f["T_path"] @ R,
                -np.asarray(lin.damping) - R.T @ f["T_speed"] @ R,
                R.T @ f["T_activation"],
                R.T @ f["T_state"],
            ],
            axis=1,
        ),
    )
    return np.block(
        [
            [zero((n, n)), np.eye(n), zero((n, 2 * m))],
            [u_rows],
            [zero((m, 2 * n)), f["activation"], zero((m, m))],
            [-f["y_path"] @ R, -f["y_speed"] @ R, f["y_activation"], f["y_state"]],
        ]
    )


def flat(model, state):
    """A State as one vector, free coordinates only."""
    free = model.tree.mobility
    contracted = contraction(model, state)
    return np.concatenate([state.q[free], state.u[free], state.activation, contracted])


def right_hand_side(model, params, seed):
    """A State whose rows without effect are zero, as in the rates."""
    rhs = hopper_model.random_state(model, params, seed=seed)
    return dataclasses.replace(
        rhs, **contraction_fields(model, with_effect(model, contraction(model, rhs)))
    )


def with_effect(model, contracted):
    """Zero where the tendon is rigid."""
    held = model.muscle_states.items()
    rows = np.concatenate([own.muscle for name, own in held if name != "activation"])
    return jnp.where(np.isin(np.arange(len(model.muscle_names)), rows), contracted, 0.0)


# parity: none, OpenSim has no such thing; the dense matrix of the same terms stands in


@pytest.mark.parametrize("g", STEPS)
def test_structured_solve_is_the_dense_one(world, g):
    model, params, state, lin = world
    rhs = right_hand_side(model, params, seed=8)
    momentum = symmetric(lin.mass) @ rhs.u[model.tree.mobility]
    obtained = flat(model, solve_of(model)(lin, g, rhs, momentum))
    A = dense(model, lin)
    expected = np.linalg.solve(np.eye(len(A)) - g * A, flat(model, rhs))
    np.testing.assert_allclose(
        obtained, expected, rtol=0, atol=SOLVE_TOLERANCE * np.abs(expected).max()
    )


def test_solve_without_a_step_gives_back_the_right_hand_side(world):
    model, params, _, lin = world
    rhs = right_hand_side(model, params, seed=9)
    momentum = symmetric(lin.mass) @ rhs.u[model.tree.mobility]
    obtained = flat(model, solve_of(model)(lin, 0.0, rhs, momentum))
    np.testing.assert_allclose(obtained, flat(model, rhs), rtol=1e-10)


# property


def test_rates_are_the_state_derivative(world):
    model, params, state, _ = world
    excitation = jnp.array([0.3, 0.6])
    _, rates = evaluate_of(model)(params, state, excitation)
    expected = hopper_model.rates(model, params, state, excitation)
    chex.assert_trees_all_close(rates, expected, rtol=SAME, atol=SAME)


def test_what_follows_from_params_alone_may_be_given():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state, excitation = hopper_model.initial(model, params), jnp.array([0.3, 0.6])
    bodies = dataclasses.replace(params.bodies, mass=2 * params.bodies.mass)
    heavy = dataclasses.replace(params, bodies=bodies)

    @jax.jit
    def with_instance_of(other):
        context = StepContext(realize_instance(model, other))
        return evaluate(model, params, state, excitation, context).stages

    expected, _ = evaluate_of(model)(heavy, state, excitation)
    chex.assert_trees_all_close(with_instance_of(heavy), expected, rtol=SAME, atol=SAME)
    light, _ = evaluate_of(model)(params, state, excitation)
    assert np.abs(expected.mass - light.mass).max() > 0.1


def test_matrices_are_symmetric_and_never_push(world):
    _, _, _, lin = world
    for matrix in (lin.damping, lin.stiffness):
        matrix = np.asarray(matrix)
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12 * np.abs(matrix).max())
        assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.abs(matrix).max()
    assert (np.asarray(lin.fibers.T_path) >= 0).all()
    assert (np.asarray(lin.fibers.y_state) <= 0).all()
    assert (np.asarray(lin.fibers.activation) <= 0).all()


def test_stiff_eigenvalues_are_those_of_the_whole_jacobian():
    """Standing on the floor at rest: contact, limit, and fibers on their tendons."""
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.initial(model, params)
    state = dataclasses.replace(state, fiber_length=0.99 * state.fiber_length)
    excitation = jnp.array([0.3, 0.6])
    lin = linearize_of(model)(params, state, excitation)
    free = model.tree.mobility

    def rates(x):
        q, u, a, length = jnp.split(x, np.cumsum([len(free), len(free), 2]))
        moved = jaxosim.State(
            time=state.time,
            q=state.q.at[free].set(q),
            u=state.u.at[free].set(u),
            activation=a,
            fiber_length=length,
            normalized_tendon_force=state.normalized_tendon_force,
            force_states=state.force_states,
        )
        d = jaxosim.state_derivative(model, params, moved, excitation)
        return jnp.concatenate([d.q[free], d.u[free], d.activation, d.fiber_length])

    whole = np.asarray(jax.jit(jax.jacfwd(rates))(jnp.asarray(flat(model, state))))
    exact, ours = np.linalg.eigvals(whole), np.linalg.eigvals(dense(model, lin))
    stiff = exact[np.abs(exact) > STIFF]
    assert len(stiff) >= 4
    for eigenvalue in stiff:
        assert np.abs(ours - eigenvalue).min() < EIGENVALUE_TOLERANCE * abs(eigenvalue), eigenvalue


@pytest.mark.thorough
@pytest.mark.parametrize("g", STEPS)
def test_angles_of_free_joints_move_with_their_speeds(g):
    """q_dot is not u there: x.q − g N x.u = rhs.q."""
    model, params = hopper_model.load(TWO_BODIES)
    state = hopper_model.row(as_states(touching_states(model, params, 3, seed=2)), 1)
    lin = linearize_of(model)(params, state, jnp.zeros(0))
    rhs = dataclasses.replace(state, q=0.1 * state.u, u=state.u)
    momentum = symmetric(lin.mass) @ rhs.u[model.tree.mobility]
    x = solve_of(model)(lin, g, rhs, momentum)
    moved = x.q - g * coordinate_rates(model, lin.joints, x.u)
    np.testing.assert_allclose(moved, rhs.q, rtol=0, atol=1e-11 * (1 + np.abs(rhs.q).max()))


# gradient


@pytest.mark.thorough
def test_gradient_of_the_solve_equals_differences():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.random_state(model, params, seed=4, spread=0.05)
    excitation = jnp.array([0.3, 0.6])

    @jax.jit
    def scalar(state):
        lin = linearize(evaluate(model, params, state, excitation), STEP)
        x = iteration_matrix(model, lin, 2e-3).solve_momentum(lin.rates, lin.force)
        return jnp.sum(x.u) + jnp.sum(x.q) + jnp.sum(x.activation) + jnp.sum(x.fiber_length)

    slopes, direction = (
        jax.jit(jax.grad(scalar))(state),
        hopper_model.random_direction(state, seed=2),
    )
    expected = hopper_model.slope_along(scalar, state, direction, 1e-5)
    assert hopper_model.all_finite(slopes)
    assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-5 * max(1.0, abs(expected))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(hopper_model.HOPPER)
    states = [hopper_model.random_state(model, params, seed, 0.05) for seed in range(3)]
    excitation = jnp.array([0.3, 0.6])
    one = linearize_of(model)
    together = jax.jit(jax.vmap(one, (None, 0, None)))(
        params, hopper_model.stack(states), excitation
    )
    for index, state in enumerate(states):
        alone = one(params, state, excitation)
        for a, b in zip(
            jax.tree.leaves(hopper_model.row(together, index)), jax.tree.leaves(alone), strict=True
        ):
            scale = 1.0 + float(jnp.abs(b).max(initial=0.0))
            np.testing.assert_allclose(a, b, rtol=0, atol=SAME * scale)
    assert one._cache_size() == 1
