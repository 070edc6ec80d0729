"""osim-rl's classes: recorded episodes played from reset, shapes of what they return, errors."""

import copy
import dataclasses
import pickle
import random
import sys
import types

import jax
import numpy as np
import pytest

import jaxosim
from jaxosim import osim_rl
from jaxosim.osim_rl import Arm2DEnv, L2M2019Env, L2RunEnv, ProstheticsEnv
from jaxosim.osim_rl.osim_env import OsimEnv
from tests.envs import recorded
from tests.episodes import needs_episodes

LARGEST_DRIFT = 1e-3  # m | rad
DESCRIPTION = (
    *("joint_pos", "joint_vel", "joint_acc"),
    *("body_pos", "body_vel", "body_acc", "body_pos_rot", "body_vel_rot", "body_acc_rot"),
    *("forces", "muscles", "markers", "misc"),
)


def class_of(name):
    """An object for a recorded environment, made as osim-rl's would be."""
    kind, options = recorded.ENVS[name]
    env = getattr(osim_rl, kind)()
    if options:
        renamed = {"variant": "model"}  # osim-rl's word
        env.change_model(**{renamed.get(k, k): v for k, v in options.items()})
    return env


def play(name, pattern):
    """A recorded episode from reset: (recorded arrays, reset's observation, steps)."""
    data, env = recorded.load(name, pattern), class_of(name)
    walk = name.startswith("L2M2019")
    form = {"obs_as_dict": False} if walk else {}
    seed = recorded.L2M2019_SEED if walk else recorded.PATTERNS[pattern]
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    first, steps = env.reset(**form), []
    for action in data["actions"]:
        _, reward, done, _ = env.step(action, **form)
        steps.append((np.asarray(env.osim_model.get_state().q), reward, done))
        if done:
            break
    return data, first, steps


@needs_episodes
@pytest.mark.parametrize("pattern", recorded.PATTERNS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "Arm2D" else [pytest.mark.slow])
        for name in recorded.ENVS
    ],
)
def test_a_recorded_episode(name, pattern, record_property):
    data, first, steps = play(name, pattern)
    assert isinstance(first, list) and isinstance(steps[0][1], float)
    error = np.abs(np.array(first) - data["observation"][0])
    assert (error / np.maximum(1, np.abs(data["observation"][0]))).max() < 1e-8
    ours = np.array([q for q, _, _ in steps])
    theirs = data["q"][1 : len(ours) + 1, : ours.shape[1]]  # the arm's target has three more
    drift = np.abs(ours - theirs).max()
    record_property("drift", float(drift))
    assert drift < LARGEST_DRIFT
    assert abs(len(steps) - len(data["actions"])) <= 1
    assert steps[-1][2] == data["done"][-1]
    total = sum(reward for _, reward, _ in steps)
    miss = total / data["reward"][1:].sum() - 1
    record_property("reward", float(miss))
    assert abs(miss) < 1e-3


@pytest.fixture(scope="module")
def arm():
    return Arm2DEnv()


def test_reset_and_step_return_lists_and_dictionaries(arm):
    arm.target_x, arm.target_y = 0.25, -0.5
    first = arm.reset()
    assert first[:2] == [0.25, -0.5] and len(first) == 16  # the target before, as in osim-rl
    assert arm.get_observation()[:2] == [arm.target_x, arm.target_y] != [0.25, -0.5]
    assert arm.get_prev_state_desc() is None
    observation, reward, done, info = arm.step([0.5] * 6)
    assert [type(x) for x in (observation, reward, done, info)] == [list, float, bool, dict]
    description = arm.step(np.full(6, 0.5), project=False)[0]
    assert tuple(description) == DESCRIPTION and description is arm.get_state_desc()
    before = arm.get_prev_state_desc()
    assert before["joint_pos"]["r_elbow"] == [observation[5]]
    target = (arm.target_x, arm.target_y)
    arm.reset(random_target=False)
    assert (arm.target_x, arm.target_y) == target


