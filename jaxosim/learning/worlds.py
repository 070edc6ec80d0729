"""Many worlds under a noisy policy, and the states from which their episodes begin.

A world whose episode has ended goes on from a state that is kept, so that a reset costs a copy. Of
these states some are beginnings of the task, and the others were reached by the policy itself.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxosim.batching import batched
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.learning.numpy_policy import Policy
from jaxosim.pytree import pytree, tree_where

_KEPT_SHARE = 4  # of so many worlds one hands in a state after every unroll


@pytree
class Worlds:
    """The worlds that are unrolled.

    Attributes:
      es: `[world]`.
      noise: `[world, action]` (1) of the logits, correlated over decisions.
    """

    es: EnvState = dataclasses.field()
    noise: jax.Array = dataclasses.field()


@pytree
class Starts:
    """States from which episodes begin.

    Attributes:
      given: `[start]` beginnings of the task.
      own: `[place]` states that the policy reached and did not fall from; a ring.
      place: int32, the next place in the ring.
    """

    given: EnvState = dataclasses.field()
    own: EnvState = dataclasses.field()
    place: jax.Array = dataclasses.field()


@pytree
class Record:
    """What happened in the worlds, `[decision, world, ...]`.

    Attributes:
      obs: the observation before the decision.
      next_obs: after it, before any restart.
      logits: that were acted upon.
      prior: the part of the noise that was known before the decision.
      reward: of the decision.
      es: after the decision, before any restart; without the gradient that `next_obs` and `reward`
        have.
    """

    obs: jax.Array = dataclasses.field()
    next_obs: jax.Array = dataclasses.field()
    logits: jax.Array = dataclasses.field()
    prior: jax.Array = dataclasses.field()
    reward: jax.Array = dataclasses.field()
    es: EnvState = dataclasses.field()

    @property
    def terminated(self) -> jax.Array:
        """Whether the episode ended by failure or success: bool."""
        return self.es.info["terminated"]

    @property
    def done(self) -> jax.Array:
        """Whether it was terminated or truncated: bool."""
        return self.es.done


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unroll:
    """How worlds are unrolled.

    Attributes:
      worlds: number of them.
      horizon: decisions between two updates.
      correlation: (1) of the noise from one decision to the next, an AR(1) process. Muscles filter
        white noise away: Schumacher et al. 2023 (arXiv 2206.00484), Eberhard et al. 2023 (ICLR).
      own_share: (1) of the restarts that begin in a state that the policy reached itself. Its value
        and those below are a prototype's; reference-state initialization: Peng et al. 2018 (arXiv
        1804.02717).
      given_count: beginnings of the task that are kept.
      own_count: own states that are kept.
      safe_decisions: after an own state no episode may have ended for so many decisions, or for
        half the horizon where that is less.
    """

    worlds: int
    horizon: int
    correlation: float = 0.6
    own_share: float = 0.4
    given_count: int = 1024
    own_count: int = 4096
    safe_decisions: int = 12


def initial_starts(env: Env, settings: Unroll, key: jax.Array, mesh: Mesh | None = None) -> Starts:
    """Beginnings of the task, which also fill the ring."""
    keys = jax.random.split(key, settings.given_count)
    given = batched(env.reset, mesh=mesh)(keys)
    places = jnp.arange(settings.own_count) % settings.given_count
    own = jax.tree.map(lambda leaf: leaf[places], given)
    return Starts(given=given, own=own, place=jnp.zeros((), jnp.int32))


def initial_worlds(env: Env, settings: Unroll, starts: Starts, key: jax.Array) -> Worlds:
    """Worlds whose episodes end at different times."""
    es_key, time_key = jax.random.split(key)
    es = draw(starts, es_key, settings.worlds, settings.own_share)
    limit = env.time_limit or 2
    step_count = jax.random.randint(time_key, (settings.worlds,), 0, max(limit // 2, 1))
    es = dataclasses.replace(es, step_count=step_count.astype(es.step_count.dtype))
    noise = jnp.zeros((settings.worlds, env.action_size), es.obs.dtype)
    return Worlds(es=es, noise=noise)


def draw(starts: Starts, key: jax.Array, count: int, own_share: float) -> EnvState:
    """States from which so many episodes begin, `[world]`."""
    given_key, own_key, choice_key, new_key = jax.random.split(key, 4)
    choices = []
    for each, source in ((given_key, starts.given), (own_key, starts.own)):
        places = jax.random.randint(each, (count,), 0, len(source.done))
        choices.append(jax.tree.map(lambda leaf, places=places: leaf[places], source))
    own = jax.random.uniform(choice_key, (count,)) < own_share
    es = tree_where(own, choices[1], choices[0])
    zero = jnp.zeros_like(es.reward)
    return dataclasses.replace(
        es,
        reward=zero,
        episode_return=zero,
        step_count=jnp.zeros_like(es.step_count),
        done=jnp.zeros_like(es.done),
        metrics=jax.tree.map(jnp.zeros_like, es.metrics),
        key=_like_key(new_key, es.key, count),
    )


def _like_key(key: jax.Array, like: jax.Array, count: int) -> jax.Array:
    """New keys of the kind that the worlds have: typed, or the raw numbers of old."""
    keys = jax.random.split(key, count)
    typed = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
    return keys if typed else jax.random.key_data(keys)


def unroll(
    env: Env,
    settings: Unroll,
    policy: Policy,
    deviation: jax.Array,
    starts: Starts,
    worlds: Worlds,
    key: jax.Array,
    deltas: jax.Array,
    mesh: Mesh | None = None,
) -> tuple[Worlds, Record]:
    """Let the worlds run on under the policy with noise.

    Args:
      env: the task.
      settings: how.
      policy: computes the mean logits.
      deviation: `[action]` (1) stationary standard deviation of the noise of the logits.
      starts: from which ended worlds go on.
      worlds: as they are.
      key: JAX random key.
      deltas: `[decision, world, action]` (1) added to the logits: zeros, by which the result can be
        differentiated.
      mesh: devices that share the worlds.

    Returns:
      The worlds after the last decision, and what happened.
    """
    rho = settings.correlation
    innovation = deviation * (1 - rho * rho) ** 0.5
    step = batched(env.step, mesh=mesh)

    def decide(now: Worlds, given: tuple[jax.Array, jax.Array]) -> tuple[Worlds, Record]:
        delta, key = given
        noise_key, start_key = jax.random.split(key)
        prior = rho * now.noise
        drawn = innovation[None] * jax.random.normal(noise_key, prior.shape, prior.dtype)
        logits = policy.logits(policy.normalized(now.es.obs)) + prior + drawn + delta
        after = step(now.es, policy.action(logits))
        fresh = draw(starts, start_key, len(after.done), settings.own_share)
        # The gradient of an episode ends with it.
        es = tree_where(after.done, jax.lax.stop_gradient(fresh), after)
        noise = jnp.where(after.done[:, None], 0.0, prior + drawn)
        return Worlds(es=es, noise=noise), Record(
            obs=now.es.obs,
            next_obs=after.obs,
            logits=logits,
            prior=prior,
            reward=after.reward,
            es=jax.lax.stop_gradient(after),
        )

    return jax.lax.scan(decide, worlds, (deltas, jax.random.split(key, len(deltas))))


def keep_own(starts: Starts, record: Record, settings: Unroll, key: jax.Array) -> Starts:
    """The starts, with states of the record from which no world fell soon.

    Args:
      starts: as they are.
      record: of an unroll.
      settings: of the unroll.
      key: JAX random key.
    """
    horizon, count = record.done.shape
    ahead = min(settings.safe_decisions, horizon // 2)
    at = jax.random.randint(key, (count,), 0, horizon - ahead)
    time = jnp.arange(horizon)[:, None]
    watched = (time >= at[None]) & (time <= at[None] + ahead)
    safe = ~jnp.any(watched & record.done, axis=0)
    chosen = jnp.arange(0, count, _KEPT_SHARE)
    new = jax.tree.map(lambda leaf: leaf[at[chosen], chosen], record.es)
    size = len(starts.own.done)
    rank = jnp.cumsum(safe[chosen], dtype=jnp.int32) - 1  # among those that are kept
    place = jnp.where(safe[chosen], (starts.place + rank) % size, size)
    own = jax.tree.map(lambda kept, x: kept.at[place].set(x, mode="drop"), starts.own, new)
    added = jnp.sum(safe[chosen], dtype=jnp.int32)
    return dataclasses.replace(starts, own=own, place=(starts.place + added) % size)
