"""Policies without noise, played from fixed seeds."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxosim.batching import batched
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.learning.numpy_policy import Policy
from jaxosim.pytree import tree_where
from jaxosim.types import State

_FORWARD = "pelvis_tx"  # the coordinate whose speed is reported


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Episodes without noise.

    Attributes:
      returns: `[episode]` sum of rewards.
      lengths: `[episode]` control steps.
      seconds: `[episode]` their simulated time (s).
      terminated: `[episode]` bool, ended by failure or success.
      distance: `[episode]` (m) that the pelvis went forward; NaN where a model has none.
      metrics: sum of each reward term, `[episode]`.
    """

    returns: np.ndarray
    lengths: np.ndarray
    seconds: np.ndarray
    terminated: np.ndarray
    distance: np.ndarray
    metrics: dict[str, np.ndarray]

    @property
    def score(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    @property
    def completed(self) -> float:
        """Share of the episodes that ran to their time limit."""
        return float(np.mean(~self.terminated))

    def summary(self) -> dict[str, float]:
        """Means over the episodes, by name."""
        return {
            "eval_return": self.score,
            "eval_seconds": float(np.mean(self.seconds)),
            "eval_completed": self.completed,
            "eval_distance": float(np.mean(self.distance)),
            "eval_speed": float(np.sum(self.distance) / np.sum(self.seconds)),
        }


def forward_position(env: Env, state: State) -> jax.Array:
    """Forward position of the pelvis (m), `[...]`; NaN where the model has none."""
    names = env.model.coordinate_names
    if _FORWARD not in names:
        return jnp.full_like(state.time, jnp.nan)
    return state.q[..., names.index(_FORWARD)]


def play(env: Env, policy: Policy, start: EnvState, mesh: Mesh | None = None) -> Any:
    """Play episodes to their ends.

    Args:
      env: the task.
      policy: decides without noise.
      start: `[episode]` from `reset`.
      mesh: devices that share the episodes.

    Returns:
      The worlds at the ends of their episodes, and the sum of each reward term.
    """
    step = batched(env.step, mesh=mesh)

    def unfinished(carry: tuple[EnvState, Any]) -> jax.Array:
        return ~jnp.all(carry[0].done)

    def decide(carry: tuple[EnvState, Any]) -> tuple[EnvState, Any]:
        es, sums = carry
        after = step(es, policy(es.obs))
        gained = jax.tree.map(lambda x: jnp.where(es.done, 0.0, x), after.metrics)
        return tree_where(es.done, es, after), jax.tree.map(jnp.add, sums, gained)

    zeros = jax.tree.map(jnp.zeros_like, start.metrics)
    return jax.lax.while_loop(unfinished, decide, (start, zeros))


def trajectories(
    env: Env, policy: Policy, start: EnvState, mesh: Mesh | None = None
) -> tuple[EnvState, State, jax.Array]:
    """Play episodes to their ends, and keep every state.

    Args:
      env: the task.
      policy: decides without noise.
      start: `[episode]` from `reset`.
      mesh: devices that share the episodes.

    Returns:
      The worlds at the ends of their episodes; states `[decision + 1, episode, ...]` and controls
      `[decision, episode, control]` (1), of which those after an episode's end mean nothing.
    """
    step, controls_of = batched(env.step, mesh=mesh), jax.vmap(env.controls_of)

    def decide(es: EnvState, _: None) -> tuple[EnvState, tuple[State, jax.Array]]:
        action = policy(es.obs)
        after = tree_where(es.done, es, step(es, action))
        return after, (after.state, controls_of(action))

    assert env.time_limit is not None
    count = decisions(env, env.time_limit)
    last, (states, controls) = jax.lax.scan(decide, start, None, length=count)
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start.state, states)
    return last, states, controls


def decisions(env: Env, steps: Any) -> Any:
    """How many decisions take so many control steps; an episode may end within the last one."""
    return -(-steps // env.action_repeat)


def evaluator(
    env: Env, *, episodes: int, seed: int, mesh: Mesh | None = None
) -> Callable[[Policy], Evaluation]:
    """A function that plays a policy's episodes, always from the same beginnings.

    Args:
      env: the task.
      episodes: number of them.
      seed: from which their beginnings follow.
      mesh: devices that share the episodes.
    """
    keys = jax.random.split(jax.random.key(seed), episodes)
    start = jax.jit(batched(env.reset, mesh=mesh))(keys)
    run = jax.jit(functools.partial(play, env, mesh=mesh))

    def evaluated(policy: Policy) -> Evaluation:
        last, metrics = jax.device_get(run(policy, start))
        distance = forward_position(env, last.state) - forward_position(env, start.state)
        return Evaluation(
            returns=last.episode_return,
            lengths=last.step_count,
            seconds=last.step_count * env.options.step_size,
            terminated=last.info["terminated"],
            distance=np.asarray(distance),
            metrics=metrics,
        )

    return evaluated


def evaluate(env: Env, policy: Policy, *, episodes: int, seed: int) -> Evaluation:
    """Play episodes from the seeds that follow from one.

    Args:
      env: the task.
      policy: whose observation and actions are the task's.
      episodes: number of them.
      seed: of all.

    Raises:
      ValueError: the policy is of another task.
    """
    check_policy(env, policy)
    return evaluator(env, episodes=episodes, seed=seed)(policy)


def check_policy(env: Env, policy: Policy) -> None:
    """Refuse a policy of another task.

    Raises:
      ValueError: its observation or its actions are others.
    """
    for kind in ("observation_names", "action_names"):
        own, expected = getattr(policy, kind), getattr(env, kind)
        if own != expected:
            other = next((n for n in (*own, *expected) if (n in own) != (n in expected)), "order")
            raise ValueError(
                f"{type(env).__name__}: expected a policy of its {len(expected)} {kind}, got "
                f"{len(own)} (first difference: {other})"
            )
