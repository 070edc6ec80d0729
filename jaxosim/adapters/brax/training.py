"""What a trainer puts around a Brax environment: like Brax's own, but every episode is a new one.

Brax's auto-reset keeps the first state of each world and begins every episode there: the same
target, pose and numbers throughout a training.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from brax.envs.base import Env, State, Wrapper
from brax.envs.wrappers.training import EpisodeWrapper, VmapWrapper

from jaxosim.envs.batch import BatchEnv


def wrap(
    env: Env, episode_length: int = 1000, action_repeat: int = 1, randomization_fn: Any = None
) -> Wrapper:
    """Many worlds with time limit and auto-reset: give it to a trainer as `wrap_env_fn`.

    Args:
      env: a BraxEnv, or wrappers around one.
      episode_length: decisions until an episode is truncated; `BraxEnv.episode_length`.
      action_repeat: steps for which an action is held.
      randomization_fn: None; `jaxosim.make` draws each episode's numbers with `randomize`.

    Raises:
      ValueError: the length is not the task's, or a function is given.
    """
    expected = env.unwrapped.episode_length
    if episode_length != expected:
        raise ValueError(
            f"episode_length: expected {expected}, the task's time limit, got {episode_length}; "
            "the option `time_limit` of the environment changes it"
        )
    if randomization_fn is not None:
        raise ValueError(
            "randomization_fn: expected None; the option `randomize` of the environment draws "
            "each episode's numbers"
        )
    return NewEpisodeWrapper(EpisodeWrapper(VmapWrapper(env), episode_length, action_repeat))


class NewEpisodeWrapper(Wrapper):
    """Begins a new episode in every world that is done; in the place of `AutoResetWrapper`."""

    def step(self, state: State, action: jax.Array) -> State:
        """One decision in every world; the observation is the new episode's where one has ended.

        Args:
          state: of all worlds.
          action: `[world, action]` (1).
        """
        steps = jnp.where(state.done > 0, 0, state.info["steps"])
        state = state.replace(done=jnp.zeros_like(state.done), info={**state.info, "steps": steps})
        state = self.env.step(state, action)
        es = dataclasses.replace(state.pipeline_state, done=state.done > 0)
        es = BatchEnv(self.unwrapped.functional, len(state.done)).reset_finished(es)
        return state.replace(pipeline_state=es, obs=es.obs)
