"""The page about tasks of one's own: its code runs, does what it says, and trains everywhere."""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs import registry
from tests.trainers import ROOT, skip_without

PAGE = pathlib.Path(ROOT / "docs/write_your_own_task.md")
CHECKS = {
    "rejax": """
import numpy as np
assert lengths.shape == (1, 128) and (lengths <= 8).all(), lengths
assert np.isfinite(returns).all() and (returns < 8).all(), returns
before = ppo.init_state(jax.random.key(0)).actor_ts
moved = jax.tree.map(lambda a, b: (a != b).any(), before.params, trained.actor_ts.params)
assert any(jax.tree.leaves(moved))
""",
    "Brax": """
import numpy as np
assert 1 <= progress["episode/length"] <= 8 and np.isfinite(progress["episode/sum_reward"])
assert int(weights[0].count) == 64, weights[0].count
action, _ = make_policy(weights)(environment.reset(jax.random.key(0)).obs, jax.random.key(1))
assert action.shape == (6,) and np.isfinite(action).all()
""",
    "skrl": """
import numpy as np
for network in (ppo.agent.policy, ppo.agent.value):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(network.state_dict.params))
reward = ppo.agent.memory.get_tensor_by_name("rewards")
assert reward.shape == (8, 4, 1) and np.isfinite(reward).all()
""",
}


def programs():
    """The code of the page, by heading."""
    sections = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    blocks = {
        title: re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
        for title, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    return {title: "\n".join(found) for title, found in blocks.items() if found}


def task_program():
    """What the trainers' programs follow."""
    return "\n".join(code for title, code in programs().items() if title not in CHECKS)


@pytest.fixture(scope="module")
def page():
    """The names that the page's code defines."""
    names = {"__name__": "page"}
    try:
        exec(compile(task_program(), str(PAGE), "exec"), names)
        yield names
    finally:
        registry.ENVS.pop("HoldEnv", None)


def test_the_page_has_a_program_for_each_adapters_trainer():
    assert set(CHECKS) < set(programs())


def test_the_edited_model_is_the_tasks(page):
    env, params = page["env"], jaxosim.load_model("arm2dof6musc")[1]
    assert env.model is page["model"]
    added = env.params.bodies.mass - params.bodies.mass
    np.testing.assert_allclose(added, [0.0, 1.0], atol=1e-12)
    ratio = env.params.muscles.max_isometric_force / params.muscles.max_isometric_force
    np.testing.assert_allclose(ratio, 0.8, rtol=1e-12)
    own = page["HoldEnv"](options=page["coarse"], time_limit=8)
    es = jax.jit(own.step)(jax.jit(own.reset)(jax.random.key(0)), jnp.full(6, 0.2))
    assert np.abs(es.state.u - page["es"].state.u).max() > 0.01  # the edit is simulated


def test_observation_reward_and_ending_are_the_pages(page):
    env, es = page["env"], page["es"]
    assert env.observation_names[:3] == ("target", "elbow/value", "elbow/speed")
    assert es.obs.shape == (9,) and es.obs[0] == es.task_state and 0.5 <= es.task_state < 2.0
    assert es.obs[1] == es.state.q[env.elbow]
    miss, activation = es.state.q[env.elbow] - es.task_state, es.state.activation
    expected = np.exp(-4 * miss**2) - 0.1 * np.mean(activation**2)
    np.testing.assert_allclose(es.reward, expected, rtol=1e-9)
    assert not es.info["terminated"]
    slow = dataclasses.replace(env, largest_speed=1e-9)
    assert jax.jit(slow.step)(es, jnp.full(6, 0.2)).info["terminated"]


def test_its_batch_draws_targets_of_their_own(page):
    worlds = page["worlds"]
    assert worlds.obs.shape == (16, 9) and len(np.unique(worlds.task_state)) == 16


def test_it_has_its_name(page):
    same = page["same"]
    assert type(same) is page["HoldEnv"] and same.time_limit == 8
    key = jax.random.key(0)
    ours, theirs = (jax.jit(one.reset)(key) for one in (page["env"], same))
    chex.assert_trees_all_equal(ours.obs, theirs.obs)


@pytest.mark.slow
@pytest.mark.trainer
@pytest.mark.parametrize("trainer", CHECKS)
def test_it_trains(trainer, tmp_path):
    skip_without(trainer.lower())
    settings = {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # nearly all of the time is compilation
    }
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((task_program(), programs()[trainer], CHECKS[trainer]))],
        env=os.environ | settings,
        cwd=tmp_path,  # trainers leave logs where they run
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
