"""state_derivative as a whole: shapes, gradients also at the awkward points, batches, dtypes."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxosim
from jaxosim.errors import ModelMismatchError
from jaxosim.forces import FORCES
from jaxosim.opensim.sampling import random_states
from jaxosim.types import Params
from tests import hopper_model
from tests.models import osim_text as osim

PARITY_STATES = 48
GRADIENT_TOLERANCE = 1e-5  # against fourth-order differences, whose own error is about 1e-8
DIFFERENCE_STEP = 1e-5  # relative to each number's size; rounding then costs about 1e-10
ENTRY_STEP = 1e-6  # absolute, for single entries of the state
BATCH_TOLERANCE = 1e-11  # only the order of sums differs
POWER_TOLERANCE = 1e-9  # of the largest power at work
FLOAT32_TOLERANCE = 2e-4  # of the largest rate: stiff contacts multiply float32's 1e-7 by 1e3

DEFAULT_HEIGHT = 2  # coordinates of the hopper
KNEE = 3


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(hopper_model.HOPPER)
    return model, params, hopper_model.initial(model, params)


@functools.cache
def weighted_rates(model):
    """A scalar that depends on every rate, and its gradient, both compiled."""
    sizes = model.sizes
    rng = np.random.default_rng(7)
    weights = {
        "q": rng.standard_normal(sizes["coordinate"]),
        "u": 0.01 * rng.standard_normal(sizes["coordinate"]),
        "activation": rng.standard_normal(sizes["muscle"]),
        "fiber_length": rng.standard_normal(sizes["muscle"]),
    }

    def scalar(arguments):
        rates = jaxosim.state_derivative(model, *arguments)
        return sum(jnp.sum(jnp.asarray(w) * getattr(rates, name)) for name, w in weights.items())

    return jax.jit(scalar), jax.jit(jax.grad(scalar))


def awkward_states(state, model, params):
    """States at which a careless derivative is NaN or infinite."""
    shortest = params.muscles.optimal_fiber_length * jnp.sin(0.2) / jnp.sin(jnp.arccos(0.1))
    still = dataclasses.replace(state, u=jnp.zeros_like(state.u))
    return {
        "zero slip": still,
        "no contact": hopper_model.replace_at(state, q=(DEFAULT_HEIGHT, 2.0)),
        "spline knot": hopper_model.replace_at(state, q=(KNEE, hopper_model.SPLINE_KNOTS[1])),
        "last spline knot": hopper_model.replace_at(state, q=(KNEE, hopper_model.SPLINE_KNOTS[-1])),
        "edge of a condition": hopper_model.replace_at(state, q=(KNEE, hopper_model.CONDITION[1])),
        "at the limit": hopper_model.replace_at(state, q=(KNEE, float(np.deg2rad(10)))),
        "shortest fibers": dataclasses.replace(state, fiber_length=shortest),
        "below the shortest": dataclasses.replace(state, fiber_length=0.5 * shortest),
        "slack tendon": dataclasses.replace(state, fiber_length=2 * state.fiber_length),
        "minimal activation": dataclasses.replace(
            state, activation=jnp.full_like(state.activation, 0.01)
        ),
        "negative activation": dataclasses.replace(
            state, activation=jnp.full_like(state.activation, -0.2)
        ),
    }


# parity


@pytest.mark.opensim
def test_random_states_of_the_hopper(opensim, world):
    states = random_states(hopper_model.oracle_of(hopper_model.HOPPER), PARITY_STATES, seed=3)
    hopper_model.assert_parity(hopper_model.HOPPER, states)


# property


def test_without_forces_energy_is_kept(world):
    """A loose hopper in the air: kinetic energy changes by gravity's power alone."""
    model, params, _ = world
    loose = dataclasses.replace(
        params,
        muscles=dataclasses.replace(
            params.muscles, max_isometric_force=0 * params.muscles.max_isometric_force
        ),
        springs=jax.tree.map(jnp.zeros_like, params.springs),
    )
    state = hopper_model.random_state(model, loose, seed=2, spread=0.1)
    state = hopper_model.replace_at(state, q=(DEFAULT_HEIGHT, 3.0))
    info = hopper_model.describe(model, loose, state, jnp.zeros(2))
    rates = hopper_model.rates(model, loose, state, jnp.zeros(2))

    def kinetic(q, u):
        from jaxosim.arrays.positive_definite import symmetric
        from jaxosim.dynamics.multibody import mass_matrix
        from jaxosim.system import realize_position

        position = realize_position(model, loose, dataclasses.replace(state, q=q))
        mass = symmetric(mass_matrix(model, position.bodies, position.inertia))
        free = u[model.tree.mobility]
        return 0.5 * free @ mass @ free

    _, power = jax.jit(lambda *a: jax.jvp(kinetic, a[:2], a[2:]))(
        state.q, state.u, rates.q, rates.u
    )
    weight = float(jnp.sum(params.bodies.mass)) * np.asarray(params.gravity)
    expected = weight @ np.asarray(info.mass_center.velocity)
    assert abs(float(power) - expected) < POWER_TOLERANCE * max(1.0, abs(expected))


