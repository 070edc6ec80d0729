"""osim-rl's observations, rewards and endings, worked out again from recorded descriptions."""

import numpy as np
import pytest

from jaxosim.opensim.osim_rl_rules import Arm2DRules, L2RunRules, ProstheticsRules
from tests.episodes import EPISODES, needs_episodes

NAMES = [
    *("Arm2D", "L2Run"),
    *(
        f"Prosthetics-{variant}-{leg}-difficulty{difficulty}"
        for variant in ("3D", "2D")
        for leg in ("pros", "intact")
        for difficulty in (0, 1)
    ),
]


def nested(names, row):
    """A flattened description as osim-rl's dictionary."""
    tree = {}
    for name, value in zip(names, row, strict=True):
        *path, _ = name.split("/")
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner.setdefault(path[-1], []).append(value)
    for muscle in tree["muscles"].values():  # single numbers there
        muscle.update({key: values[0] for key, values in muscle.items()})
    return tree


@needs_episodes
@pytest.mark.parametrize("pattern", ["sine", "random"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_episode_is_scored_as_osim_rl_scored_it(name, pattern):
    with np.load(EPISODES / f"{name}--{pattern}.npz") as file:
        data = {key: file[key] for key in file.files}
    names = [str(one) for one in data["description_names"]]
    rules = L2RunRules() if name == "L2Run" else ProstheticsRules()
    if name == "Arm2D":
        rules = Arm2DRules(np.array([data["target_x"], data["target_y"]]))
        data["observation"][0, :2] = rules.place  # osim-rl shows the target of the episode before
    if name.endswith("difficulty1"):
        rules = ProstheticsRules(data["targets"])
    limit = len(data["q"])
    described = [nested(names, row) for row in data["description"]]
    for step in range(limit):
        now = described[step]
        np.testing.assert_allclose(
            rules.observation(now), data["observation"][step], rtol=1e-12, atol=1e-12
        )
        if step:
            reward = rules.reward(described[step - 1], now, step)
            np.testing.assert_allclose(reward, data["reward"][step], rtol=1e-12, atol=1e-12)
            assert rules.is_done(now) == data["done"][step] or step == limit - 1
