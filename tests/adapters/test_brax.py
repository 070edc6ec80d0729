"""The interface of Brax, inside our wrapper and inside Brax's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim

pytest.importorskip(
    "brax",
    reason="Brax is not installed (extra `brax`, which needs JAX before 0.10: `dev.py oldest`)",
    exc_type=ImportError,
)
from brax.envs.wrappers import training  # noqa: E402

from jaxosim.adapters.brax import BraxEnv, wrap

WORLDS, LIMIT = 3, 2
OPTIONS = {"options": jaxosim.Options(method="euler", substeps=100), "time_limit": LIMIT}


@pytest.fixture(scope="module")
def env():
    return BraxEnv("Arm2DEnv", **OPTIONS)


@pytest.fixture(autouse=True)
def usual_promotion():
    """Brax's own wrappers rely on what conftest.py forbids."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def collect(wrapped, steps):
    """The states of a run, `[step, world, …]`: reset's first."""
    actions = jax.random.uniform(jax.random.key(1), (steps, WORLDS, 6), minval=-1.0)

    def one(state, action):
        after = wrapped.step(state, action)
        return after, after

    @jax.jit
    def run(keys):
        first = wrapped.reset(keys)
        # What a world begins with keeps its form: a trainer carries it through a scan.
        rest = jax.lax.scan(one, first, actions)[1]
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)

    return run(jax.random.split(jax.random.PRNGKey(0), WORLDS))


def test_sizes(env):
    assert (env.observation_size, env.action_size, env.backend) == (16, 6, "jaxosim")
    assert env.unwrapped is env and env.episode_length == LIMIT
    assert BraxEnv("Arm2DEnv", time_limit=7, action_repeat=2).episode_length == 4


def test_actions_from_minus_one_to_one(env):
    action, controls = np.array([-1.0, 0.0, 1.0] * 2), np.array([0.0, 0.5, 1.0] * 2)
    np.testing.assert_array_equal(env.controls_of(action), controls)


def test_a_step_keeps_what_wrappers_added(env):
    state = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
    number = jax.ShapeDtypeStruct((), state.reward.dtype)
    state = state.replace(info={**state.info, "steps": number})
    state = state.replace(metrics={**state.metrics, "reward": number})
    after = jax.eval_shape(env.step, state, np.zeros(6))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert jax.tree.leaves(after) == jax.tree.leaves(state)


def test_every_episode_is_a_new_one(env):
    run = collect(wrap(env, LIMIT), 2 * LIMIT + 1)
    ends = np.array([0, 0, 1, 0, 1, 0])
    for flag in (run.done, run.info["truncation"], run.info["episode_done"]):
        np.testing.assert_array_equal(flag, np.tile(ends[:, None], WORLDS))
    np.testing.assert_array_equal(run.info["steps"][:, 0], [0, 1, 2, 1, 2, 1])
    np.testing.assert_array_equal(run.pipeline_state.step_count[:, 0], [0, 1, 0, 1, 0, 1])
    target = run.obs[..., :2]
    np.testing.assert_array_equal(target[1], target[0])
    np.testing.assert_array_equal(target[3], target[2])
    assert len(np.unique(target[::2, :, 0])) == 3 * WORLDS
    total = run.reward[1:3].sum(axis=0)
    np.testing.assert_allclose(run.info["episode_metrics"]["sum_reward"][2], total, rtol=1e-12)
    terms = run.metrics["survival"] + run.metrics["distance"]
    np.testing.assert_allclose(terms, run.reward, atol=1e-12)


def test_brax_wrappers_take_it_and_repeat_the_episode(env):
    run = collect(training.wrap(env, LIMIT), 2 * LIMIT)
    np.testing.assert_array_equal(run.info["truncation"][:, 0], [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(run.obs[2], run.obs[0])


def test_what_wrap_does_not_take(env):
    with pytest.raises(ValueError, match=f"expected {LIMIT}"):
        wrap(env, LIMIT + 1)
    with pytest.raises(ValueError, match="randomize"):
        wrap(env, LIMIT, randomization_fn=lambda system, rng: (system, rng))


def test_it_takes_a_task():
    task = jaxosim.make("Arm2DEnv", **OPTIONS)
    assert BraxEnv(task).functional is task
    assert BraxEnv(task, time_limit=5).episode_length == 5