def test_rates_of_what_does_not_move_are_zero(world):
    model, params, state = world
    rates = hopper_model.rates(model, params, state, jnp.ones(2))
    assert float(rates.time) == 1.0
    assert not np.any(np.asarray(rates.u)[model.locked])
    assert not np.any(np.asarray(rates.q)[model.locked])


@pytest.mark.parametrize("field", ["q", "u", "activation", "fiber_length"])
def test_wrong_shapes_are_named(world, field):
    model, params, state = world
    wrong = dataclasses.replace(state, **{field: jnp.zeros(9)})
    with pytest.raises(ModelMismatchError, match=rf"State\.{field}: expected .* got \[9\]$"):
        jaxosim.state_derivative(model, params, wrong, jnp.zeros(2))


def test_params_of_another_model_are_refused(world):
    model, _, state = world
    _, other = jaxosim.load_model("arm2dof6musc")
    with pytest.raises(ModelMismatchError, match=r"Params\.bodies\.mass: expected .*body=3"):
        jaxosim.state_derivative(model, other, state, jnp.zeros(2))


def test_excitation_of_wrong_length_is_refused(world):
    model, params, state = world
    with pytest.raises(
        ModelMismatchError, match=r"controls: expected shape \[control=2\], got \[3\]"
    ):
        jax.eval_shape(jaxosim.state_derivative, model, params, state, jnp.zeros(3))


# gradient


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(i, marks=pytest.mark.thorough) for i in (1, 2))]
)
def test_gradient_by_params_is_the_difference_quotient(world, seed):
    model, params, _ = world
    state = hopper_model.random_state(model, params, seed)
    scalar, gradient = weighted_rates(model)
    excitation = jnp.array([0.3, 0.9])
    slopes = gradient((params, state, excitation))[0]
    zero = jax.tree.map(jnp.zeros_like, params)
    direction = hopper_model.random_direction(params, seed + 50)
    scale = max(1.0, abs(hopper_model.inner(jax.tree.map(_finite, slopes), direction)))
    names = [field.name for field in dataclasses.fields(Params)]
    for name in names:
        along = dataclasses.replace(zero, **{name: getattr(direction, name)})
        expected = hopper_model.slope_along(
            lambda p: scalar((p, state, excitation)), params, along, DIFFERENCE_STEP
        )
        obtained = hopper_model.inner(jax.tree.map(_finite, slopes), along)
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(scale, abs(expected)), name


def _finite(leaf):
    """Padding of spline tables (knots at infinity) has no derivative that counts."""
    return jnp.where(jnp.isfinite(leaf), leaf, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_by_state_and_excitation_is_the_difference_quotient(world, seed):
    model, params, _ = world
    state = hopper_model.random_state(model, params, seed)
    scalar, gradient = weighted_rates(model)
    at = (state, jnp.array([0.3, 0.9]))
    slopes = gradient((params, *at))[1:]
    flat, unravel = ravel_pytree(at)
    obtained = ravel_pytree(slopes)[0]
    expected = [
        hopper_model.slope_along(lambda x: scalar((params, *unravel(x))), flat, unit, ENTRY_STEP)
        for unit in jnp.eye(len(flat))
    ]
    scale = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max())
    np.testing.assert_array_less(
        np.abs(np.asarray(obtained) - expected), GRADIENT_TOLERANCE * scale + 1e-12
    )


def test_gradients_are_finite_at_the_awkward_points(world):
    model, params, state = world
    gradient = weighted_rates(model)[1]
    for name, awkward in awkward_states(state, model, params).items():
        slopes = gradient((params, awkward, jnp.array([0.01, 0.5])))
        assert hopper_model.all_finite(slopes), name
        assert all(hopper_model.nonzero(part) for part in slopes), name


