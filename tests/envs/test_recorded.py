"""Observation, description, reward and ending of recorded episodes, every row of all 28.

The default run takes two environments; `-m slow` takes the rest.
"""

import dataclasses
import functools

import jax
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.targets import velocity_at
from jaxosim.osim_rl.compiled_env import manager_step
from tests.envs import recorded
from tests.episodes import needs_episodes

TOLERANCE = 1e-8  # relative to max(1, |value|)
REWARD_TOLERANCE = 1e-9
_DEFAULT = ("Arm2D", "Prosthetics-3D-pros-difficulty1")
_EACH = [
    pytest.param(name, marks=[] if name in _DEFAULT else [pytest.mark.slow])
    for name in recorded.ENVS
]
pytestmark = needs_episodes
each_episode = pytest.mark.parametrize("pattern", recorded.PATTERNS)
each_env = pytest.mark.parametrize("name", _EACH)


def error_of(ours, theirs):
    return np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))


@each_env
@each_episode
def test_observation(name, pattern):
    data, es, _ = recorded.replay(name, pattern)
    theirs = data["observation"].copy()
    if name == "Arm2D":  # osim-rl's reset still shows the target of the episode before
        assert (theirs[0, :2] == 0).all()
        theirs[0, :2] = data["target_x"], data["target_y"]
    assert error_of(es.obs, theirs).max() < TOLERANCE


@each_env
@each_episode
def test_reward_and_done(name, pattern):
    data, es, _ = recorded.replay(name, pattern)
    assert np.abs(es.reward[1:] - data["reward"][1:]).max() < REWARD_TOLERANCE
    np.testing.assert_array_equal(es.done, data["done"])
    np.testing.assert_array_equal(es.info["terminated"], data["done"])  # all of them fell
    total = sum(es.metrics.values())
    np.testing.assert_allclose(total, es.reward, rtol=0, atol=1e-12)


@each_env
@each_episode
def test_description(name, pattern):
    data, _, _ = recorded.replay(name, pattern)
    ours, theirs = recorded.entries(name, pattern), data["description"]
    names = data["description_names"]
    if name == "Arm2D":  # recorded before the target was placed and locked: it is falling
        kept = np.array(["target" not in n and "mass_center" not in n for n in names])
        assert error_of(ours[0, kept], theirs[0, kept]).max() < TOLERANCE
        ours, theirs = ours[1:], theirs[1:]
    assert error_of(ours, theirs).max() < TOLERANCE


@each_env
@each_episode
def test_reset_is_the_recorded_one(name, pattern):
    data, _, _ = recorded.replay(name, pattern)
    es = recorded.start_of(recorded.env_of(name))
    for field in ("q", "u", "activation", "fiber_length"):
        theirs = data[field][0]
        ours = np.asarray(getattr(es.state, field))
        np.testing.assert_allclose(ours, theirs[: len(ours)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("pattern", recorded.PATTERNS)
@pytest.mark.parametrize("difficulty", [0, 1])
def test_targets_from_osim_rls_numbers_are_exact(difficulty, pattern):
    theirs = recorded.load(f"Prosthetics-3D-pros-difficulty{difficulty}", pattern)["targets"]
    track = recorded.osim_rl_track(recorded.PATTERNS[pattern], len(theirs))
    ours = [np.asarray(velocity_at(track, step)) for step in range(0, len(theirs), 25)]
    np.testing.assert_array_equal(np.array(ours), theirs[::25])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["L2Run", "Arm2D", "Prosthetics-3D-pros-difficulty1"])
def test_an_episode_played_with_the_reference_integrator(name):
    kind, options = recorded.ENVS[name]
    env = jaxosim.make(kind, options=jaxosim.Options(method="merson"), **options)
    step = jax.jit(functools.partial(manager_step, env))
    for pattern in recorded.PATTERNS:
        data = recorded.load(name, pattern)
        es = jax.jit(env.reset)(jax.random.key(0))
        es = dataclasses.replace(es, task_state=recorded.seeded_task(name, pattern, env, es))
        count, total, drift = 0, 0.0, 0.0
        for action, q in zip(data["actions"], data["q"][1:], strict=True):
            es = step(es, action)
            count, total = count + 1, total + float(es.reward)
            drift = max(drift, float(np.abs(es.state.q - q[: len(es.state.q)]).max()))
            if es.done:
                break
        assert drift < 1e-3, drift
        assert abs(count - len(data["actions"])) <= 1
        assert abs(total / data["reward"][1:].sum() - 1) < 1e-3
