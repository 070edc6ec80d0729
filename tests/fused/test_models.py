"""All that jaxosim traces goes through the fused kernel, and comes out as XLA has it."""

import dataclasses
import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

import jaxosim
from jaxosim.fused import using
from jaxosim.fused.interpreter import RULES, primitive_without_rule
from jaxosim.osim_rl.compiled_env import manager_step

TASKS = ["ProstheticsEnv", "L2RunEnv", "Arm2DEnv", "L2M2019Env"]
WALKER = "gait14dof22musc_pros"
# Draws new targets within a step, which stays with XLA; its control step is fused.
DRAWS = {"L2M2019Env": "random_split"}
WORLDS = 5

# All that a substep may be made of, calls aside. It is fast on a CPU with worlds side by side, has
# a rule in the fused kernel, and is differentiated into the like. See `jaxosim/arrays`.
SUBSTEP_PRIMITIVES = frozenset(
    """
    abs add add_any and atan2 batch_minor broadcast_in_dim cbrt concatenate constant_matmul
    convert_element_type cos cross div eq exp gather ge gt integer_pow inverse_positive iota
    is_finite le lt matmul_nt max min mul ne neg not optimization_barrier or reduce_max reduce_min
    reduce_or reduce_sum reshape segment_sum select_n sin slice solve_by_inverse split sqrt square
    squeeze stack stop_gradient sub sum_leading take tile transpose
    """.split()
)
INSTEAD = {
    "dot_general": "linalg.matvec, matmul, dot, or constant_matmul if one side is static",
    "scatter": "indexing.segment_sum, or take of a concatenation",
    "scatter-add": "indexing.segment_sum",
    "dynamic_slice": "indexing.take, whose indices are static",
    "dynamic_update_slice": "indexing.take of a concatenation",
    "pad": "indexing.take_or_zero",
    "rev": "indexing.take",
    "cumsum": "linalg.constant_matmul with a triangular matrix",
    "reduce_prod": "functools.reduce over the factors",
    "cholesky": "positive_definite.inverse_positive",
    "triangular_solve": "positive_definite.solve_positive",
    "lu": "positive_definite.solve_positive",
    "clamp": "safe.clip, whose derivative at a bound is that within the range",
    "cond": "jnp.where: worlds of a batch take both branches anyway",
    "while": "a loop of a static count, which has a reverse-mode derivative",
    "sort": "comparisons of all pairs",
}


def _some_slow(names, *fast):
    return [pytest.param(n, marks=[] if n in fast else pytest.mark.slow) for n in names]


def worlds(name, dtype=jnp.float64):
    """A few worlds near the default pose, in motion, and their excitations."""
    model, params = jaxosim.load_model(name)
    params = jax.tree.map(lambda x: x.astype(dtype) if x.dtype == jnp.float64 else x, params)
    state = jax.jit(jaxosim.initial_state)(model, params)
    rng = np.random.default_rng(0)

    def near(value, spread):
        moved = np.asarray(value)[None] + spread * rng.normal(size=(WORLDS, *value.shape))
        return jnp.asarray(moved, dtype)

    free = ~model.locked
    states = jaxosim.State(
        time=jnp.zeros(WORLDS, dtype),
        q=near(state.q, 0.1 * free),
        u=near(state.u, 0.5 * free),
        activation=jnp.asarray(rng.uniform(0.05, 0.9, (WORLDS, len(model.muscle_names))), dtype),
        fiber_length=near(state.fiber_length, 1e-3),
        normalized_tendon_force=near(state.normalized_tendon_force, 1e-3),
        force_states=near(state.force_states, 1e-3),
    )
    excitation = jnp.asarray(rng.uniform(0, 1, (WORLDS, len(model.muscle_names))), dtype)
    return model, params, states, excitation


def both(function, *arguments):
    """Results by the kernel and by XLA."""
    fused = jax.jit(jax.vmap(function))(*arguments)
    with using("xla"):
        return fused, jax.jit(jax.vmap(lambda *given: function(*given)))(*arguments)


