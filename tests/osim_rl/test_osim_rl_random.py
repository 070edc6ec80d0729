"""The global generators are drawn from in osim-rl's order: recorded targets come out exactly."""

import dataclasses
import math
import random
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.envs.target_field import SinkDraw, first_field
from jaxosim.osim_rl import Arm2DEnv, L2M2019Env, ProstheticsEnv
from jaxosim.osim_rl.osim_rl_random import draw_sink
from tests.envs import recorded
from tests.episodes import needs_episodes

each_pattern = pytest.mark.parametrize("pattern", recorded.PATTERNS)


def seed_both(seed):
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)


@needs_episodes
@each_pattern
@pytest.mark.parametrize("difficulty", [0, 1])
def test_seeds_reproduce_the_recorded_target_velocities(difficulty, pattern):
    env = ProstheticsEnv(difficulty=difficulty)
    seed_both(recorded.PATTERNS[pattern])
    env.draw()
    theirs = recorded.load(f"Prosthetics-3D-pros-difficulty{difficulty}", pattern)["targets"]
    np.testing.assert_array_equal(env.targets, theirs)


@needs_episodes
@each_pattern
def test_seeds_reproduce_the_recorded_arm_target(pattern):
    env = Arm2DEnv()
    seed_both(recorded.PATTERNS[pattern])
    env.draw()
    theirs = recorded.load("Arm2D", pattern)
    assert (env.target_x, env.target_y) == (theirs["target_x"], theirs["target_y"])


def test_sinks_are_drawn_from_numpy_in_osim_rls_order():
    seed_both(7)
    draws, dtype = np.random.RandomState(7), np.dtype(float)
    for turn, difficulty in ((0.0, 1), (math.pi / 2, 2), (math.pi, 3)):
        ours = draw_sink(difficulty, dtype)
        theirs = [draws.uniform(*b) for b in ((5, 7), (-turn, turn), (-math.pi, math.pi), (2, 4))]
        assert [ours.radius, ours.turn, ours.phase, ours.stay] == theirs


def test_building_seeds_as_osim_rl_does():
    ProstheticsEnv(seed=5)
    first = (random.random(), np.random.random())  # noqa: NPY002
    seed_both(5)
    assert first == (random.random(), np.random.random())  # noqa: NPY002
    env = ProstheticsEnv(seed=5)
    env.change_model(model="2D", prosthetic=False, difficulty=1)  # leaves the generators alone
    assert first == (random.random(), np.random.random())  # noqa: NPY002
    assert (env.time_limit, len(env.action_space.sample())) == (1000, 22)


@dataclasses.dataclass
class Task:
    field: object


@dataclasses.dataclass
class World:
    task_state: Task


def test_the_next_sink_is_drawn_when_it_is_placed_and_not_before():
    env, dtype = L2M2019Env(difficulty=3), np.dtype(float)
    one = SinkDraw(**dict.fromkeys(("radius", "turn", "phase", "stay"), jnp.ones(())))
    field = first_field(one, one, jax.random.key(0))
    before = World(Task(field))
    stayed = World(Task(dataclasses.replace(field, stayed=field.stayed + 1)))
    moved = World(Task(dataclasses.replace(field, sink=field.sink + 1)))
    steps = []

    def integrate():
        steps.append(env.osim_model.world.task_state.field.next_draw)

    env.osim_model = types.SimpleNamespace(dtype=dtype, present=stayed, integrate=integrate)
    seed_both(7)
    untouched = np.random.get_state()[1].tolist()  # noqa: NPY002
    env.resample_if_needed(before)
    assert steps == [] and np.random.get_state()[1].tolist() == untouched  # noqa: NPY002
    env.osim_model.present = moved
    env.resample_if_needed(before)
    seed_both(7)
    expected = draw_sink(3, dtype)
    (drawn,) = steps
    assert jax.tree.leaves(drawn) == jax.tree.leaves(expected)
