"""Training tasks from data."""

import tomllib

import jax
import numpy as np
import pytest

from jaxosim.envs import rewards, training_options
from jaxosim.envs.endings import Fallen
from jaxosim.envs.pushes import RandomPush
from jaxosim.envs.registry import make
from jaxosim.envs.targets import WideTargets
from jaxosim.envs.training_options import training_task

SETTINGS = """
observation = "heading"
difficulty = 1
[reward]
velocity = 1.0
alive = 0.25
height = {weight = -5.0, least = 0.8}
scale = 0.03
[ended]
height = 0.75
[targets]
low = 0.5
[push]
probability = 0.05
"""


def test_a_task_has_the_options_of_its_settings():
    env = training_task("ProstheticsEnv", tomllib.loads(SETTINGS), time_limit=20)
    assert "pelvis/height" in env.observation_names and env.time_limit == 20
    assert env.ended == Fallen(height=0.75) and env.push == RandomPush(probability=0.05)
    assert env.targets == WideTargets(low=0.5)
    assert env.reward.scale == 0.03
    weights = {name: weight for name, weight, _ in env.reward.terms}
    assert weights == {"velocity": 1.0, "alive": 0.25, "height": -5.0}
    height = env.reward.terms[2][2]
    assert height.func is rewards.height and height.keywords == {"least": 0.8}


def test_starts_are_mixed_of_rest_and_gait(monkeypatch):
    made = []

    def make_pool(model, params, poses, drop=False):
        made.append(poses)
        q, u = (np.asarray(part) for part in poses)
        shape = (len(q), len(model.muscle_names))
        parts = {"activation": np.zeros(shape), "fiber_length": np.ones(shape)}
        none = np.zeros((len(q), 0))
        parts |= {"normalized_tendon_force": none, "force_states": none}
        return training_options.State(time=np.zeros(len(q)), q=q, u=u, **parts)

    monkeypatch.setattr(training_options, "make_pool", make_pool)
    env = training_task("L2RunEnv", {"starts": {"count": 20, "rest": 0.25}})
    assert [len(poses.q) for poses in made] == [20]
    assert {leaf.shape[0] for leaf in jax.tree.leaves(env.starts)} == {20}
    forward = np.asarray(env.starts.u[:, env.model.coordinate_names.index("pelvis_tx")])
    assert np.abs(forward[:5]).max() < 0.5 < np.median(forward[5:])
    expected = make("L2RunEnv").initial_pose(env.params)[0]
    assert np.abs(np.asarray(env.starts.q[:5]) - np.asarray(expected)[None]).max() < 0.2


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"ended": {"hight": 0.7}}, ValueError, "ended: has no hight; expected height, tilt"),
        ({"push": 0.3}, ValueError, "push: expected a table of settings, got 0.3"),
        ({"reward": {"velocty": 1.0}}, ValueError, "did you mean velocity"),
        ({"reward": {"tilt": {"least": 1.0}}}, ValueError, "reward.tilt: expected a weight"),
        (
            {"reward": {"tilt": {"weight": 1.0, "least": 1.0}}},
            ValueError,
            "reward.tilt: has no least; expected none",
        ),
        ({"starts": {"cuont": 5}}, ValueError, "starts: has no cuont; expected count"),
        ({"starts": {"rest": 1.5}}, ValueError, "rest: expected a share from 0 to 1, got 1.5"),
        ({"observation": "headng"}, ValueError, "observation: expected one of"),
        ({"targets": {}}, TypeError, "no option targets"),
    ],
)
def test_settings_that_nobody_reads_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        training_task("L2RunEnv", data)
