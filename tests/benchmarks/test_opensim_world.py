"""The world in OpenSim that the benchmarks time does what osim-rl and the oracle do."""

import numpy as np
import pytest
from opensim_comparison.opensim_world import OpenSimWorld
from patterns import random_held
from workload import MODEL

import jaxosim
from jaxosim.cli.rollout import HELD_STEPS
from jaxosim.models.catalog import resolve
from tests.episodes import EPISODES, flat, needs_episodes

pytestmark = [pytest.mark.opensim, pytest.mark.usefixtures("opensim")]
STEPS = 2
# To the last bit on a processor of the kind that recorded; others round thousands of newtons and of
# rad/s² differently, in their twelfth digit.
ROUNDING = {"rtol": 1e-9, "atol": 1e-7}


@pytest.fixture(scope="module")
def world(opensim):
    return OpenSimWorld(MODEL)


@needs_episodes
def test_steps_of_a_recorded_episode_are_repeated(world):
    with np.load(EPISODES / "Prosthetics-3D-pros-difficulty0--random.npz") as file:
        data = {name: file[name] for name in file.files}
    names = [str(name) for name in data["description_names"]]
    world.reset(5e-5)
    rows = [(world.observation(), np.nan, False)]
    described = [flat(world.describe())]
    for action in np.clip(data["actions"][:STEPS], 0, 1):
        rows.append(world.step(action))
        described.append(flat(world.describe()))
    observations, rewards, done = map(np.array, zip(*rows, strict=True))
    assert sorted(described[0]) == sorted(names)
    np.testing.assert_allclose(
        [[row[name] for name in names] for row in described],
        data["description"][: STEPS + 1],
        **ROUNDING,
    )
    np.testing.assert_allclose(observations, data["observation"][: STEPS + 1], **ROUNDING)
    np.testing.assert_allclose(rewards, data["reward"][: STEPS + 1], **ROUNDING)
    np.testing.assert_array_equal(done, data["done"][: STEPS + 1])


@pytest.mark.parametrize("fresh", [True, False])
def test_trajectories_are_those_of_the_parity_tests(world, fresh):
    from jaxosim.opensim.model import OpenSimModel

    excitations = random_held(19)[::HELD_STEPS][:STEPS]  # another one each step
    oracle = OpenSimModel(resolve(MODEL))
    expected = oracle.trajectory(excitations, accuracy=1e-6, fresh_manager_each_step=fresh)["q"]
    world.run(excitations)  # leaves nothing behind
    np.testing.assert_array_equal(world.trajectory(excitations, 1e-6, fresh), expected[1:])


def test_observation_has_the_length_and_the_muscles_of_ours(world):
    env = jaxosim.make("ProstheticsEnv")
    world.reset(5e-5)
    observation = world.observation()
    assert len(observation) == env.observation_size
    place = env.observation_names.index("vasti_l/fiber_length")
    assert observation[place] == world.describe()["muscles"]["vasti_l"]["fiber_length"]
