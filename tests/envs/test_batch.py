"""Batches: equal to a loop, new episodes, and what is kept of the old ones."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests.envs.conftest import LIMIT, WORLDS, actions, sometimes_overstretched
from tests.envs.plain import plain

ROUNDING = 1e-10


def test_a_batch_is_its_worlds_one_by_one(arm, batch):
    keys = jax.random.split(jax.random.key(3), WORLDS)
    for world in range(2):
        es = arm.reset(keys[world])
        for count in range(LIMIT):
            es = arm.step(es, actions()[count, world])
            after = batch.run[count + 1]
            final = after.info["final_observation"][world]
            np.testing.assert_allclose(final, es.obs, rtol=ROUNDING, atol=ROUNDING)
            np.testing.assert_allclose(after.reward[world], es.reward, rtol=ROUNDING)


def test_every_episode_is_new(batch):
    starts = [es for es in batch.run if np.all(es.step_count == 0)]
    assert len(starts) == 3
    targets = np.concatenate([es.task_state for es in starts])
    poses = np.concatenate([es.state.q for es in starts])
    forces = np.concatenate([es.params.muscles.max_isometric_force for es in starts])
    for drawn in (targets, poses, forces):
        assert len(np.unique(drawn[:, 0])) == 3 * WORLDS


def test_the_end_of_an_episode_is_kept(batch):
    before, end = batch.run[LIMIT - 1 : LIMIT + 1]
    assert end.done.all() and end.info["truncated"].all() and not end.info["terminated"].any()
    assert np.all(end.info["final_length"] == LIMIT)
    total = sum(es.reward for es in batch.run[1 : LIMIT + 1])
    np.testing.assert_allclose(end.info["final_return"], total, rtol=ROUNDING)
    assert np.all(end.episode_return == 0) and np.all(end.step_count == 0)
    assert np.all(end.info["final_observation"][:, 2] != end.obs[:, 2])
    assert not before.done.any()
    np.testing.assert_array_equal(before.info["final_observation"], before.obs)


@pytest.mark.parametrize("finished", [(), (1,), (0, 2, 4), range(WORLDS)])
def test_only_finished_worlds_are_reset(batch, finished):
    es = batch.run[1]
    late = np.isin(np.arange(WORLDS), list(finished))
    es = dataclasses.replace(es, step_count=jnp.where(late, LIMIT - 1, es.step_count))
    after = batch.step(es, actions()[0])
    np.testing.assert_array_equal(after.done, late)
    np.testing.assert_array_equal(after.step_count == 0, late)
    moved = np.any(after.task_state != es.task_state, axis=1)
    np.testing.assert_array_equal(moved, late)


def test_two_runs_are_equal_to_the_bit(batch):
    es = batch.reset(jax.random.key(3))
    for action, before in zip(actions(), batch.run, strict=False):
        chex.assert_trees_all_equal(plain(es), plain(before))
        es = batch.step(es, action)


def test_sizes_are_checked(arm):
    with pytest.raises(ValueError, match="reset_batch_size: expected 1 to 2, .* got 3"):
        jaxosim.BatchEnv(arm.env, 2, 3)
    with pytest.raises(ValueError, match="num_envs: expected a positive multiple of the 1 dev"):
        jaxosim.BatchEnv(arm.env, 0)


@pytest.mark.thorough
def test_the_flag_of_equilibrium_is_that_of_the_episode_that_goes_on():
    options = jaxosim.Options(method="rk4", substeps=20)
    task = jaxosim.make(
        "Arm2DEnv", options=options, randomize=sometimes_overstretched, time_limit=2
    )
    env = jaxosim.BatchEnv(task, WORLDS)
    find = jax.jit(jax.vmap(functools.partial(jaxosim.find_equilibrium, task.model)))
    step, es, flags = jax.jit(env.step), env.reset(jax.random.key(1)), []
    for _ in range(5):
        np.testing.assert_array_equal(es.info["has_equilibrium"], find(es.params, es.state)[1])
        flags.append(es.info["has_equilibrium"][:, 0])
        es = step(es, np.full((WORLDS, 6), 0.2))
    first, same, second, _, third = np.array(flags)
    np.testing.assert_array_equal(first, same)
    assert np.any(first != second) and np.any(second != third)
