"""Pools of start states, and the options that make a training task of any task."""

import dataclasses
import pickle
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.arm2d import Arm2DEnv
from jaxosim.envs.observation import Block
from jaxosim.envs.pushes import RandomPush
from tests.envs.plain import plain

SIZE, LIMIT, SPEED = 3, 4, 0.5


def pool_of(env, angles):
    """States at rest, in equilibrium, at these angles of the elbow."""
    model, params = env.model, env.params
    poses = jnp.stack([params.coordinates.default_value.at[1].set(angle) for angle in angles])
    states = jax.vmap(lambda q: jaxosim.initial_state(model, params, q))(poses)
    activation = np.outer(np.linspace(0.1, 0.4, len(angles)), np.ones(len(model.muscle_names)))
    return dataclasses.replace(
        states, activation=jnp.asarray(activation), time=jnp.full(len(angles), 7.0)
    )


def elbow_and_controls(env):
    """An observation in place of the task's: what a policy may know of the step before."""
    names = tuple(f"{name}/control" for name in env.model.control_names)
    elbow = env.model.coordinate_names.index("r_elbow_flex")
    return (
        Block(("elbow",), ("rad",), lambda now: now.state.q[elbow][None]),
        Block(names, ("1",) * len(names), lambda now: now.controls, low=0.0, high=1.0),
    )


def terms_of(step):
    """What a reward may know of the step before."""
    q = step.description_before.coordinates.value
    return {
        "change": jnp.mean(step.controls - step.previous_controls),
        "shift": jnp.sum(step.after.description.coordinates.value - q),
        "before": jnp.sum(q - step.before.q),
        "muscles": jnp.full((), float(len(step.env.model.muscle_names))),
    }


def is_bent(now):
    return now.state.q[1] > now.env.largest


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BentArm(Arm2DEnv):
    largest: float = 1.2


@pytest.fixture(scope="module")
def arm():
    """The arm with all of the options, compiled once."""
    usual = jaxosim.make("Arm2DEnv")
    pool = pool_of(usual, [0.6, 0.9, 1.15])
    env = BentArm(
        options=jaxosim.Options(method="rk4", substeps=20),
        time_limit=LIMIT,
        observation=elbow_and_controls,
        reward=terms_of,
        ended=is_bent,
        starts=pool,
        push=RandomPush(SPEED, 0.5, ("r_shoulder_elev",)),
    )
    traced_once = chex.assert_max_traces(env.step, n=1)
    return types.SimpleNamespace(
        env=env, pool=pool, reset=jax.jit(env.reset), step=jax.jit(traced_once)
    )


def row(pool, index):
    return jax.tree.map(lambda leaf: leaf[index], pool)


def drawn(pool, state):
    """Which row of a pool a state is."""
    index = int(np.argmin(np.abs(pool.q[:, 1] - state.q[1])))
    expected = dataclasses.replace(row(pool, index), time=jnp.zeros(()))
    chex.assert_trees_all_equal(state, expected)
    return index


def test_an_episode_begins_in_a_state_of_the_pool_at_time_zero(arm):
    seen = {drawn(arm.pool, arm.reset(jax.random.key(seed)).state) for seed in range(20)}
    assert seen == set(range(SIZE))


def test_the_controls_before_the_first_action_hold_the_activations_of_the_start(arm):
    es = arm.reset(jax.random.key(1))
    np.testing.assert_array_equal(es.integrator_state.controls, es.state.activation)
    np.testing.assert_array_equal(es.obs[1:], es.state.activation)
    assert np.all(es.info["has_equilibrium"])


def test_a_pool_given_at_reset_takes_the_place_of_the_options(arm):
    other = pool_of(arm.env, [0.3, 0.4])
    es = jax.jit(arm.env.reset)(jax.random.key(0), other)
    assert drawn(other, es.state) in (0, 1)


def test_a_share_of_the_episodes_begins_in_the_pool_and_the_others_in_the_tasks_own_pose(arm):
    env = jaxosim.make(arm.env, pool_share=0.75)
    es = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 200))
    own = jax.jit(jaxosim.make(arm.env, starts=None).reset)(jax.random.key(0))
    is_own = np.all(np.asarray(es.state.q) == np.asarray(own.state.q)[None], axis=1)
    assert 0.15 < np.mean(is_own) < 0.35
    for name in ("state", "integrator_state", "obs"):
        one = row(getattr(es, name), int(np.flatnonzero(is_own)[0]))
        chex.assert_trees_all_equal(one, getattr(own, name))
    assert np.all(own.integrator_state.controls == 1.0)
    drawn_rows = {drawn(arm.pool, row(es.state, world)) for world in np.flatnonzero(~is_own)}
    assert drawn_rows == set(range(SIZE))


@pytest.mark.thorough
def test_a_batch_begins_its_episodes_in_the_pool_that_it_is_given(arm):
    other = pool_of(arm.env, [0.3, 0.4])
    batch = jaxosim.BatchEnv(arm.env, 4, 2)
    es = batch.reset(jax.random.key(0), other)
    assert all(drawn(other, row(es.state, world)) in (0, 1) for world in range(4))
    es = dataclasses.replace(es, step_count=jnp.array([LIMIT - 1, 0, 0, LIMIT - 1], jnp.int32))
    after = jax.jit(batch.step)(es, jnp.full((4, 6), 0.2), other)
    np.testing.assert_array_equal(after.done, [True, False, False, True])
    assert all(drawn(other, row(after.state, world)) in (0, 1) for world in (0, 3))


