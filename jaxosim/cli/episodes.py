"""Episodes that policies play, as motions: for the film of a run, and for `jaxosim view`."""

import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np

from jaxosim.batching import batched
from jaxosim.envs.base import Env
from jaxosim.errors import TableFormatError
from jaxosim.host.archive import Archive
from jaxosim.learning.evaluation import decisions, trajectories
from jaxosim.learning.numpy_policy import policy_names
from jaxosim.learning.policy import Policy, load_policy
from jaxosim.learning.scoring import hold_of, scoring_env
from jaxosim.viewer.motion import Motion

EPISODE_SEED = 1000  # of evaluations; an episode is their first
# Options of osim-rl's tasks. A policy may come from a stranger, so no other one is passed on: the
# option `model` would open a file that is named in another one.
_OPTIONS = ("difficulty", "variant", "speed")


def is_policy(source: str | os.PathLike[str]) -> bool:
    """Whether this is a file of a policy, or the name of one in the package.

    Raises:
      TableFormatError: an `.npz` file that cannot be read.
    """
    path = pathlib.Path(source)
    if not path.is_file():
        return os.fspath(source) in policy_names()
    if path.suffix.lower() != ".npz":
        return False
    with Archive(path) as archive:
        return "weight_0" in archive.names


def played_by(source: str | os.PathLike[str], seed: int = EPISODE_SEED) -> Motion:
    """The motion of one episode that a policy plays by osim-rl's rules in the task it learned.

    Args:
      source: a file that `jaxosim train` wrote, or the name of a policy in the package.
      seed: of the episode's targets and whatever else is drawn.

    Raises:
      TableFormatError: the file is no policy, or does not say what it learned.
      ValueError: the task is no longer the one that the policy learned.
    """
    policy = load_policy(source)
    settings = policy.about.get("settings")
    if not isinstance(settings, dict) or "task" not in settings:
        raise TableFormatError(
            f"{os.fspath(source)}: expected a policy of `jaxosim train`, which says its task"
        )
    given = settings.get("evaluation") or settings.get("env") or {}
    options = {name: given[name] for name in _OPTIONS if name in given}
    env = scoring_env(policy, settings["task"], hold=hold_of(policy), **options)
    return episode_of(env, policy, seed)


def episode_of(env: Env, policy: Policy, seed: int = EPISODE_SEED) -> Motion:
    """The motion of one episode without noise, up to its end.

    Args:
      env: the task.
      policy: of the task.
      seed: of the episode's beginning.
    """

    @jax.jit
    def play(policy: Policy, key: jax.Array) -> Any:
        return trajectories(env, policy, batched(env.reset)(jax.random.split(key, 1)))

    last, states, controls = jax.device_get(play(policy, jax.random.key(seed)))
    count = int(decisions(env, last.step_count[0]))
    seconds = env.options.step_size * env.action_repeat
    held = jax.tree.map(lambda leaf: leaf[: count + 1], states)
    held = dataclasses.replace(held, time=np.round(np.arange(count + 1) * seconds, 9))
    assert env.params is not None
    return Motion(type(env).__name__, env.model, env.params, held, controls[:count])
