"""Advantages and value targets of unrolled worlds."""

import jax
import jax.numpy as jnp

from jaxosim.learning.networks import values
from jaxosim.learning.numpy_policy import Layers, Policy
from jaxosim.learning.worlds import Record


def advantages_of(
    record: Record, policy: Policy, critics: tuple[Layers, ...], *, discount: float, trace: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What the critics say of a record, of rewards scaled by 1 − γ.

    Args:
      record: of an unroll.
      policy: normalizes the observations.
      critics: weights of each.
      discount: (1) γ, per decision.
      trace: (1) λ.

    Returns:
      Normalized observations `[decision, world, entry]`, their values and the decisions' advantages
      `[decision, world]`.
    """
    x = policy.normalized(record.obs)
    value = values(critics, x, policy.mirror)
    own = advantages(
        (1 - discount) * record.reward,
        value,
        values(critics, policy.normalized(record.next_obs), policy.mirror),
        record.terminated,
        record.done,
        discount=discount,
        trace=trace,
    )
    return x, value, own


def advantages(
    reward: jax.Array,
    value: jax.Array,
    next_value: jax.Array,
    terminated: jax.Array,
    done: jax.Array,
    *,
    discount: float,
    trace: float,
) -> jax.Array:
    """Generalized advantage estimates; with the value added, TD(λ) targets of the value.

    A terminated episode has no value after it; one that was truncated has that of its last state.

    Source: Schulman et al. 2016 (arXiv 1506.02438).

    Args:
      reward: `[decision, world]`.
      value: `[decision, world]` of the states before each decision.
      next_value: `[decision, world]` of the states after it, before any restart.
      terminated: `[decision, world]` bool.
      done: `[decision, world]` bool, terminated or truncated.
      discount: (1) γ, per decision.
      trace: (1) λ.

    Returns:
      `[decision, world]`.
    """
    error = reward + discount * jnp.where(terminated, 0.0, next_value) - value
    keep = jnp.where(done, 0.0, discount * trace)

    def back(later: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        own = now[0] + now[1] * later
        return own, own

    return jax.lax.scan(back, jnp.zeros_like(value[0]), (error, keep), reverse=True)[1]


def discounted_return(
    reward: jax.Array,
    next_value: jax.Array,
    terminated: jax.Array,
    done: jax.Array,
    *,
    discount: float,
) -> jax.Array:
    """Discounted reward of each world up to the horizon, and the value of where it ends.

    An episode that ends within is followed by the next one, which is discounted from its own
    beginning: its gradient does not pass the restart.

    Source: the objective of SHAC (Xu et al. 2022, arXiv 2204.07137), equation 5.

    Args:
      reward: `[decision, world]`.
      next_value: `[decision, world]` of the states after each decision, before any restart.
      terminated: `[decision, world]` bool.
      done: `[decision, world]` bool, terminated or truncated.
      discount: (1) γ, per decision.

    Returns:
      `[world]`.
    """
    last = jnp.arange(len(reward)) == len(reward) - 1
    ends = done | last[:, None]
    bootstrap = jnp.where(ends & ~terminated, discount * next_value, 0.0)

    def add(
        carry: tuple[jax.Array, jax.Array], now: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        total, factor = carry
        gain, ended = now
        return (total + factor * gain, jnp.where(ended, 1.0, discount * factor)), None

    zero = jnp.zeros_like(reward[0])
    return jax.lax.scan(add, (zero, zero + 1), (reward + bootstrap, done))[0][0]
