"""A policy scored in jaxosim and, from the same starts, in live OpenSim."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.heading_observation import heading_observation
from jaxosim.learning.numpy_policy import Policy
from jaxosim.learning.policy import load_policy
from jaxosim.learning.scoring import (
    begin,
    check_opensim,
    hold_of,
    score,
    score_in_opensim,
    scoring_env,
)


def policy_of(env, **more):
    """A linear policy of small weights."""
    rng = np.random.default_rng(0)
    size, count = env.observation_size, env.action_size
    return Policy(
        layers=((0.02 * rng.standard_normal((size, count)), np.zeros(count)),),
        mean=np.zeros(size),
        deviation=np.ones(size),
        low=np.zeros(count),
        high=np.ones(count),
        observation_names=env.observation_names,
        action_names=env.action_names,
        bias=-2.2,
        **more,
    )


def in_double_precision(name):
    """A policy of the package."""
    return jax.tree.map(
        lambda leaf: leaf.astype(float) if leaf.dtype == jnp.float32 else leaf, load_policy(name)
    )


def test_the_observation_is_the_one_that_the_policy_takes():
    for observation in ("vector", heading_observation):
        own = jaxosim.make("L2RunEnv", observation=observation)
        env = scoring_env(policy_of(own), "L2RunEnv", hold=4)
        assert env.observation_names == own.observation_names
        assert env.action_repeat == 4 and env.options == jaxosim.Options.accurate()
    with pytest.raises(ValueError, match="expected a policy of its"):
        scoring_env(policy_of(own), "ProstheticsEnv", hold=4)
    with pytest.raises(TypeError, match="no option difficulty"):
        scoring_env(policy_of(own), "L2RunEnv", hold=4, difficulty=1)


def test_an_action_is_held_as_long_as_in_training():
    own = jaxosim.make("L2RunEnv")
    assert hold_of(policy_of(own)) == 1
    metadata = '{"settings": {"integrator": {"step_size": 0.04}}}'
    assert hold_of(policy_of(own, metadata=metadata)) == 4
    assert hold_of(policy_of(own, metadata='{"settings": {"integrator": []}}')) == 1


@pytest.mark.parametrize("step", ["0", "-0.04", "Infinity", "NaN", '"long"'])
def test_metadata_of_no_sensible_step_are_refused(step):
    metadata = f'{{"settings": {{"integrator": {{"step_size": {step}}}}}}}'
    with pytest.raises(ValueError, match="expected a policy of control steps up to 1 s"):
        hold_of(policy_of(jaxosim.make("L2RunEnv"), metadata=metadata))


def test_what_opensim_cannot_score_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="L2M2019Env: expected one of ProstheticsEnv, .* also dep"):
        check_opensim(jaxosim.make("L2M2019Env"))


def test_where_opensim_is_missing_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensim", None)
    monkeypatch.delitem(sys.modules, "jaxosim.opensim.library", raising=False)
    with pytest.raises(jaxosim.MissingExtraError, match=r"pip install 'jaxosim\[opensim\]'"):
        check_opensim(jaxosim.make("L2RunEnv"))


@pytest.mark.slow  # the kernel of a decision compiles for a minute
@pytest.mark.opensim
@pytest.mark.usefixtures("opensim")
def test_both_simulators_give_the_same_scores():
    own = jaxosim.make("L2RunEnv", observation=heading_observation)
    policy = policy_of(own)
    options = jaxosim.Options(substeps=24)
    env = scoring_env(policy, "L2RunEnv", hold=4, options=options, time_limit=10)
    model, params = env.model, env.params
    rest = jaxosim.initial_state(model, params)
    pool = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), rest)
    u = pool.u.at[1, model.coordinate_names.index("pelvis_tx")].set(1.0)
    pool = dataclasses.replace(pool, u=u)
    start = begin(env, 2, 0, pool)
    np.testing.assert_array_equal(start.state.u, u)
    ours = score(env, policy, start)
    theirs = list(score_in_opensim(env, policy, start, processes=1))
    for here, there in zip(ours, theirs, strict=True):
        assert here.completed and there.completed
        assert here.seconds == there.seconds == pytest.approx(0.1)
        assert here.score == pytest.approx(there.score, abs=1e-4)
        assert here.gait.knee_flexion == pytest.approx(there.gait.knee_flexion, abs=1e-3)
    assert ours[1].score - ours[0].score > 0.05  # the one in motion goes further


@pytest.mark.slow  # likewise
@pytest.mark.opensim
@pytest.mark.usefixtures("opensim")
def test_an_arm_reaches_for_the_same_targets_in_both_simulators():
    own = jaxosim.make("Arm2DEnv")
    policy = policy_of(own)
    env = scoring_env(policy, "Arm2DEnv", hold=2, time_limit=5)
    start = begin(env, 2, 0)
    ours = score(env, policy, start)
    theirs = list(score_in_opensim(env, policy, start, processes=1))
    for here, there in zip(ours, theirs, strict=True):
        assert here.completed and there.completed and here.gait is there.gait is None
        assert here.seconds == there.seconds == pytest.approx(0.05)
        assert here.score == pytest.approx(there.score, abs=1e-4)
    assert abs(ours[0].score - ours[1].score) > 1e-3  # two targets


@pytest.mark.slow  # likewise
@pytest.mark.parametrize(
    "name, task, options, least",
    [
        ("walk_planar_fast", "L2RunEnv", {}, 30.0),
        ("walk_prosthetic_fast", "ProstheticsEnv", {"difficulty": 0}, 2000.0),
    ],
)
def test_fast_policies_of_the_package_go_as_fast_as_documented(name, task, options, least):
    policy = in_double_precision(name)
    env = scoring_env(policy, task, hold=hold_of(policy), **options)
    (scored,) = score(env, policy, begin(env, 1, 0))
    assert scored.completed and scored.score > least


@pytest.mark.slow  # likewise
def test_the_walker_of_round_2_keeps_the_velocity_in_equal_steps_from_the_first_one_on():
    policy = in_double_precision("walk_prosthetic")
    env = scoring_env(policy, "ProstheticsEnv", hold=hold_of(policy), difficulty=1)
    start = begin(env, 4, 1000)
    scored = score(env, policy, start)
    assert all(one.completed for one in scored)
    assert np.mean([one.score for one in scored]) > 9850.0
    assert np.mean([one.gait.passing for one in scored]) >= 0.95
    assert np.mean([one.gait.asymmetry for one in scored]) < 0.25
    assert max(one.gait.knee_hyperextension for one in scored) < 0.035
    beginning = scoring_env(policy, "ProstheticsEnv", hold=4, difficulty=1, time_limit=120)
    (first,) = score(beginning, policy, jax.tree.map(lambda leaf: leaf[:1], start))
    assert first.gait.step_count == 2 and first.gait.passing == 1.0  # one with either foot
    assert min(first.gait.step_length) > 0.2