def test_gradient_is_finite_where_spheres_graze_the_floor(world):
    model, params, state = world
    from jaxosim.system import realize_dynamics, realize_position, realize_velocity

    def depth(state):
        position = realize_position(model, params, state)
        velocity = realize_velocity(model, params, state, jnp.zeros(2), position)
        dynamics = realize_dynamics(model, params, state, jnp.zeros(2), position, velocity)
        return dynamics.forces["contacts"].depth

    depth = jax.jit(depth)
    for _ in range(3):  # the depth is linear in the height
        state = hopper_model.replace_at(
            state, q=(DEFAULT_HEIGHT, state.q[DEFAULT_HEIGHT] + depth(state)[0])
        )
    assert abs(float(depth(state)[0])) < 1e-15
    assert hopper_model.all_finite(weighted_rates(model)[1]((params, state, jnp.zeros(2))))


@pytest.mark.slow
@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_bundled_model_has_finite_gradients_in_its_default_pose(name):
    """At rest in the default pose: zero slip, knees at their limit, contacts touching."""
    model, params = jaxosim.load_model(name)
    state = hopper_model.initial(model, params)
    muscles = len(model.muscle_names)
    slopes = weighted_rates(model)[1]((params, state, jnp.full(muscles, 0.05)))
    assert hopper_model.all_finite(slopes)
    assert hopper_model.nonzero(slopes[0].muscles)
    assert hopper_model.nonzero(slopes[0].contacts) == (model.contacts.pair_count > 0)


# batch


def test_vmap_over_one_branch_of_params_equals_a_loop(world):
    model, params, state = world
    none = {field.name: None for field in dataclasses.fields(Params)}
    axes = Params(**{**none, "muscles": 0})
    scales = jnp.array([0.5, 1.0, 1.5])
    strength = scales[:, None] * params.muscles.max_isometric_force[None]
    many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), params.muscles)
    many = dataclasses.replace(many, max_isometric_force=strength)
    batched = dataclasses.replace(params, muscles=many)
    excitation = jnp.array([0.2, 0.4])
    together = jax.jit(jax.vmap(jaxosim.state_derivative, (None, axes, None, None)))(
        model, batched, state, excitation
    )
    for index in range(3):
        one = dataclasses.replace(params, muscles=hopper_model.row(many, index))
        alone = hopper_model.rates(model, one, state, excitation)
        chex.assert_trees_all_close(
            hopper_model.row(together, index), alone, rtol=BATCH_TOLERANCE, atol=BATCH_TOLERANCE
        )
    assert float(jnp.ptp(together.u[:, 0])) > 1.0  # strength matters, else the test is void


# compile


def test_float32_stays_float32_and_close(world):
    model, params, _ = world
    short = functools.partial(jax.tree.map, lambda leaf: leaf.astype(jnp.float32))
    for seed in range(3):
        state = hopper_model.random_state(model, params, seed)
        excitation = jnp.array([0.2, 0.4])
        exact = hopper_model.rates(model, params, state, excitation)
        rough = hopper_model.rates(model, short(params), short(state), short(excitation))
        for name in ("q", "u", "activation", "fiber_length"):
            a, b = np.asarray(getattr(exact, name)), np.asarray(getattr(rough, name))
            assert b.dtype == np.float32
            assert np.abs(a - b).max() < FLOAT32_TOLERANCE * max(1.0, np.abs(a).max()), name


def test_one_trace_for_one_model(world):
    model, params, state = world

    @jax.jit
    @chex.assert_max_traces(n=1)
    def rates(params, state, excitation):
        return jaxosim.state_derivative(model, params, state, excitation)

    for excitation in jnp.eye(2):
        rates(params, state, excitation)


def test_nothing_is_traced_for_classes_of_forces_that_a_model_lacks(monkeypatch):
    def fail(*_):
        raise AssertionError("evaluated without a member")

    model, params = hopper_model.load(osim.model())
    for force in FORCES:
        for name in ("realize_instance", "evaluate", "jacobian", "outputs"):
            monkeypatch.setattr(force, name, fail, raising=False)
    state = jaxosim.initial_state(model, params)
    jax.make_jaxpr(lambda s: jaxosim.step(model, params, s, jnp.zeros(0)))(state)
    info = jax.eval_shape(lambda s: jaxosim.describe(model, params, s, jnp.zeros(0)), state)
    assert info.forces == {}
