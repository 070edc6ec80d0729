"""The records of an episode: one world within it, one instant of it, one step of it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from jaxosim.outputs import StateDescription
from jaxosim.pytree import pytree
from jaxosim.simulation import IntegratorState
from jaxosim.types import Params, State

Terms = Mapping[str, jax.Array]
"""Reward terms by name; their sum is the reward."""


@pytree
class EnvState:
    """One world within an episode: what the agent sees, and all that a later step depends on.

    Attributes:
      obs: `[entry]`, or nested dictionaries (see `Env.observation`).
      reward: scalar, of the step that led here.
      done: bool, terminated or truncated.
      info: `terminated`, `truncated`, `finite`: bools; `has_equilibrium` `[muscle]` bool, of which
        muscles fiber and tendon balanced at reset. The forces of the others mean nothing.
      metrics: the terms of the reward, by name; they sum to it.
      state: of the mechanics.
      integrator_state: of the integrator; holds the controls in force.
      task_state: of the task, such as its targets.
      params: this world's numbers if they are randomized, else None.
      key: from which everything random that is still to come is drawn.
      step_count: int32, control steps since reset.
      episode_return: sum of the rewards since reset.
    """

    obs: Any = dataclasses.field()
    reward: jax.Array = dataclasses.field()
    done: jax.Array = dataclasses.field()
    info: dict[str, jax.Array] = dataclasses.field()
    metrics: dict[str, jax.Array] = dataclasses.field()
    state: State = dataclasses.field()
    integrator_state: IntegratorState = dataclasses.field()
    task_state: Any = dataclasses.field()
    params: Params | None = dataclasses.field()
    key: jax.Array = dataclasses.field()
    step_count: jax.Array = dataclasses.field()
    episode_return: jax.Array = dataclasses.field()


def step_info(
    terminated: jax.Array, truncated: jax.Array, finite: jax.Array, has_equilibrium: jax.Array
) -> dict[str, jax.Array]:
    """`EnvState.info`, from its entries."""
    return {
        "terminated": terminated,
        "truncated": truncated,
        "finite": finite,
        "has_equilibrium": has_equilibrium,
    }


class Snapshot(NamedTuple):
    """One instant of one world, as a task, an observation or an ending sees it."""

    state: State
    description: StateDescription
    task_state: Any  # what the task itself keeps
    controls: jax.Array  # [control] (1), during the control step that led here
    env: Any  # the task: an `Env`


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Transition:
    """One control step, as a reward sees it.

    Attributes:
      before: the state at its beginning.
      after: the instant at its end, with the task state from before the step.
      controls: `[control]` (1), clipped to their bounds.
      previous_controls: `[control]` (1), during the control step before.
      terminated: bool.
      truncated: bool.
      describe_before: works out `description_before`.
    """

    before: State
    after: Snapshot
    controls: jax.Array
    previous_controls: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    describe_before: Callable[[], StateDescription]

    @functools.cached_property
    def description_before(self) -> StateDescription:
        """The description of `before`; it costs nothing where no reward asks for it."""
        return self.describe_before()

    @property
    def env(self) -> Any:
        """The task: an `Env`."""
        return self.after.env
