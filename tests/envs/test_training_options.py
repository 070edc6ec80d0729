"""Training tasks from data."""

import tomllib

import jax
import numpy as np
import pytest

from jaxosim.envs import rewards, training_options
from jaxosim.envs.endings import Fallen
from jaxosim.envs.poses import Poses
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
ROWS = Poses(np.zeros((1, 10)), np.zeros((1, 10)))  # of the coordinates of L2RunEnv's model


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


@pytest.fixture
def gait(tmp_path):
    """A table of two knees and the pelvis, in degrees: two strides of 1.2 s at 1.5 m/s."""
    time = np.arange(241) / 100
    knees = [-30 + 25 * np.sin(2 * np.pi * (time / 1.2 + shift)) for shift in (0.0, 0.5)]
    rows = np.column_stack([time, 1.5 * time, *knees])
    head = "gait\nversion=1\nnRows=241\nnColumns=4\ninDegrees=yes\nendheader\n"
    labels = "time\tpelvis_tx\tknee_angle_r\tknee_angle_l\n"
    path = tmp_path / "gait.mot"
    path.write_text(head + labels + "\n".join("\t".join(map(repr, row)) for row in rows.tolist()))
    return path


def test_a_motion_of_a_file_is_begun_in_and_tracked(gait, monkeypatch):
    begun = []
    monkeypatch.setattr(
        training_options, "cycle_poses", lambda env, cycle, *_, **__: begun.append(cycle) or ROWS
    )
    monkeypatch.setattr(training_options, "make_pool", lambda *_, **__: None)
    motion = {"file": str(gait), "start": 0.6, "end": 1.8}
    data = {"motion": motion, "reward": {"tracking": {"weight": 0.5, "width": 3.0}}, "starts": {}}
    env = training_task("L2RunEnv", data)
    ((name, weight, term),) = env.reward.terms
    cycle = term.keywords["cycle"]
    assert (name, weight, term.keywords["width"]) == ("tracking", 0.5, 3.0)
    assert cycle.coordinate_names == ("knee_angle_r", "knee_angle_l")
    assert cycle.period == pytest.approx(1.2) and cycle.speed == pytest.approx(1.5)
    knee = np.radians(-30 + 25 * np.sin(2 * np.pi * (np.arange(100) / 100 + 0.5)))
    np.testing.assert_allclose(cycle.q[:, 0], knee, atol=1e-3)
    np.testing.assert_allclose(cycle.q_phase.max(), np.radians(25) * 2 * np.pi, rtol=1e-3)
    assert begun[0].coordinate_names == cycle.coordinate_names and begun[0].speed == 1.25
    plain = training_task("L2RunEnv", {"motion": motion, "reward": {"tracking": 1.0}})
    assert plain.reward.terms[0][2].keywords["cycle"].coordinate_names == cycle.coordinate_names


def test_the_speed_of_a_treadmill_is_an_option(gait):
    still = gait.with_name("still.mot")
    still.write_text(gait.read_text().replace("pelvis_tx", "belt"))
    env = make("L2RunEnv")
    with pytest.raises(ValueError, match="still.mot: expected a pelvis that goes forward, or"):
        training_options.motion_cycle(env, file=str(still))
    cycle = training_options.motion_cycle(
        env, file=str(still), speed=1.1, coordinates=["knee_angle_r"]
    )
    assert cycle.speed == 1.1 and cycle.coordinate_names == ("knee_angle_r",)
    with pytest.raises(
        ValueError, match="still.mot: expected columns of the coordinates ankle_ang"
    ):
        training_options.motion_cycle(
            env, file=str(still), speed=1.1, coordinates=["ankle_angle_r"]
        )


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
        ({"motion": "gait.mot"}, ValueError, "motion: expected a table of settings"),
        ({"motion": {"flie": "gait.mot"}}, ValueError, "motion: has no flie; expected file, start"),
        ({"motion": {"file": "none.mot"}}, FileNotFoundError, "none.mot"),
        ({"motion": {}}, ValueError, "motion: expected a file, such as"),
        ({"motion": {"file": 3}}, ValueError, "motion: expected a file, .* got 3"),
        ({"observation": "headng"}, ValueError, "observation: expected one of"),
        ({"targets": {}}, TypeError, "no option targets"),
    ],
)
def test_settings_that_nobody_reads_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        training_task("L2RunEnv", data)
