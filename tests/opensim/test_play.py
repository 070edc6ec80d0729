"""Episodes in live OpenSim under a policy."""

import numpy as np
import pytest

from jaxosim.models.catalog import resolve

pytestmark = [pytest.mark.opensim, pytest.mark.usefixtures("opensim")]
MODEL = "gait9dof18musc"
LIMIT, HOLD = 5, 2


@pytest.fixture(scope="module")
def world(opensim):
    from jaxosim.opensim.osim_rl_world import OpenSimWorld

    return OpenSimWorld(resolve(MODEL))


def start_of(world, height=None):
    """The default pose, its muscles in equilibrium."""
    world.begin()
    values = dict(world.read())
    if height is not None:
        values["q"] = values["q"].copy()
        values["q"][world.live.coordinate_names.index("pelvis_ty")] = height
    return values


def played(world, values, policy, order=None):
    from jaxosim.opensim.osim_rl_rules import L2RunRules
    from jaxosim.opensim.play import Episode, Setting, play_episode

    setting = Setting(
        path=str(resolve(MODEL)),
        order=np.arange(18) if order is None else order,
        hold=HOLD,
        limit=LIMIT,
    )
    episode = Episode(values=values, action=np.full(18, 0.05), rules=L2RunRules())
    return play_episode(world, setting, policy, observe, episode)


def observe(described, action, rules, step):
    assert rules.target(step) is None and step % HOLD == 0
    return np.array([described["body_pos"]["pelvis"][1], *action])


def test_an_action_is_held_and_the_policy_sees_the_one_before(world):
    seen = []

    def policy(observation):
        seen.append(observation)
        return np.full(18, 0.1 * len(seen) + 0.95)  # above 1 from the first on

    values = start_of(world)
    outcome = played(world, values, policy)
    assert outcome.steps == LIMIT and not outcome.terminated and len(seen) == 3
    np.testing.assert_allclose([row[1] for row in seen], [0.05, 1.0, 1.0])
    assert seen[0][0] == pytest.approx(values["q"][2], abs=1e-6)
    forward = outcome.states["q"][:, world.live.coordinate_names.index("pelvis_tx")]
    assert outcome.score == pytest.approx(forward[-1] - forward[0], abs=1e-9)
    for name in ("q", "u", "activation", "fiber_length"):
        assert len(outcome.states[name]) == LIMIT + 1
        np.testing.assert_allclose(outcome.states[name][0], values[name], atol=1e-12)


def test_an_episode_ends_in_a_fall(world):
    outcome = played(world, start_of(world, height=0.55), lambda observation: np.zeros(18))
    assert outcome.terminated and outcome.steps == 1 and len(outcome.states["q"]) == 2


def test_each_control_takes_its_place_in_the_action(world):
    order = np.roll(np.arange(18), 1)
    action = np.linspace(0.05, 0.9, 18)
    values = start_of(world)
    here = played(world, values, lambda observation: action[order])
    there = played(world, values, lambda observation: action, order)
    np.testing.assert_array_equal(here.states["activation"][1:], there.states["activation"][1:])


def test_fiber_lengths_are_put_in_as_they_are(world):
    values = start_of(world)
    values["fiber_length"] = values["fiber_length"] * 1.1
    outcome = played(world, values, lambda observation: np.zeros(18))
    np.testing.assert_allclose(outcome.states["fiber_length"][0], values["fiber_length"])
