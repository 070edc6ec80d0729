"""The contract: structure, episodes, bad worlds, options."""

import dataclasses
import types
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests.envs.conftest import overstretch, sometimes_overstretched

OPTIONS = jaxosim.Options(method="rk4", substeps=20)
SIZES = {
    ("ProstheticsEnv", ()): (160, 19),
    ("ProstheticsEnv", (("prosthetic", False), ("difficulty", 1))): (169, 22),
    ("ProstheticsEnv", (("difficulty", 1), ("observe_target", True))): (163, 19),
    ("L2RunEnv", ()): (43, 18),
    ("Arm2DEnv", ()): (16, 6),
    ("L2M2019Env", (("variant", "2D"), ("difficulty", 0))): (339, 22),
    ("L2M2019Env", ()): (339, 22),
}


TRACED = [  # one of each class: tracing takes seconds
    pytest.param(
        *("ProstheticsEnv", (("difficulty", 1), ("observe_target", True))),
        marks=pytest.mark.thorough,
    ),
    pytest.param("L2RunEnv", (), marks=pytest.mark.thorough),
    ("Arm2DEnv", ()),
    pytest.param(
        *("L2M2019Env", (("variant", "2D"), ("difficulty", 1))), marks=pytest.mark.thorough
    ),
]


def kinds(tree):
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, str(leaf.dtype)) for leaf in leaves]


# property


@pytest.mark.parametrize(("name", "options"), SIZES, ids=str)
def test_sizes_and_names(name, options):
    env = jaxosim.make(name, **dict(options))
    assert (env.observation_size, env.action_size) == SIZES[name, options]
    assert env.observation_low.shape == env.observation_high.shape == (env.observation_size,)
    assert len(set(env.observation_names)) == len(env.observation_units) == env.observation_size
    assert len(env.action_names) == len(env.action_low) == env.action_size


def test_same_key_same_bits_other_key_other_episode(arm):
    first, again = arm.reset(jax.random.key(1)), arm.reset(jax.random.key(1))
    chex.assert_trees_all_equal(values(first), values(again))
    action = np.full(6, 0.3)
    chex.assert_trees_all_equal(values(arm.step(first, action)), values(arm.step(again, action)))
    other = arm.reset(jax.random.key(2))
    for changed in (lambda es: es.task_state, lambda es: es.state.q, lambda es: es.state.u):
        assert np.all(changed(other) != changed(first))
    assert np.all(
        other.params.muscles.max_isometric_force != first.params.muscles.max_isometric_force
    )
    assert not np.array_equal(key_bits(first.key), key_bits(jax.random.key(1)))


def key_bits(key):
    return np.asarray(jax.random.key_data(key))


def values(es):
    return dataclasses.replace(es, key=jax.random.key_data(es.key))


def test_reward_terms_sum_to_the_reward(arm):
    es = arm.step(arm.reset(jax.random.key(1)), np.full(6, 0.3))
    assert set(es.metrics) == {"survival", "distance"}
    np.testing.assert_allclose(sum(es.metrics.values()), es.reward, rtol=1e-15)
    np.testing.assert_allclose(es.episode_return, es.reward, rtol=1e-15)


def test_the_time_limit_truncates(arm):
    es = arm.reset(jax.random.key(1))
    seen = []
    for _ in range(arm.env.time_limit):
        es = arm.step(es, np.full(6, 0.1))
        seen.append((bool(es.done), bool(es.info["truncated"]), bool(es.info["terminated"])))
    assert seen == [(False, False, False)] * 3 + [(True, True, False)]


@pytest.mark.parametrize("name", ["ProstheticsEnv", "L2RunEnv", "L2M2019Env"])
def test_a_low_pelvis_terminates(name):
    env = jaxosim.make(name)
    pelvis = env.model.body_names.index("pelvis")
    for height, ended in ((0.59, True), (0.61, False)):
        position = jnp.zeros((len(env.model.body_names), 3)).at[pelvis, 1].set(height)
        description = types.SimpleNamespace(bodies=types.SimpleNamespace(position=position))
        assert bool(env.is_terminated(description)) is ended


def test_a_world_that_is_not_finite_terminates(arm):
    before = arm.reset(jax.random.key(1))
    es = arm.step(before, np.full(6, np.nan))
    assert not es.info["finite"] and es.info["terminated"] and es.done
    assert not es.info["truncated"] and es.reward == 0
    chex.assert_tree_all_finite((es.obs, es.metrics, es.state))
    chex.assert_trees_all_equal(es.state, before.state)


