"""Gymnasium's own checker, and both modes of auto-reset."""

import copy
import dataclasses
import importlib.util
import os
import pickle
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim

gymnasium = pytest.importorskip(
    "gymnasium", reason="Gymnasium is not installed (extra `gym`)", exc_type=ImportError
)
from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

from jaxosim.adapters.gymnasium import IDS, GymnasiumEnv, GymnasiumVectorEnv  # noqa: E402
from jaxosim.envs import registry  # noqa: E402
from tests.envs.conftest import sometimes_overstretched  # noqa: E402

LIMIT, WORLDS = 4, 3
OPTIONS = {"options": jaxosim.Options(method="euler", substeps=100), "time_limit": LIMIT}
ARM = "jaxosim/Arm2D-v0"


@pytest.mark.parametrize(
    "name", [pytest.param(i, marks=[] if i == ARM else [pytest.mark.slow]) for i in IDS]
)
def test_gymnasiums_checker_has_nothing_to_say(name):
    drawn = all(importlib.util.find_spec(library) for library in ("viser", "pyvista"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, **OPTIONS).unwrapped, skip_render_check=not drawn)


SIZE = (120, 90)


@pytest.mark.usefixtures("renderer")
def test_pictures_of_one_world_and_of_a_batch():
    env = gymnasium.make(ARM, render_mode="rgb_array", render_size=SIZE, **OPTIONS).unwrapped
    assert env.metadata["render_fps"] == pytest.approx(100)
    with pytest.raises(RuntimeError, match="reset"):
        env.render()
    env.reset(seed=1)
    first = env.render()
    assert first.shape == (90, 120, 3) and first.dtype == np.uint8 and first.std() > 5
    for _ in range(LIMIT):
        env.step(np.array([0, 0, 0, 1, 1, 1]))
    assert np.abs(first.astype(int) - env.render()).max() > 50
    batch = gymnasium.make_vec(
        ARM, num_envs=WORLDS, render_mode="rgb_array", render_size=SIZE, **OPTIONS
    ).unwrapped
    batch.reset(seed=1)
    frames = batch.render()
    assert isinstance(frames, tuple) and len(frames) == WORLDS
    np.testing.assert_array_equal(frames[1], first)  # all arms begin in the same pose


def test_the_page_follows_reset_and_step(monkeypatch):
    shown = []

    class Recorder:
        def show(self, state, target_velocity):
            shown.append(float(state.time))

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("jaxosim.adapters.gymnasium.env.open_window", lambda env: Recorder())
    env = gymnasium.make(ARM, render_mode="human", **OPTIONS).unwrapped
    env.reset(seed=1)
    env.step(np.full(6, 0.2))
    assert env.render() is None
    env.close()
    env.close()
    assert shown == [0.0, pytest.approx(0.01), "closed"]


@pytest.mark.parametrize(
    "mode, library, extra", [("human", "viser", "view"), ("rgb_array", "pyvista", "video")]
)
def test_a_mode_without_its_extra_names_it(monkeypatch, mode, library, extra):
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    with pytest.raises(ImportError, match=rf"pip install 'jaxosim\[{extra}\]'"):
        gymnasium.make(ARM, render_mode=mode, **OPTIONS)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="render_mode: expected None or one of .*got 'ansi'"):
        jaxosim.adapters.gymnasium.GymnasiumEnv("Arm2DEnv", render_mode="ansi")


@pytest.mark.parametrize("name", IDS)
def test_spaces_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(name, **OPTIONS)
    functional = env.unwrapped.functional.env
    assert env.observation_space.shape == (functional.observation_size,)
    assert env.action_space.shape == (functional.action_size,)
    assert np.isfinite(env.observation_space.low).all()
    with pytest.raises(RuntimeError, match="reset"):
        env.unwrapped.step(env.action_space.sample())


