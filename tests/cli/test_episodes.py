"""Episodes of policies as motions: `jaxosim view POLICY` and `render POLICY`."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.cli.episodes import EPISODE_SEED, is_policy, played_by
from jaxosim.errors import TableFormatError
from jaxosim.learning.networks import initial_layers
from jaxosim.learning.policy import initial_policy
from jaxosim.viewer.motion import write_motion

SETTINGS = {
    "task": "Arm2DEnv",
    "evaluation": {"observation": "heading", "model": "/a/file/of/the/users.osim"},
    "integrator": {"step_size": 0.04, "substeps": 10},
}


@pytest.fixture(scope="module")
def policy():
    env = jaxosim.make("Arm2DEnv")
    sizes = (env.observation_size, 8, env.action_size)
    layers = initial_layers(jax.random.key(0), sizes, 1.0, jnp.result_type(float))
    return initial_policy(env, layers, bias=0.0, mirror=None)


def saved(policy, path, metadata):
    dataclasses.replace(policy, metadata=json.dumps(metadata)).save(path)
    return path


def test_an_episode_is_played_as_the_policy_learned_it(policy, tmp_path):
    source = saved(policy, tmp_path / "policy.npz", {"settings": SETTINGS})
    assert is_policy(source) and is_policy("walk_prosthetic")
    motion = played_by(source)
    assert motion.name == "Arm2DEnv"
    np.testing.assert_allclose(motion.time, 0.04 * np.arange(51))
    env = jaxosim.make("Arm2DEnv", action_repeat=4, options=jaxosim.Options.accurate())
    es = jax.jit(env.reset)(jax.random.split(jax.random.key(EPISODE_SEED), 64)[0])
    first = np.asarray(policy(jnp.asarray(es.obs)))
    assert np.ptp(first) > 0.01
    assert motion.controls is not None
    np.testing.assert_allclose(motion.controls[0].ravel(), first, atol=1e-6)
    motion_file = tmp_path / "motion.npz"
    write_motion(motion_file, motion)
    assert not is_policy(motion_file) and not is_policy("arm2dof6musc")


def test_a_policy_that_does_not_say_its_task_is_refused(policy, tmp_path):
    source = saved(policy, tmp_path / "policy.npz", {})
    with pytest.raises(
        TableFormatError, match=r"policy\.npz: expected a policy of `jaxosim train`"
    ):
        played_by(source)