def test_actions_are_clipped(arm):
    arm.reset()
    arm.step([7.0, -3.0, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(arm.osim_model.last_action, [1, 0, 0.5, 0.5, 0.5, 0.5])


def test_time_limit_ends_the_episode(arm):
    arm.reset()
    assert arm.time_limit == 200
    arm.spec.timestep_limit = 2
    done = [arm.step([0.1] * 6)[2] for _ in range(2)]
    arm.spec.timestep_limit = arm.time_limit
    assert done == [False, True] and not arm.is_done()


def test_state_activations_and_strength(arm, capsys):
    model, action = arm.osim_model, [0.3] * 6
    arm.reset()
    arm.step(action)
    there = model.get_state()
    arm.step(action)
    model.set_state(there)
    assert model.istep == 1
    once = arm.step(action)
    model.set_state(there)
    assert arm.step(action)[:2] == once[:2] and model.istep == 2
    model.set_activations([0.2] * 6)
    assert model.get_activations() == [0.2] * 6
    assert arm.get_observation()[8:14] == [0.2] * 6
    model.set_state(there)
    model.set_strength([0.0] * 6)
    weak = arm.step(action)
    model.set_strength([1.0] * 6)
    assert weak[0][2] != once[0][2]
    model.set_state(there)
    assert model.present.params is not None  # an argument now, not compiled in
    np.testing.assert_allclose(arm.step(action)[0], once[0], rtol=1e-9)
    assert arm.reset()[5] == arm.reset()[5] and model.get_action_space_size() == 6
    model.list_elements()
    assert "MUSCLES\n0 TRIlong" in capsys.readouterr().out


def test_a_derived_class_may_override_reward_and_ending():
    class Own(Arm2DEnv):
        def get_reward(self):
            return 2.0 * super().get_reward()

        def is_done(self):
            return True

    random.seed(1)
    plain, own = Arm2DEnv(), Own()
    plain.reset(), own.reset()
    own.osim_model.world = plain.osim_model.world
    _, reward, done, _ = own.step([0.2] * 6)
    assert done and reward == 2.0 * plain.step([0.2] * 6)[1]


def test_spaces():
    for env, observed, acted in (
        (ProstheticsEnv(), 160, 19),
        (L2RunEnv(), 43, 18),
        (L2M2019Env(), 339, 22),
    ):
        assert env.observation_space.shape == (observed,) == (env.get_observation_space_size(),)
        env.action_space.seed(1)
        sample = env.action_space.sample()
        assert sample.shape == (acted,) and env.action_space.contains(sample)
        env.action_space.seed(1)
        np.testing.assert_array_equal(sample, env.action_space.sample())
        assert not env.action_space.contains(sample + 1)


def test_walk_dictionary_and_order_of_muscles():
    @dataclasses.dataclass
    class World:
        obs: np.ndarray

    env = L2M2019Env(difficulty=0)
    env.osim_model.world = World(np.arange(339.0))
    entries = env.get_observation_dict()
    assert list(entries) == ["v_tgt_field", "pelvis", "r_leg", "l_leg"]
    assert entries["v_tgt_field"].shape == (2, 11, 11)
    assert entries["pelvis"]["height"] == 242.0 and len(entries["pelvis"]["vel"]) == 6
    assert list(entries["r_leg"])[:4] == ["ground_reaction_forces", "joint", "d_joint", "HAB"]
    assert entries["l_leg"]["TA"]["v"] == 338.0
    in_file = env.controls_of(np.arange(22))
    names = env.osim_model.compiled.env.model.muscle_names
    assert names[3] == "bifemsh_r" and in_file[3] == 7  # osim-rl's act2mus
    assert env.get_observation_clipped().max() <= env.observation_space.high.max()


@pytest.mark.parametrize("make", [ProstheticsEnv, Arm2DEnv, L2M2019Env])
def test_bad_calls(make):
    env = make()
    size = env.get_action_space_size()
    with pytest.raises(RuntimeError, match="reset"):
        env.step([0.0] * size)
    with pytest.raises(ValueError, match="NaN"):
        env.osim_model.actuate([float("nan")] * size)
    for wrong in ([0.0] * (size - 1), [[0.0] * size], 0.5):
        with pytest.raises(ValueError, match=f"expected {size} numbers"):
            env.osim_model.actuate(env.controls_of(wrong))
    with pytest.raises(ValueError, match="strength"):
        env.osim_model.set_strength([1.0])
    with pytest.raises(ValueError):
        make(difficulty=9) if make is not Arm2DEnv else env.osim_model.set_activations([0.1])


def test_targets_before_reset():
    with pytest.raises(RuntimeError, match="reset"):
        _ = ProstheticsEnv().targets


def test_visualize_shows_every_reset_and_step(monkeypatch):
    shown, closed = [], []

    class Recorder:
        def show(self, state, target_velocity):
            shown.append((float(state.time), target_velocity()))

        def close(self):
            closed.append(True)

    monkeypatch.setattr("jaxosim.osim_rl.osim_env.open_window", lambda env: Recorder())
    env = Arm2DEnv(visualize=True)
    env.reset()
    env.step(np.full(6, 0.2))
    assert shown == [(0.0, None), (pytest.approx(0.01), None)]
    env.close()
    assert closed == [True]


def test_visualize_without_the_viewer_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'jaxosim\[view\]'"):
        Arm2DEnv(visualize=True)


@pytest.mark.thorough
def test_the_dtype_is_that_of_the_mode_in_which_an_object_is_made():
    for mode in (True, False, True):
        with jax.enable_x64(mode):
            env = Arm2DEnv()
            assert env.osim_model.dtype == (np.float64 if mode else np.float32)
            world = jax.eval_shape(env.osim_model.compiled.env.reset, jax.random.key(0))
            assert world.obs.dtype == env.osim_model.dtype


def through_pickle(env):
    return pickle.loads(pickle.dumps(env))


@pytest.mark.parametrize("way", [copy.deepcopy, through_pickle])  # copy.copy shares the world
def test_a_used_object_is_copied_and_goes_on_to_the_bit(way):
    env = Arm2DEnv()
    fresh = way(env)
    random.seed(1)
    env.reset()
    env.step(np.full(6, 0.3))
    made = way(env)
    expected = env.step(np.full(6, 0.7))
    assert made.step(np.full(6, 0.7)) == expected
    assert made.osim_model.compiled is env.osim_model.compiled  # nothing is compiled twice
    random.seed(1)
    fresh.reset()
    fresh.step(np.full(6, 0.3))
    assert fresh.step(np.full(6, 0.7)) == expected


def test_seed_unwrapped_and_with_are_those_of_gyms_env():
    random.seed(1)
    state = random.getstate()
    closed = []
    with Arm2DEnv() as env:
        assert env.seed(0) == env.seed() == [] and random.getstate() == state
        assert env.unwrapped is env
        env._window = types.SimpleNamespace(close=lambda: closed.append(True))
    assert closed == [True]
    with pytest.raises(ZeroDivisionError), Arm2DEnv():
        raise ZeroDivisionError  # is not swallowed


def test_a_class_of_ones_own_takes_a_task():
    model, params = jaxosim.load_model("arm2dof6musc")
    light = dataclasses.replace(params.bodies, mass=0.5 * params.bodies.mass)
    edited = dataclasses.replace(params, bodies=light)

    class LightArm(OsimEnv):
        task_name = jaxosim.make("Arm2DEnv", model=(model, edited), time_limit=7)

    env = LightArm()
    functional = env.osim_model.compiled.env
    assert (env.time_limit, functional.model, functional.params) == (7, model, edited)
    assert functional.options.method == "merson" and env.action_space.shape == (6,)
    assert LightArm().osim_model.compiled is env.osim_model.compiled
