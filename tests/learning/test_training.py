"""Both learners learn a pendulum, go on exactly where they were stopped, and hand over weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests.learning.pendulum import leaves_equal, make_pendulum, trainer

UPDATES = 150
pytestmark = pytest.mark.slow  # two learners are compiled; test_run.py does it in the default run


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return make_pendulum(tmp_path_factory.mktemp("pendulum"))


@pytest.fixture(scope="module", params=["shac", "ppo"])
def learned(request, env):
    """A trainer, its compiled update, the state before it, and numbers and state after each."""
    own = trainer(env, request.param)
    before = own.init(jax.random.key(0))
    update, states, numbers = jax.jit(own.update), [before], []
    for _ in range(UPDATES):
        after, row = update(states[-1])
        states = [*states[:3], after]
        numbers.append(row)
    return own, update, states, jax.device_get(numbers)


def test_it_learns(learned):
    own, _, states, numbers = learned
    assert all(row["finite"] for row in numbers)
    evaluated = own.evaluator()
    last = evaluated(states[-1].policy)
    blind = [evaluated(constant(states[0].policy, logit)).score for logit in np.linspace(-2, 2, 9)]
    assert np.argmax(blind) not in (0, 8)  # the best constant torque is among them
    assert last.score > max(blind) + 0.7  # of 20; it has learned to see
    assert last.completed == 1.0 and (last.lengths == own.env.time_limit).all()
    assert np.allclose(last.metrics["angle"], last.returns)
    assert np.allclose(last.seconds, own.env.options.step_size * last.lengths)


def constant(policy, logit):
    """A policy that always does the same."""
    *hidden, (weight, bias) = policy.layers
    return dataclasses.replace(policy, layers=(*hidden, (0 * weight, 0 * bias + logit)))


def test_it_is_traced_once(learned):
    assert learned[1]._cache_size() == 1


def test_a_stored_state_goes_on_to_the_bit(learned, tmp_path):
    own, update, states, _ = learned
    jaxosim.save_state(tmp_path / "checkpoint.npz", states[1])
    like = jax.eval_shape(own.init, jax.random.key(0))
    restored = jaxosim.load_state(tmp_path / "checkpoint.npz", like)
    assert leaves_equal(update(restored)[0], states[2])
    assert not leaves_equal(states[1], states[2])


def test_what_is_reported_of_the_worlds_is_what_happened(learned):
    _, _, _, numbers = learned
    ended = [row for row in numbers if not np.isnan(row["return"])]
    assert ended and all(0 < row["length"] <= 20 for row in ended)
    assert max(row["length"] for row in ended) > 15  # episodes of a second, not cut short
    assert all(np.isclose(row["term_angle"], row["reward"]) for row in numbers)
    assert all(np.isnan(row["speed"]) for row in numbers)  # it has no pelvis


def test_one_learner_starts_from_the_weights_of_the_other(env):
    shac, ppo = trainer(env, "shac"), trainer(env, "ppo")
    former = jax.eval_shape(shac.init, jax.random.key(0))
    after = jax.eval_shape(ppo.init_from, former, jax.random.key(1))
    own = jax.eval_shape(ppo.init, jax.random.key(0))
    assert jax.tree.structure(after) == jax.tree.structure(own)
    assert [x.shape for x in jax.tree.leaves(after)] == [x.shape for x in jax.tree.leaves(own)]


def test_a_late_rate_follows_a_good_evaluation(env):
    shac = trainer(env, "shac").learner
    rate = jnp.asarray(2e-3)
    state = jax.eval_shape(trainer(env, "shac").init, jax.random.key(0))
    state = dataclasses.replace(state, learning_rate=rate)
    assert shac.after_evaluation(state, 0.79).learning_rate == rate
    assert shac.after_evaluation(state, 0.8).learning_rate == shac.late_learning_rate
    slow = dataclasses.replace(state, learning_rate=jnp.asarray(1e-5))
    assert shac.after_evaluation(slow, 0.8).learning_rate == slow.learning_rate
