"""Policies without noise, played from fixed seeds."""

import dataclasses
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


def record_episode(env: Env, policy: Policy, start: EnvState) -> tuple[State, jax.Array, jax.Array]:
    """Every state of one episode.

    Args:
      env: the task.
      policy: decides without noise.
      start: of one world, from `reset`.

    Returns:
      States `[decision + 1, ...]`, controls `[decision, control]` (1), and the number of decisions
      until the episode ended; what follows repeats its last state.
    """

    def decide(es: EnvState, _: None) -> tuple[EnvState, tuple[State, jax.Array]]:
        action = policy(es.obs)
        after = tree_where(es.done, es, env.step(es, action))
        return after, (after.state, env.controls_of(action))

    count = -(-(env.time_limit or 1) // env.action_repeat)
    last, (states, controls) = jax.lax.scan(decide, start, None, length=count)
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start.state, states)
    return states, controls, -(-last.step_count // env.action_repeat)


def evaluation_of(env: Env, start: EnvState, last: EnvState, metrics: Any) -> Evaluation:
    """The numbers of episodes that were played, on the host."""
    distance = forward_position(env, last.state) - forward_position(env, start.state)
    host = jax.device_get
    lengths = np.asarray(host(last.step_count))
    return Evaluation(
        returns=np.asarray(host(last.episode_return)),
        lengths=lengths,
        seconds=lengths * env.options.step_size,
        terminated=np.asarray(host(last.info["terminated"])),
        distance=np.asarray(host(distance)),
        metrics={name: np.asarray(value) for name, value in host(metrics).items()},
    )


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

    @jax.jit
    def run(policy: Policy) -> Any:
        start = batched(env.reset)(jax.random.split(jax.random.key(seed), episodes))
        return start, play(env, policy, start)

    start, (last, metrics) = run(policy)
    return evaluation_of(env, start, last, metrics)


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
