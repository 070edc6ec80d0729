"""A task as an environment of Brax: one world, actions from -1 to 1, no time limit of its own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax.envs.base import Env, State

from jaxosim.envs.base import Env as Task
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.host.compilation_cache import use_compilation_cache


class BraxEnv(Env):
    """One world; `pipeline_state` is its EnvState, `metrics` the reward's terms by name.

    `done` says that the task has ended. That time is up is said by Brax's `EpisodeWrapper`, which
    tells the two apart in `info["truncation"]`; `episode_length` is what it has to be given.
    """

    def __init__(self, name: str | Task, **options: Any) -> None:
        """Read the model.

        Args:
          name: of the task, or the task itself; see `jaxosim.make`.
          **options: keywords of `jaxosim.make`.

        Raises:
          ValueError: an option has an unknown value.
          TypeError: the task has no such option.
        """
        use_compilation_cache()
        self.functional = make(name, **options)

    def reset(self, rng: jax.Array) -> State:
        """Begin an episode; everything random in it comes from the key."""
        es = self.functional.reset(rng)
        return State(es, es.obs, es.reward, _ended(es), dict(es.metrics), dict(es.info))

    def step(self, state: State, action: jax.Array) -> State:
        """One decision.

        Args:
          state: from `reset` or `step`; what wrappers have put into `info` and `metrics` stays.
          action: `[action]` (1), clipped to [-1, 1]: where Brax's policies are at home. -1 is the
            least control, 1 the largest, 0 halfway; an unbounded control is the action itself.
        """
        es = self.functional.step(state.pipeline_state, self.controls_of(action))
        return state.replace(
            pipeline_state=es,
            obs=es.obs,
            reward=es.reward,
            done=_ended(es),
            metrics={**state.metrics, **es.metrics},
            info={**state.info, **es.info},
        )

    def controls_of(self, action: jax.Array) -> jax.Array:
        """The controls that an action from -1 to 1 stands for, `[action]` (1)."""
        low, high = self.functional.action_low, self.functional.action_high
        bounded = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
        share = (jnp.asarray(action) + 1) / 2
        return jnp.asarray(low, share.dtype) + share * jnp.asarray(high - low, share.dtype)

    @property
    def episode_length(self) -> int:
        """Decisions until the time limit: what a trainer takes as `episode_length`."""
        limit = self.functional.time_limit
        assert limit is not None
        return -(-limit // self.functional.action_repeat)

    @property
    def observation_size(self) -> int:
        """Length of the observation."""
        return self.functional.observation_size

    @property
    def action_size(self) -> int:
        """Length of the action."""
        return self.functional.action_size

    @property
    def backend(self) -> str:
        """Name of the physics."""
        return "jaxosim"


def _ended(es: EnvState) -> jax.Array:
    """Whether the task has ended, as a float."""
    return es.info["terminated"].astype(es.reward.dtype)
