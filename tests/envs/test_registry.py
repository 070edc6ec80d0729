"""Tasks by name, of osim-rl and of users; and the models that a task may be made from."""

import dataclasses
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs import registry
from jaxosim.envs.arm2d import Arm2DEnv
from jaxosim.models.catalog import resolve

OPTIONS = jaxosim.Options(method="euler", substeps=1)


class ReachEnv(Arm2DEnv):
    """A user's task that changes one thing."""

    @property
    def default_time_limit(self):
        return 3


@pytest.fixture
def registered():
    jaxosim.register("ReachEnv", ReachEnv)
    yield "ReachEnv"
    del registry.ENVS["ReachEnv"]


def test_a_registered_task_is_made_by_name(registered):
    env = jaxosim.make(registered, options=OPTIONS, distance_weight=2.0)
    assert type(env) is ReachEnv and env.time_limit == 3 and env.distance_weight == 2.0
    with pytest.raises(TypeError, match="ReachEnv has no option difficulty"):
        jaxosim.make(registered, difficulty=1)
    with pytest.raises(ValueError, match="did you mean ReachEnv"):
        jaxosim.make("RechEnv")


@pytest.mark.parametrize(
    ("name", "cls", "error", "words"),
    [
        ("Arm2DEnv", ReachEnv, ValueError, "'Arm2DEnv' is taken by Arm2DEnv"),
        ("Arm2D", ReachEnv, ValueError, "'Arm2D' is taken by Arm2DEnv"),
        ("ProstheticsRound2Env", ReachEnv, ValueError, "is taken by ProstheticsRound2"),
        ("my task", ReachEnv, ValueError, "name: expected an identifier .* got 'my task'"),
        (7, ReachEnv, ValueError, "name: expected an identifier"),
        ("Other", object, TypeError, "cls: expected a subclass of jaxosim.Env"),
        ("Other", "ReachEnv", TypeError, "cls: expected a subclass of jaxosim.Env"),
    ],
)
def test_odd_registrations_are_refused(name, cls, error, words):
    before = dict(registry.ENVS)
    with pytest.raises(error, match=words):
        jaxosim.register(name, cls)
    assert before == registry.ENVS


def test_a_name_registered_twice_is_refused(registered):
    with pytest.raises(ValueError, match="'ReachEnv' is taken by ReachEnv"):
        jaxosim.register(registered, ReachEnv)


def test_make_takes_a_task_and_changes_options_of_it():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS)
    assert jaxosim.make(env) is env
    longer = jaxosim.make(env, time_limit=7)
    assert (longer.time_limit, longer.model, longer.params) == (7, env.model, env.params)
    with pytest.raises(TypeError, match="Arm2DEnv has no option difficulty"):
        jaxosim.make(env, difficulty=1)


def test_a_batch_takes_a_name_or_a_task():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS)
    assert jaxosim.BatchEnv(env, 2).env is env
    assert type(jaxosim.BatchEnv("Arm2DEnv", 2).env) is Arm2DEnv
    with pytest.raises(ValueError, match="no environment 'Arm3DEnv'"):
        jaxosim.BatchEnv("Arm3DEnv", 2)


# ------------------------------------------------------------------------------------- models


def test_a_model_may_be_a_name_a_path_or_a_pair():
    pair = jaxosim.load_model("arm2dof6musc")
    for given in ("arm2dof6musc", resolve("arm2dof6musc"), pair):
        env = jaxosim.make("Arm2DEnv", model=given)
        assert env.model is pair[0] or env.model.source.endswith("arm2dof6musc.osim")
        chex.assert_trees_all_equal(env.params, pair[1])


def test_edited_params_of_a_pair_are_simulated():
    model, params = jaxosim.load_model("arm2dof6musc")
    heavy = dataclasses.replace(params.bodies, mass=2 * params.bodies.mass)
    edited = dataclasses.replace(params, bodies=heavy)
    env = jaxosim.make("Arm2DEnv", model=(model, edited), options=OPTIONS)
    chex.assert_trees_all_equal(pickle.loads(pickle.dumps(env)).params, edited)
    start, action = jax.jit(env.reset)(jax.random.key(0)), jnp.full(6, 0.5)
    es = jax.jit(env.step)(start, action)
    step = jax.jit(jaxosim.step)
    expected, plain = (step(model, p, start.state, action, OPTIONS) for p in (edited, params))
    chex.assert_trees_all_close(es.state, expected, rtol=1e-12, atol=1e-12)
    assert np.abs(es.state.u - plain.u).max() > 1e-3


def test_params_replace_those_of_a_pair():
    model, params = jaxosim.load_model("arm2dof6musc")
    other = jax.tree.map(lambda leaf: leaf + 0.0, params)
    env = jaxosim.make("Arm2DEnv", model=(model, params), params=other)
    assert env.params is other