def test_one_world_goes_on_to_its_time_limit():
    env = gymnasium.make(ARM, **OPTIONS).unwrapped
    first, info = env.reset(seed=4)
    assert info.keys() == {"has_equilibrium"} and info["has_equilibrium"].all()
    assert first.dtype == np.float64
    steps = [env.step(np.full(6, 0.4)) for _ in range(LIMIT)]
    assert [truncated for _, _, _, truncated, _ in steps] == [False] * 3 + [True]
    observation, reward, terminated, _, info = steps[0]
    assert isinstance(reward, float) and terminated is False
    assert sum(info.values()) == pytest.approx(reward, abs=1e-12)
    np.testing.assert_array_equal(first, env.reset(seed=4)[0])
    assert (env.reset()[0] != first).any()
    for wrong, message in (([0.1] * 5, "shape"), ([np.nan] * 6, "NaN")):
        with pytest.raises(ValueError, match=message):
            env.step(wrong)


def vector(mode):
    """A batch whose worlds end one after another."""
    env = gymnasium.make_vec(ARM, num_envs=WORLDS, autoreset_mode=mode, **OPTIONS)
    assert env.metadata["autoreset_mode"] is mode
    first, _ = env.reset(seed=2)
    env.state = dataclasses.replace(env.state, step_count=jnp.arange(WORLDS, dtype=jnp.int32))
    return env, first


ACTION = np.full((WORLDS, 6), 0.4)


def test_same_step_mode():
    env, first = vector(AutoresetMode.SAME_STEP)
    assert first.shape == (WORLDS, 16) and env.observation_space.contains(first)
    steps = [env.step(ACTION) for _ in range(2 * LIMIT)]
    truncated = np.array([step[3] for step in steps])
    for world in range(WORLDS):
        assert np.flatnonzero(truncated[:, world]).tolist() == [3 - world, 7 - world]
    observation, reward, _, ended, info = steps[1]  # the last world ends
    assert ended.tolist() == [False, False, True] == info["_final_obs"].tolist()
    assert info["final_obs"][0] is None
    assert (info["final_obs"][2][:2] != observation[2, :2]).all()  # a new target already
    assert info["final_info"]["distance"][2] + 1 == pytest.approx(reward[2])
    assert info["_distance"].tolist() == [True, True, False]
    assert "final_obs" not in steps[0][4]


def test_next_step_mode_shows_the_same_episodes_one_step_apart():
    same, first = vector(AutoresetMode.SAME_STEP)
    other, first_too = vector(AutoresetMode.NEXT_STEP)
    np.testing.assert_array_equal(first, first_too)
    before = [same.step(ACTION) for _ in range(2 * LIMIT)]
    after = [other.step(ACTION) for _ in range(2 * LIMIT + 1)]
    truncated = np.array([step[3] for step in after])
    for world in range(WORLDS):
        end = 3 - world
        assert np.flatnonzero(truncated[:, world]).tolist() == [end, end + 5]
        np.testing.assert_array_equal(after[end][0][world], before[end][4]["final_obs"][world])
        np.testing.assert_array_equal(after[end + 1][0][world], before[end][0][world])
        assert after[end + 1][1][world] == 0 and not after[end + 1][4]["_distance"][world]
        for step in range(end + 1, end + LIMIT):  # the new episode, one step later
            ours, theirs = after[step + 1], before[step]
            np.testing.assert_allclose(ours[0][world], theirs[0][world], rtol=0, atol=1e-12)
            assert ours[1][world] == pytest.approx(theirs[1][world])


def test_the_info_of_reset_flags_muscles_without_equilibrium():
    env = gymnasium.make(ARM, randomize=sometimes_overstretched, **OPTIONS)
    flags = [env.reset(seed=seed)[1]["has_equilibrium"] for seed in range(6)]
    assert flags[0].shape == (6,) and len(np.unique(np.array(flags)[:, 0])) == 2