def close(pair, rtol):
    for a, b in zip(*map(jax.tree.leaves, pair), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            assert jnp.all(a == b)
        elif jnp.issubdtype(a.dtype, jnp.floating):
            scale = np.maximum(1, np.abs(b))
            np.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=rtol)
        else:
            np.testing.assert_array_equal(a, b)


OTHERS = [name for name in jaxosim.bundled_models() if name != WALKER]


# A decision of ProstheticsEnv, below, is made of its walker's rates.
@pytest.mark.parametrize(
    "name",
    [*_some_slow(OTHERS, "arm2dof6musc"), pytest.param(WALKER, marks=pytest.mark.thorough)],
)
def test_rates_are_those_of_xla(name):
    model, params, states, excitation = worlds(name)
    close(
        both(functools.partial(jaxosim.state_derivative, model, params), states, excitation), 1e-9
    )


@pytest.mark.parametrize("name", _some_slow([WALKER, "arm2dof6musc"], "arm2dof6musc"))
def test_a_step_is_that_of_xla(name):
    model, params, states, excitation = worlds(name)
    close(both(functools.partial(jaxosim.step, model, params), states, excitation), 1e-8)


@pytest.mark.parametrize("method", ["rk4", "euler", "merson"])
def test_a_step_of_each_method_is_that_of_xla(method):
    model, params, states, excitation = worlds("arm2dof6musc")
    options = jaxosim.Options(method=method, substeps=20, accuracy=1e-6)
    step = functools.partial(jaxosim.step, model, params, options=options)
    close(both(step, states, excitation), 1e-9)


@pytest.mark.thorough
def test_a_gradient_is_that_of_xla_in_both_modes():
    model, params, states, excitation = worlds("arm2dof6musc")

    def end(state, excitation):
        return jaxosim.step(model, params, state, excitation).q

    def reverse(state, excitation):
        return jax.grad(lambda *given: end(*given).sum(), argnums=(0, 1))(state, excitation)

    def forward(state, excitation):
        return jax.jvp(lambda e: end(state, e), (excitation,), (jnp.ones_like(excitation),))[1]

    close(both(reverse, states, excitation), 1e-8)
    close(both(forward, states, excitation), 1e-8)


def test_params_of_each_world_give_what_shared_ones_give():
    model, params, states, excitation = worlds("arm2dof6musc")
    own = jax.tree.map(lambda x: jnp.broadcast_to(x, (WORLDS, *x.shape)), params)
    baked = jax.jit(jax.vmap(functools.partial(jaxosim.step, model, params)))(states, excitation)
    shared = jax.jit(jax.vmap(jaxosim.step, (None, None, 0, 0)))(model, params, states, excitation)
    each = jax.jit(jax.vmap(jaxosim.step, (None, 0, 0, 0)))(model, own, states, excitation)
    close((shared, baked), 1e-10)
    close((each, baked), 1e-10)


@pytest.mark.parametrize("task", _some_slow(TASKS, "ProstheticsEnv", "Arm2DEnv"))
def test_a_decision_is_that_of_xla(task):
    env = jaxosim.make(task)
    es = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), WORLDS))
    action = jax.random.uniform(jax.random.key(1), (WORLDS, env.action_size), jnp.float64)
    close(both(env.step, es, action), 1e-7)


def test_what_is_not_finite_is_held_and_told():
    env = jaxosim.make("Arm2DEnv")
    es = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 3))
    bad = es.state.u.at[1, 0].set(jnp.nan)
    es = dataclasses.replace(es, state=dataclasses.replace(es.state, u=bad))
    action = jnp.full((3, env.action_size), 0.3)
    after = jax.jit(jax.vmap(env.step))(es, action)
    np.testing.assert_array_equal(after.info["finite"], [True, False, True])
    np.testing.assert_array_equal(after.done, [False, True, False])