@pytest.mark.parametrize("given", [3, (1, 2), ("arm2dof6musc",)], ids=str)
def test_what_is_no_model_is_refused(given):
    with pytest.raises(ValueError, match=r"model: expected a bundled name, a path, or a pair"):
        jaxosim.make("Arm2DEnv", model=given)


def test_a_pair_of_two_models_is_refused():
    model, _ = jaxosim.load_model("arm2dof6musc")
    params = jaxosim.load_model("gait9dof18musc")[1]
    with pytest.raises(jaxosim.ModelMismatchError, match=r"Params\.bodies\.mass: expected"):
        jaxosim.make("Arm2DEnv", model=(model, params))
    with pytest.raises(ValueError, match=r"params: expected jaxosim\.Params, got None"):
        jaxosim.make("Arm2DEnv", model=model)


def test_a_task_that_compares_by_value_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ByValue(Arm2DEnv):
        gain: float = 1.0

    with pytest.raises(TypeError, match="ByValue: expected a class that is hashed by identity"):
        ByValue()


def test_a_task_is_an_argument_of_jitted_functions():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS)
    es = jax.jit(env.reset)(jax.random.key(0))
    actions = jnp.stack([jnp.full(6, level) for level in (0.2, 0.7)])
    batch = jax.jit(jax.vmap(lambda env, es, action: env.step(es, action), (None, None, 0)))
    after = batch(env, es, actions)
    alone = jax.jit(env.step)(es, actions[1])
    np.testing.assert_allclose(after.obs[1], alone.obs, rtol=1e-12, atol=1e-12)
    assert not jax.tree.leaves(env)


# ------------------------------------------------------------------------------------ rewards


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("Arm2DEnv", "survival_reward"),
        ("Arm2DEnv", "distance_weight"),
        ("L2RunEnv", "progress_weight"),
        ("L2RunEnv", "fall_height"),
        ("ProstheticsEnv", "speed"),
        ("ProstheticsEnv", "survival_reward"),
        ("ProstheticsEnv", "effort_weight"),
        ("ProstheticsEnv", "velocity_weight"),
        ("ProstheticsEnv", "fall_height"),
        ("L2M2019Env", "velocity_weight"),
        ("L2M2019Env", "least_footsteps"),
        ("L2M2019Env", "contact_load"),
        ("L2M2019Env", "fall_height"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), "much", True])
def test_weights_and_thresholds_are_finite_numbers(name, option, value):
    with pytest.raises(ValueError, match=f"{option}: expected a finite number"):
        jaxosim.make(name, **{option: value})


@pytest.mark.thorough
def test_reward_weights_scale_their_terms():
    usual = jaxosim.make("ProstheticsEnv", difficulty=1, options=OPTIONS)
    changed = dataclasses.replace(
        usual, survival_reward=3.0, effort_weight=0.002, velocity_weight=0.5
    )
    es = jax.jit(usual.reset)(jax.random.key(0))
    action = jnp.full(usual.action_size, 0.4)
    before, after = (jax.jit(env.step)(es, action).metrics for env in (usual, changed))
    factors = {"survival": 0.3, "effort": 2.0, "velocity": 0.5}
    assert set(before) == set(after) == set(factors)
    for name, factor in factors.items():
        assert before[name] != 0
        np.testing.assert_allclose(after[name], factor * before[name], rtol=1e-12)


@pytest.mark.thorough
def test_the_speed_of_round_1_is_an_option():
    env = jaxosim.make("ProstheticsEnv", speed=1.0, options=OPTIONS)
    es = jax.jit(env.reset)(jax.random.key(0))
    np.testing.assert_array_equal(env.target_velocity(es), [1.0, 0.0, 0.0])
    after = jax.jit(env.step)(es, jnp.full(env.action_size, 0.1))
    velocity = env.pelvis_velocity(jax.jit(env.describe)(after))
    np.testing.assert_allclose(after.metrics["velocity"], -((velocity[0] - 1.0) ** 2), rtol=1e-9)


@pytest.mark.parametrize(
    "name, model, missing",
    [
        ("L2RunEnv", "arm2dof6musc", "joint named 'ground_pelvis'"),
        ("ProstheticsEnv", "arm2dof6musc", "body named "),
        ("L2M2019Env", "arm2dof6musc", "coordinate named "),
        ("Arm2DEnv", "gait9dof18musc", "joint named "),
    ],
)
def test_what_a_task_misses_in_another_model_is_named(name, model, missing):
    env = jaxosim.make(name, model=model, options=OPTIONS)
    expected = rf"{model}\.osim: expected a {missing}.*, which the task reads"
    with pytest.raises(jaxosim.ModelMismatchError, match=expected):
        jax.eval_shape(env.reset, jax.random.key(0))
