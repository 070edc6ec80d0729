"""gymnax's two interfaces, vmapped and scanned as trainers do; equal to the batch."""

import jax
import numpy as np
import pytest

import jaxosim

pytest.importorskip(
    "gymnax.environments", reason="gymnax is not installed (extra `gymnax`)", exc_type=ImportError
)
from jaxosim.adapters.gymnax import GymnaxEnv, LegacyGymnaxEnv

WORLDS, LIMIT = 3, 2
OPTIONS = {"options": jaxosim.Options(method="euler", substeps=100), "time_limit": LIMIT}


@pytest.fixture(scope="module")
def run():
    """Three worlds over an episode and a half, as a trainer collects them."""
    env = GymnaxEnv("Arm2DEnv", **OPTIONS)
    actions = jax.random.uniform(jax.random.key(1), (LIMIT + 1, WORLDS, 6))
    keys = jax.random.split(jax.random.key(0), WORLDS)

    @jax.jit
    def collect(actions):
        def one(carry, action):
            obs, state, *rest = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
                keys, carry, action, env.default_params
            )
            return state, (obs, *rest)

        first, state = jax.vmap(env.reset, in_axes=(0, None))(keys, env.default_params)
        return first, state, jax.lax.scan(one, state, actions)

    return env, keys, actions, collect(actions)


def test_episodes_end_and_begin_anew(run):
    env, _, _, (first, _, (_, (obs, reward, terminated, truncated, info))) = run
    assert first.shape == (WORLDS, 16) and reward.shape == (LIMIT + 1, WORLDS)
    assert not terminated.any() and env.default_params.max_steps_in_episode == LIMIT
    np.testing.assert_array_equal(truncated, [[False] * WORLDS, [True] * WORLDS, [False] * WORLDS])
    assert (obs[1, :, :2] != info["final_observation"][1, :, :2]).all()  # a new target
    np.testing.assert_array_equal(info["discount"], np.ones((LIMIT + 1, WORLDS)))
    np.testing.assert_allclose(info["survival"] + info["distance"], reward, atol=1e-12)


@pytest.mark.slow
def test_vmapped_it_is_the_batch(run):
    env, _, actions, (_, state, (_, (obs, reward, *_))) = run
    batch = jaxosim.BatchEnv(env.functional, WORLDS)
    after = jax.jit(batch.step)(state, actions[0])
    np.testing.assert_allclose(after.obs, obs[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(after.reward, reward[0], rtol=0, atol=1e-12)


def test_both_interfaces():
    shapes = {}
    for kind in (GymnaxEnv, LegacyGymnaxEnv):
        env = kind("Arm2DEnv", **OPTIONS)
        key = jax.random.key(0)
        _, state = jax.eval_shape(env.reset, key)
        shapes[kind] = jax.eval_shape(env.step, key, state, np.zeros(6))
        assert env.name == "Arm2DEnv" and env.num_actions == 6
        assert env.action_space(env.default_params).shape == (6,)
        assert env.observation_space(env.default_params).shape == (16,)
    assert [len(shapes[kind]) for kind in (GymnaxEnv, LegacyGymnaxEnv)] == [6, 5]


@pytest.mark.parametrize("kind", [GymnaxEnv, LegacyGymnaxEnv])
def test_it_takes_a_task(kind):
    task = jaxosim.make("Arm2DEnv", **OPTIONS)
    assert kind(task).functional is task
    assert kind(task, time_limit=5).default_params.max_steps_in_episode == 5