def _primitives(jaxpr, found):
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for part in _subjaxprs(equation):
            _primitives(part, found)
    return found


def _subjaxprs(equation):
    for value in equation.params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(part, core.ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, core.Jaxpr):
                yield part


def _new_primitives(jaxpr, within_scan=False):
    """Those in a scan, which repeats the substep, that it should do without; calls aside."""
    new = {}
    for equation in jaxpr.eqns:
        name, inner = equation.primitive.name, list(_subjaxprs(equation))
        is_loop_or_branch = name in INSTEAD and inner
        if within_scan and name not in SUBSTEP_PRIMITIVES and (not inner or is_loop_or_branch):
            new[name] = INSTEAD.get(name, "nothing yet: measure it in a batch, then allow it here")
        for part in inner:
            new |= _new_primitives(part, within_scan or name == "scan")
    return new


@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_a_substep_is_made_of_the_known_primitives(name):
    model, params = jaxosim.load_model(name)
    state = jax.eval_shape(functools.partial(jaxosim.initial_state, model), params)
    controls = jax.ShapeDtypeStruct((len(model.control_names),), jnp.float64)
    with using("xla"):
        step = jax.make_jaxpr(functools.partial(jaxosim.step, model))(params, state, controls)
    assert len(_primitives(step.jaxpr, set()) & SUBSTEP_PRIMITIVES) > 40
    new = _new_primitives(step.jaxpr)
    if name == "arm26":
        # OpenSim's search for the way around an ellipsoid, with slopes of its own, and pieces of
        # paths that `over_rows` evaluates side by side, as if they were worlds.
        assert new.keys() == {"while", "floor", "layout_constraint"}
    else:
        assert new == {}, "use instead what stands beside each"


@pytest.mark.parametrize(
    ("primitive", "function"),
    [
        ("dot_general", lambda x: x @ jnp.outer(x, x)),
        ("cumsum", jnp.cumsum),
        ("scatter-add", lambda x: x.at[np.array([0, 1])].add(1.0)),
        ("while", lambda x: jax.lax.while_loop(lambda y: y[0] < 1, lambda y: y + 1, x)),
        ("cond", lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x)),
        ("tanh", jnp.tanh),
    ],
)
def test_a_new_primitive_in_a_loop_is_named_with_its_replacement(primitive, function):
    loop = jax.make_jaxpr(lambda x: jax.lax.scan(lambda x, _: (function(x), None), x, length=2))
    assert set(_new_primitives(loop(jnp.ones(3)).jaxpr)) == {primitive}
    assert _new_primitives(jax.make_jaxpr(function)(jnp.ones(3)).jaxpr) == {}  # once is harmless


@pytest.mark.parametrize(
    "task", [pytest.param(t, marks=pytest.mark.thorough if t in DRAWS else []) for t in TASKS]
)
def test_every_primitive_of_a_task_has_a_rule(task):
    env = jaxosim.make(task)
    es = jax.eval_shape(env.reset, jax.random.key(0))
    action = jax.ShapeDtypeStruct((env.action_size,), jnp.float64)
    with using("xla"):
        jaxpr = jax.make_jaxpr(env.step)(es, action).jaxpr
    missing = primitive_without_rule(jaxpr)
    known = _primitives(jaxpr, set()) & set(RULES)
    expected = DRAWS.get(task)
    assert missing == expected, f"write a rule for {missing} in jaxosim/fused/rules_*.py"
    assert len(known) > 30
    assert env.draws_in_step == (task in DRAWS)


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["ros3w", "merson"])
def test_a_task_that_draws_within_a_step_is_not_warned_of(method):
    env = jaxosim.make("L2M2019Env", options=jaxosim.Options(method=method))
    es = jax.eval_shape(env.reset, jax.random.key(0))
    action = jax.ShapeDtypeStruct((env.action_size,), jnp.float64)
    step = env.step if method == "ros3w" else functools.partial(manager_step, env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = jax.eval_shape(step, es, action)
    assert after.obs.shape == es.obs.shape