def test_actions_are_clipped(arm):
    es = arm.reset(jax.random.key(1))
    far = arm.step(es, jnp.array([2.0, -1.0, 0.5, 7.0, 1.0, -0.1]))
    near = arm.step(es, jnp.array([1.0, 0.0, 0.5, 1.0, 1.0, 0.0]))
    chex.assert_trees_all_equal(values(far), values(near))


def test_locked_coordinates_are_not_varied():
    env = jaxosim.make(
        "L2M2019Env", variant="2D", randomize_pose=lambda _, q, u, key: (q + 1.0, u + 1.0)
    )
    nominal = jaxosim.make("L2M2019Env", variant="2D")
    locked = env.model.locked
    assert locked.any()

    def pose_of(one):
        q, u = one.initial_pose(one.params)
        return one._varied_pose(q, u, jax.random.key(0))

    (q, u), (q0, u0) = pose_of(env), pose_of(nominal)
    np.testing.assert_array_equal(q - q0, np.where(locked, 0.0, 1.0))
    np.testing.assert_array_equal(u - u0, np.where(locked, 0.0, 1.0))


def test_options_of_the_step(arm):
    # One program for three options: repetition, tree, custom reward.
    env = jaxosim.make(
        "Arm2DEnv",
        options=OPTIONS,
        time_limit=5,
        action_repeat=3,
        observation="dict",
        reward=lambda step: {"one": jnp.ones(()), "time": step.after.state.time},
    )
    step, other = jax.jit(env.step), arm.reset(jax.random.key(0))
    shapes = jax.eval_shape(env.reset, jax.random.key(0))
    assert set(shapes.metrics) == {"one", "time"}
    parts = {
        name: getattr(other, name) for name in ("state", "integrator_state", "task_state", "key")
    }
    empty = dataclasses.replace(shapes, **parts)
    es = jax.tree.map(lambda x: x if isinstance(x, jax.Array) else jnp.zeros_like(x), empty)
    es = step(es, np.full(6, 0.3))
    assert es.step_count == 3 and not es.done
    np.testing.assert_allclose(es.reward, 3 + 0.01 + 0.02 + 0.03)
    es = step(es, np.full(6, 0.3))  # only two steps are left
    assert es.step_count == 5 and es.info["truncated"]
    np.testing.assert_allclose(es.reward, 2 + 0.04 + 0.05)
    np.testing.assert_allclose(es.episode_return, 5 + 0.15)
    assert set(es.obs) >= {"target", "r_shoulder", "r_elbow", "BRA"}
    assert es.obs["r_elbow"]["speed"].shape == ()
    elbow = env.model.coordinate_names.index("r_elbow_flex")
    np.testing.assert_allclose(es.obs["r_elbow"]["speed"], es.state.u[elbow])


def test_the_tree_of_l2m2019_is_osim_rls_dictionary():
    env = jaxosim.make("L2M2019Env", observation="dict")
    obs = env._shaped(jnp.zeros(env.observation_size))
    assert set(obs) == {"v_tgt_field", "pelvis", "r_leg", "l_leg"}
    assert obs["v_tgt_field"].shape == (2, 11, 11) and obs["pelvis"]["vel"].shape == (6,)
    assert set(obs["r_leg"]["HAB"]) == {"f", "l", "v"}


def test_state_can_be_set(arm):
    es = arm.reset(jax.random.key(1))
    state = dataclasses.replace(es.state, q=es.state.q + 0.1)
    moved = jax.jit(arm.env.with_state)(es, state)
    chex.assert_trees_all_equal(moved.state, state)
    assert moved.obs[2] == state.q[0] and es.obs[2] != moved.obs[2]


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("ProstheticEnv", {}, ValueError, "did you mean ProstheticsEnv"),
        ("L2RunEnv", {"difficulty": 1}, TypeError, "no option difficulty"),
        ("ProstheticsEnv", {"difficulty": 2}, ValueError, r"difficulty: expected one of \(0, 1\)"),
        ("ProstheticsEnv", {"variant": "4D"}, ValueError, "variant: expected"),
        (
            "L2M2019Env",
            {"init_pose": (1.0,)},
            ValueError,
            r"init_pose: expected 12 .* got \(1.0,\)",
        ),
        ("Arm2DEnv", {"observation": "list"}, ValueError, "observation: expected"),
        ("Arm2DEnv", {"time_limit": 0}, ValueError, "time_limit: expected a positive"),
        ("Arm2DEnv", {"action_repeat": 1.5}, ValueError, "action_repeat: expected a positive"),
        ("Arm2DEnv", {"action_repeat": True}, ValueError, "action_repeat: expected a positive"),
        ("L2M2019Env", {"init_pose": (np.nan,) * 12}, ValueError, "init_pose: expected 12 finite"),
        ("ProstheticsEnv", {"observe_target": "yes"}, ValueError, "observe_target: expected"),
        ("Arm2DEnv", {"options": "fast"}, ValueError, "options: expected jaxosim.Options, got 'fa"),
        ("Arm2DEnv", {"options": jaxosim.Options.fast}, ValueError, "options: expected jaxosim.Op"),
        ("Arm2DEnv", {"reward": 3}, ValueError, "reward: expected a function or None, got 3"),
        ("Arm2DEnv", {"randomize_pose": 0.1}, ValueError, "randomize_pose: expected a function"),
        ("Arm2DEnv", {"randomize": "mass"}, ValueError, "randomize: expected a function"),
        ("Arm2DEnv", {"params": {}}, ValueError, "params: expected jaxosim.Params"),
    ],
)
def test_bad_options_are_named(name, options, error, words):
    with pytest.raises(error, match=words):
        jaxosim.make(name, **options)


