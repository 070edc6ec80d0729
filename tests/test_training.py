"""The programs of docs/training.md: trainers that others wrote run with our environments.

Each runs in a process of its own, in single precision and with JAX's usual settings, as a user
would run it; what follows it here then looks at what it has learned.
"""

import os
import re
import subprocess
import sys

import pytest

from tests.trainers import ROOT, skip_without

CHECKS = {
    "rejax": """
import numpy as np
assert lengths.shape == (1, 128) and (lengths == 8).all(), lengths
assert np.isfinite(returns).all() and (returns < 8).all(), returns
assert state.global_step == 64
before = ppo.init_state(jax.random.key(0)).actor_ts
assert state.actor_ts.step == 2 * 2 * 2  # updates, epochs, minibatches
moved = jax.tree.map(lambda a, b: (a != b).any(), before.params, state.actor_ts.params)
assert any(jax.tree.leaves(moved))
""",
    "brax": """
import jax, numpy as np
assert progress["episode/length"] == 8
assert 0 < progress["episode/sum_reward"] < 8
assert int(params[0].count) == 64, params[0].count  # what the observations were normalized by
action, _ = make_policy(params)(env.reset(jax.random.key(0)).obs, jax.random.key(1))
assert action.shape == (6,) and np.isfinite(action).all() and (abs(action) <= 1).all()
""",
    "gymnax 1.0": """
import numpy as np
assert reward.shape == (16, 4) and not terminated.any()
assert truncated[7::8].all() and truncated.sum() == 8
np.testing.assert_array_equal(info["returned_episode_lengths"][7:], 8)
np.testing.assert_allclose(
    info["returned_episode_returns"][7::8], reward.reshape(2, 8, 4).sum(1), rtol=1e-5
)
""",
    "skrl": """
import jax, numpy as np
for model in (ppo.agent.policy, ppo.agent.value):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(model.state_dict.params))
reward = ppo.agent.memory.get_tensor_by_name("rewards")
assert reward.shape == (8, 4, 1) and np.isfinite(reward).all()
assert (reward[:-1] < 1).all()  # to the last one skrl adds the value of what the time limit cut off
truncated = ppo.agent.memory.get_tensor_by_name("truncated")
assert truncated[-1].all() and not truncated[:-1].any()
""",
}


def program_of(trainer):
    """The program under a heading of the page."""
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    section = re.split(rf"^## {trainer}$", page, flags=re.M | re.I)[1]
    return re.split(r"^```.*\n", section, maxsplit=2, flags=re.M)[1]


@pytest.mark.slow
@pytest.mark.trainer
@pytest.mark.parametrize("trainer", CHECKS)
def test_a_program_of_the_page(trainer, tmp_path):
    skip_without(trainer)
    settings = {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # nearly all of the time is compilation
    }
    done = subprocess.run(
        [sys.executable, "-c", program_of(trainer) + CHECKS[trainer]],
        env=os.environ | settings,
        cwd=tmp_path,  # trainers leave logs where they run
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