def test_a_task_with_a_pool_can_be_pickled(arm):
    env = pickle.loads(pickle.dumps(arm.env))
    again = jax.jit(env.reset)(jax.random.key(1))
    chex.assert_trees_all_equal(plain(again), plain(arm.reset(jax.random.key(1))))


def test_the_observation_is_that_of_the_option(arm):
    assert arm.env.observation_names[:2] == ("elbow", "TRIlong/control")
    assert arm.env.observation_units == ("rad",) + ("1",) * 6
    np.testing.assert_array_equal(arm.env.observation_high, [np.inf] + [1.0] * 6)
    action = np.linspace(0.1, 0.6, 6)
    es = arm.step(arm.reset(jax.random.key(1)), action)
    np.testing.assert_array_equal(es.obs, [es.state.q[1], *action])
    moved = jax.jit(arm.env.with_state)(es, row(arm.pool, 0))
    np.testing.assert_array_equal(moved.obs, [arm.pool.q[0, 1], *action])


def test_a_reward_sees_the_controls_and_the_description_before(arm):
    first = arm.reset(jax.random.key(1))
    second = arm.step(first, np.full(6, 0.3))
    third = arm.step(second, np.full(6, 0.5))
    np.testing.assert_allclose(
        second.metrics["change"], 0.3 - np.mean(first.state.activation), rtol=1e-12
    )
    np.testing.assert_allclose(third.metrics["change"], 0.2, rtol=1e-12)
    for before, after in ((first, second), (second, third)):
        shift = np.sum(after.state.q - before.state.q)
        np.testing.assert_allclose(after.metrics["shift"], shift, rtol=1e-9)
        assert after.metrics["before"] == 0
        assert after.metrics["muscles"] == 6


def test_the_option_ends_the_episode_in_place_of_the_task(arm):
    es = arm.reset(jax.random.key(1))
    for bend in (0.0, 0.3):
        q = es.state.q.at[1].set(arm.env.largest - 0.1 + bend)
        moved = dataclasses.replace(es, state=dataclasses.replace(es.state, q=q))
        assert bool(arm.step(moved, np.full(6, 0.2)).info["terminated"]) is (bend > 0)


def test_pushes_change_the_speeds_that_they_are_told_to_change():
    env = jaxosim.make("Arm2DEnv")
    push = RandomPush(SPEED, 0.5, ("r_elbow_flex",))
    state = jaxosim.initial_state(env.model, env.params)
    keys = jax.random.split(jax.random.key(0), 400)
    change = jax.vmap(lambda key: push(env.model, state, key).u - state.u)(keys)
    assert np.all(change[:, 0] == 0)
    happens = change[:, 1] != 0
    assert 0.4 < np.mean(happens) < 0.6
    assert np.max(np.abs(change)) <= SPEED and np.std(change[happens, 1]) > 0.2


def test_the_draws_of_pushes_go_on_from_step_to_step(arm):
    es, keys = arm.reset(jax.random.key(1)), []
    for _ in range(3):
        es = arm.step(es, np.full(6, 0.2))
        keys.append(tuple(np.asarray(jax.random.key_data(es.key))))
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"starts": 3}, ValueError, "starts: expected jaxosim.State, got 3"),
        ({"pool_share": 1.5}, ValueError, "pool_share: expected a share from 0 to 1, got 1.5"),
        ({"ended": 3}, ValueError, "ended: expected a function or None, got 3"),
        ({"push": 0.3}, ValueError, "push: expected a function or None"),
        ({"observation": 3}, ValueError, "observation: expected one of"),
    ],
)
def test_bad_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        jaxosim.make("Arm2DEnv", **options)


def test_bad_pools_are_refused(arm):
    one = row(arm.pool, 0)
    with pytest.raises(ValueError, match=r"starts: expected states with one leading axis"):
        jaxosim.make("Arm2DEnv", starts=one)
    with pytest.raises(ValueError, match=r"got leading lengths \[0\]"):
        jaxosim.make("Arm2DEnv", starts=jax.tree.map(lambda leaf: leaf[:0], arm.pool))
    with pytest.raises(jaxosim.ModelMismatchError, match=r"State\.q: expected"):
        jaxosim.make("L2RunEnv", starts=arm.pool)
    with pytest.raises(ValueError, match="randomize_pose: expected None beside starts"):
        jaxosim.make("Arm2DEnv", starts=arm.pool, randomize_pose=lambda model, q, u, key: (q, u))
    with pytest.raises(jaxosim.ModelMismatchError, match=r"State\.q: expected"):
        arm.env.reset(jax.random.key(0), dataclasses.replace(arm.pool, q=arm.pool.q[:, :1]))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((0.0, 0.1), "speed: expected"), ((0.1, 1.5), "probability: expected at most 1, got 1.5")],
)
def test_bad_pushes_are_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        RandomPush(*numbers)


def test_pushes_of_coordinates_that_no_model_has_are_refused(arm):
    with pytest.raises(ValueError, match="coordinates: expected one of .*arm2dof6musc"):
        RandomPush()(arm.env.model, row(arm.pool, 0), jax.random.key(0))