def test_params_of_another_model_are_refused():
    params = jaxosim.load_model("gait9dof18musc")[1]
    with pytest.raises(jaxosim.ModelMismatchError, match=r"Params\.bodies\.mass: expected"):
        jaxosim.make("Arm2DEnv", params=params)


@pytest.mark.parametrize(("name", "options"), TRACED, ids=str)
def test_reset_and_step_have_one_structure_and_precision(name, options):
    """Made and traced in each mode; those made in single precision stay so in both."""
    made = {}
    for mode, maker, floats in (
        (True, True, "float64"),
        (False, False, "float32"),
        (True, False, "float32"),
    ):
        with jax.enable_x64(mode):
            if maker not in made:
                made[maker] = jaxosim.make(name, options=OPTIONS, **dict(options))
            env = made[maker]
            es = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
            action = jax.ShapeDtypeStruct((env.action_size,), jnp.result_type(float))
            after = jax.eval_shape(env.step, es, action)
            assert kinds(es) == kinds(after)
            assert es.obs.shape == (env.observation_size,)
            dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(es)}
            assert dtypes <= {floats, "int32", "uint32", "bool"} and floats in dtypes


def test_an_action_of_wrong_length_is_refused(arm):
    es = arm.reset(jax.random.key(1))
    with pytest.raises(ValueError, match=r"expected shape \(6,\)"):
        arm.env.step(es, jnp.zeros(5))


# gradient


def test_actions_of_zero_and_one_have_the_slope_within_the_range(arm):
    slope = jax.jacfwd(arm.env.controls_of)(jnp.array([0.0, 1.0, 0.5, 0.0, -0.1, 1.1]))
    np.testing.assert_array_equal(slope, np.diag([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))


@pytest.mark.slow  # reverse mode takes a minute to compile
def test_gradient_of_the_reward_by_the_action(arm):
    es = arm.reset(jax.random.key(1))
    slope = jax.jit(jax.grad(lambda action: arm.env.step(es, action).reward))(np.full(6, 0.3))
    chex.assert_tree_all_finite(slope)
    assert np.all(slope != 0)


# compile


def test_one_trace(arm):
    # The fixture's step refuses to be traced twice, in this test or in any other.
    es = arm.reset(jax.random.key(5))
    for level in (0.1, 0.2):
        es = arm.step(es, np.full(6, level))


# equilibrium


def test_muscles_without_equilibrium_are_flagged_from_reset_on():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS, randomize=sometimes_overstretched)
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    flags = []
    for seed in range(6):
        es = reset(jax.random.key(seed))
        _, found = jaxosim.find_equilibrium(env.model, es.params, es.state)
        after = step(es, np.full(6, 0.2))
        np.testing.assert_array_equal(es.info["has_equilibrium"], found)
        np.testing.assert_array_equal(after.info["has_equilibrium"], found)
        flags.append(found)
    first, *others = np.transpose(flags)
    assert first.any() and not first.all() and np.all(others)


def test_numbers_without_equilibrium_are_warned_of_when_an_episode_begins():
    usual = jaxosim.make("Arm2DEnv")
    params = overstretch(usual.params, True)
    with pytest.warns(UserWarning, match="no equilibrium.*TRIlong"):
        es = jaxosim.make("Arm2DEnv", params=params).reset(jax.random.key(0))
    np.testing.assert_array_equal(es.info["has_equilibrium"], [False] + 5 * [True])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.all(usual.reset(jax.random.key(0)).info["has_equilibrium"])