@pytest.mark.thorough
def test_both_modes_flag_muscles_without_equilibrium_where_an_episode_begins():
    same, other = (
        gymnasium.make_vec(
            ARM, num_envs=WORLDS, autoreset_mode=mode, randomize=sometimes_overstretched, **OPTIONS
        )
        for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP)
    )
    for env in (same, other):
        info = env.reset(seed=2)[1]
        assert info["has_equilibrium"].shape == (WORLDS, 6) and info["_has_equilibrium"].all()
        np.testing.assert_array_equal(info["has_equilibrium"], env.state.info["has_equilibrium"])
    before, after = ([env.step(ACTION)[4] for _ in range(LIMIT + 1)] for env in (same, other))
    assert "has_equilibrium" not in before[LIMIT - 2] and "has_equilibrium" not in after[LIMIT - 1]
    assert before[LIMIT - 1]["_has_equilibrium"].all() and after[LIMIT]["_has_equilibrium"].all()
    begun = before[LIMIT - 1]["has_equilibrium"]
    np.testing.assert_array_equal(after[LIMIT]["has_equilibrium"], begun)
    assert len(np.unique(np.concatenate([info["has_equilibrium"][:, 0], begun[:, 0]]))) == 2


def test_bad_vectors():
    env, _ = vector(AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="shape"):
        env.step(ACTION[:2])
    with pytest.raises(ValueError, match="NaN"):
        env.step(np.full_like(ACTION, np.nan))
    with pytest.raises(ValueError, match="autoreset_mode"):
        gymnasium.make_vec(ARM, num_envs=2, autoreset_mode=AutoresetMode.DISABLED, **OPTIONS)
    with pytest.raises(ValueError, match="observation"):
        gymnasium.make(ARM, observation="dict")


def test_the_dtype_is_that_of_the_mode_in_which_an_environment_is_made():
    for mode in (True, False, True):
        with jax.enable_x64(mode):
            for env in (gymnasium.make(ARM, **OPTIONS), gymnasium.make_vec(ARM, 2, **OPTIONS)):
                assert env.observation_space.dtype == (np.float64 if mode else np.float32)


@pytest.mark.parametrize("vector", [False, True])
def test_a_used_environment_is_pickled_and_goes_on_to_the_bit(vector):
    env = gymnasium.make_vec(ARM, 2, **OPTIONS) if vector else gymnasium.make(ARM, **OPTIONS)
    fresh = pickle.loads(pickle.dumps(env))
    for one in (env, fresh):
        one.reset(seed=4)
        one.action_space.seed(0)
    action = env.action_space.sample()
    assert_same(env.step(action), fresh.step(action))
    pickled, copied = pickle.loads(pickle.dumps(env)), copy.deepcopy(env)
    pickled.step(action)  # which moves neither the original nor the other copy
    expected = env.step(action)
    assert_same(copied.step(action), expected)
    assert_same(pickle.loads(pickle.dumps(env)).step(action), pickled.step(action))


def assert_same(one, other):
    """Observations, rewards and flags of two steps are equal."""
    for a, b in zip(one[:4], other[:4], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")
def test_forked_workers_say_spawn_at_once():
    gymnasium.make(ARM, **OPTIONS)  # JAX has been used
    with pytest.raises(RuntimeError, match='context="spawn"'):
        workers = gymnasium.vector.AsyncVectorEnv([make_arm], context="fork")
        workers.reset_async(seed=0)
        workers.reset_wait(timeout=60)


def make_arm():
    return gymnasium.make(ARM, **OPTIONS)


def test_it_takes_a_task_and_ids_of_registered_tasks():
    task = jaxosim.make("Arm2DEnv", **OPTIONS)
    env = GymnasiumEnv(task)
    assert env.functional.env is task and GymnasiumEnv(task).functional is env.functional
    assert GymnasiumVectorEnv(2, task).single_observation_space == env.observation_space
    observation, _ = env.reset(seed=0)
    assert env.step(np.full(6, 0.3))[0].shape == observation.shape == (16,)

    class LaterEnv(type(task)):
        """Registered after the adapter has been imported."""

    jaxosim.register("LaterEnv", LaterEnv)
    try:
        made = gymnasium.make("jaxosim/Later-v0", **OPTIONS).unwrapped
        assert type(made.functional.env) is LaterEnv and made.functional.env.time_limit == LIMIT
    finally:
        del registry.ENVS["LaterEnv"], IDS["jaxosim/Later-v0"]
        del gymnasium.registry["jaxosim/Later-v0"]
