"""The parts of the learners, each against a plain loop or a difference quotient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.learning import normalization
from jaxosim.learning.evaluation import check_policy
from jaxosim.learning.networks import values
from jaxosim.learning.optimizer import Optimizer, fit, minibatches, moving_average
from jaxosim.learning.ppo import PPO
from jaxosim.learning.returns import advantages, advantages_of, discounted_return
from jaxosim.learning.shac import bounded
from jaxosim.learning.worlds import Unroll, draw, initial_starts, keep_own, unroll
from tests.learning.pendulum import UNROLL, make_pendulum, trainer

GAMMA, TRACE = 0.9, 0.8
SHAPE = (7, 3)  # decisions, worlds


@pytest.fixture
def flows():
    rng = np.random.default_rng(0)
    done = rng.random(SHAPE) < 0.4
    flows = dict(zip(("reward", "value", "next_value"), rng.normal(size=(3, *SHAPE)), strict=True))
    return flows | {"done": done, "terminated": done & (rng.random(SHAPE) < 0.5)}


def test_advantages_are_those_of_a_loop(flows):
    expected, later = np.zeros(SHAPE), np.zeros(SHAPE[1])
    for t in reversed(range(SHAPE[0])):
        after = np.where(flows["terminated"][t], 0.0, flows["next_value"][t])
        error = flows["reward"][t] + GAMMA * after - flows["value"][t]
        later = error + np.where(flows["done"][t], 0.0, GAMMA * TRACE) * later
        expected[t] = later
    own = advantages(**jax.tree.map(jnp.asarray, flows), discount=GAMMA, trace=TRACE)
    assert np.allclose(own, expected, rtol=1e-12)


def test_the_discounted_return_is_that_of_a_loop(flows):
    expected = np.zeros(SHAPE[1])
    for w in range(SHAPE[1]):
        factor = 1.0
        for t in range(SHAPE[0]):
            expected[w] += factor * flows["reward"][t, w]
            ends = flows["done"][t, w] or t == SHAPE[0] - 1
            if ends and not flows["terminated"][t, w]:
                expected[w] += factor * GAMMA * flows["next_value"][t, w]
            factor = 1.0 if flows["done"][t, w] else factor * GAMMA
    given = {name: jnp.asarray(x) for name, x in flows.items() if name != "value"}
    assert np.allclose(discounted_return(**given, discount=GAMMA), expected, rtol=1e-12)


def test_running_statistics_are_those_of_all_observations():
    x = np.random.default_rng(1).normal(size=(3, 20, 4)) * [1, 2, 3, 0] + [0, 1, 2, 5]
    own = normalization.initial_normalizer(4, jnp.float64)
    for part in x:
        own = normalization.update(own, jnp.asarray(part))
    assert np.allclose(own.mean, x.reshape(-1, 4).mean(0))
    assert np.allclose(own.variance, x.reshape(-1, 4).var(0))
    assert own.count == 60
    assert own.deviation[3] > 0


def test_gradients_of_single_worlds_are_bounded_by_the_median():
    adjoints = np.ones((2, 5, 3)) * np.array([1.0, 2.0, 3.0, 1e6, np.nan])[None, :, None]
    own, numbers = bounded(jnp.asarray(adjoints), 2.0)
    norms = np.sqrt(np.sum(np.square(own), axis=(0, 2))) / np.sqrt(6)
    assert np.allclose(norms, [1, 2, 3, 6, 0])
    assert np.isclose(numbers["adjoint_tail"], 0.4)  # the huge one and that which is none
    assert np.all(np.isfinite(bounded(jnp.zeros((2, 5, 3)), 2.0)[0]))


def test_minibatches_pass_over_all_samples_in_every_epoch():
    places = minibatches(jax.random.key(0), 3, 4, 12)
    assert places.shape == (12, 3)
    for epoch in np.asarray(places).reshape(3, 12):
        assert sorted(epoch) == list(range(12))


def test_a_fit_finds_the_least_squares():
    x = jax.random.normal(jax.random.key(0), (64, 2))
    samples = {"x": x, "y": x @ jnp.array([1.0, -2.0])}
    optimizer, start = Optimizer(10.0), jnp.zeros(2)

    def loss(w, batch):
        return jnp.mean((batch["x"] @ w - batch["y"]) ** 2)

    places = minibatches(jax.random.key(1), 300, 2, 64)
    w, _ = fit(loss, optimizer, start, optimizer.init(start), samples, places, 0.03)
    assert np.allclose(w, [1, -2], atol=1e-3)


def test_a_fit_leaves_out_the_steps_that_it_is_told_to():
    samples, optimizer = jnp.zeros(4), Optimizer(1.0)
    start = jnp.zeros(()), optimizer.init(jnp.zeros(()))
    places = minibatches(jax.random.key(0), 10, 1, 4)

    def fitted(*goes_on):
        slope = lambda w, _: -w  # noqa: E731
        return fit(slope, optimizer, *start, samples, places, 0.1, *goes_on)

    assert np.isclose(fitted()[0], 1.0)
    w, kept = fitted(lambda w, _: w < 0.45)
    assert np.isclose(w, 0.5)
    assert kept[1].count == 5


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return make_pendulum(tmp_path_factory.mktemp("pendulum"), time_limit=8)


@pytest.fixture(scope="module")
def state(env):
    return trainer(env, "shac").init(jax.random.key(0))


@pytest.fixture(scope="module")
def unrolled(env, state):
    """A compiled function of the deltas: the worlds after them, and the record."""

    def run(deltas):
        deviation = jnp.exp(state.log_deviation)
        key = jax.random.key(5)
        return unroll(env, UNROLL, state.policy, deviation, state.starts, state.worlds, key, deltas)

    return jax.jit(run)


@pytest.mark.thorough
def test_the_gradient_by_the_deltas_is_the_quotient_of_differences(env, state):
    shac = trainer(env, "shac").learner
    key = jax.random.key(7)

    @jax.jit
    def loss(deltas):
        deviation = jnp.exp(state.log_deviation)
        _, record = unroll(
            env, UNROLL, state.policy, deviation, state.starts, state.worlds, key, deltas
        )
        x = state.policy.normalized(record.next_obs)
        return -discounted_return(
            (1 - shac.discount) * record.reward,
            values(state.critics, x, None),
            record.terminated,
            record.done,
            discount=shac.discount,
        )

    own, _, record = jax.jit(lambda: shac.adjoints(env, state, key, None))()
    zeros = jnp.zeros_like(own)
    assert record.done[:-1].any() and not record.done[:-1].any(0).all()
    for decision in (0, 3, 7):
        step = zeros.at[decision].set(1e-6)
        quotient = (loss(step) - loss(-step)) / 2e-6
        assert np.allclose(own[decision, :, 0], quotient, atol=1e-7)


def test_the_noise_is_correlated_and_ends_with_the_episode(env, state, unrolled):
    zeros = jnp.zeros((UNROLL.horizon, UNROLL.worlds, env.action_size))
    worlds, record = unrolled(zeros)
    mean = state.policy.logits(state.policy.normalized(record.obs))
    noise = record.logits - mean
    expected = np.where(record.done[:-1, :, None], 0.0, UNROLL.correlation * noise[:-1])
    assert np.allclose(record.prior[1:], expected)
    assert np.allclose(worlds.noise, np.where(record.done[-1, :, None], 0.0, noise[-1]))


def test_a_record_shows_the_state_before_the_restart(unrolled, env):
    _, record = unrolled(jnp.zeros((UNROLL.horizon, UNROLL.worlds, env.action_size)))
    going_on = ~np.asarray(record.done[:-1])
    assert going_on.any() and not going_on.all()
    next_obs, obs = np.asarray(record.next_obs[:-1]), np.asarray(record.obs[1:])
    assert np.allclose(next_obs[going_on], obs[going_on])
    assert not np.any(np.all(np.isclose(next_obs, obs), axis=-1)[~going_on])


def test_targets_bootstrap_with_the_value_of_the_state_before_a_restart(env, state, unrolled):
    _, record = unrolled(jnp.zeros((UNROLL.horizon, UNROLL.worlds, env.action_size)))
    fell = record.done & (jnp.arange(UNROLL.worlds) % 2 == 0)[None]  # the others were cut off
    info = {**record.es.info, "terminated": fell}
    record = dataclasses.replace(record, es=dataclasses.replace(record.es, info=info))
    policy, critics = state.policy, state.critics
    x, value, advantage = advantages_of(record, policy, critics, discount=GAMMA, trace=TRACE)
    assert np.allclose(x, policy.normalized(record.obs))
    after = values(critics, policy.normalized(record.next_obs), None)
    gained = (1 - GAMMA) * record.reward
    target = np.asarray(value + advantage)
    cut_off = record.done & ~fell
    assert fell.any() and cut_off.any()
    assert np.allclose(target[fell], gained[fell])
    assert np.allclose(target[cut_off], (gained + GAMMA * after)[cut_off])


def test_kept_states_are_those_that_no_fall_follows(env, state, unrolled):
    _, record = unrolled(jnp.zeros((UNROLL.horizon, UNROLL.worlds, env.action_size)))
    marked = dataclasses.replace(
        record,
        es=dataclasses.replace(
            record.es,
            done=jnp.zeros_like(record.done).at[:, 4].set(True),
            reward=jnp.broadcast_to(jnp.arange(100.0, 100.0 + UNROLL.worlds), record.reward.shape),
        ),
    )
    starts = jax.jit(lambda record: keep_own(state.starts, record, UNROLL, jax.random.key(0)))(
        marked
    )
    assert starts.place == 3  # of four worlds that hand one in, one has fallen
    assert np.array_equal(starts.own.reward[:3], [100, 108, 112])
    assert np.array_equal(starts.own.reward[3:], state.starts.own.reward[3:])


def test_restarts_begin_episodes_of_their_own(env, state):
    worn = dataclasses.replace(
        state.starts,
        own=dataclasses.replace(
            state.starts.own,
            step_count=state.starts.own.step_count + 9,
            episode_return=state.starts.own.episode_return + 9,
            reward=state.starts.own.reward + 1,
        ),
    )
    es = jax.jit(lambda starts: draw(starts, jax.random.key(0), 100, 1.0))(worn)
    assert not es.step_count.any() and not es.episode_return.any() and not es.reward.any()
    assert len(np.unique(jax.random.key_data(es.key), axis=0)) == 100


def test_the_ring_begins_with_the_beginnings_of_the_task(env):
    settings = Unroll(worlds=4, horizon=2, given_count=3, own_count=7)
    starts = jax.jit(lambda key: initial_starts(env, settings, key))(jax.random.key(0))
    assert np.array_equal(starts.own.obs, starts.given.obs[np.arange(7) % 3])


def test_a_moving_average_follows_at_its_rate():
    rng = np.random.default_rng(2)
    parameters = [{"w": jnp.asarray(x)} for x in rng.normal(size=(6, 3))]
    average = parameters[0]
    for own in parameters[1:]:
        average = moving_average(average, own, 0.8)
    shares = 0.8 ** np.arange(5, -1, -1) * np.array([1.0, *[0.2] * 5])
    assert np.isclose(shares.sum(), 1.0)
    expected = sum(share * own["w"] for share, own in zip(shares, parameters, strict=True))
    assert np.allclose(average["w"], expected, rtol=1e-12)
    assert np.array_equal(moving_average(average, parameters[0], 0.0)["w"], parameters[0]["w"])


def test_the_likelihood_is_conditional_on_the_noise_before(env, state):
    ppo = PPO(unroll=UNROLL)
    policy, log_deviation = state.policy, jnp.log(jnp.array([0.4]))
    x = jnp.ones((5, env.observation_size))
    prior, logits = jax.random.normal(jax.random.key(0), (2, 5, 1))
    own = ppo.log_likelihood(policy, (policy.layers, log_deviation), x, logits, prior)
    deviation = 0.4 * np.sqrt(1 - UNROLL.correlation**2)
    mean = policy.logits(x) + prior
    density = jax.scipy.stats.norm.logpdf(logits, mean, deviation)[:, 0]
    assert np.allclose(np.diff(own), np.diff(density))  # up to a constant


def test_an_update_ends_where_the_policy_has_gone_too_far(env, state, unrolled):
    _, record = unrolled(jnp.zeros((UNROLL.horizon, UNROLL.worlds, env.action_size)))

    def divergence(**settings):
        ppo = PPO(unroll=UNROLL, epochs=10, minibatches=2, **settings)
        actor = state.policy.layers, state.log_deviation
        own = dataclasses.replace(
            state,
            optimizer=ppo.init(actor, state.critics),
            learning_rate=jnp.asarray(2e-3),
        )

        @jax.jit
        def learned(record):
            samples, _ = ppo._samples(own, record)
            places = minibatches(jax.random.key(0), 10, 2, len(samples["target"]))
            after = ppo._learn(own, samples, places, places)[0]
            return ppo._divergence(own.policy, after, samples)

        return learned(record)

    most = 0.004
    assert divergence(kl_range=(0.001, np.inf)) > 4 * most
    assert most < divergence(kl_range=(0.001, most)) < 2.5 * most


def test_the_rate_follows_the_divergence():
    ppo, rate = PPO(), jnp.asarray(1e-3)
    assert np.isclose(ppo._next_rate(rate, jnp.asarray(0.03)), 1e-3 / 1.5)
    assert np.isclose(ppo._next_rate(rate, jnp.asarray(0.01)), 1e-3)
    assert np.isclose(ppo._next_rate(rate, jnp.asarray(0.001)), 1.5e-3)
    assert np.isclose(ppo._next_rate(jnp.asarray(5e-3), jnp.asarray(0.0)), 5e-3)


def test_a_policy_of_another_task_is_refused(env):
    state = jax.eval_shape(trainer(env, "shac").init, jax.random.key(0))
    other = dataclasses.replace(state.policy, observation_names=("angle", "speed"))
    with pytest.raises(ValueError, match="expected a policy of its 3 observation_names, got 2"):
        check_policy(env, other)
