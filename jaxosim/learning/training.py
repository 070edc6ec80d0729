"""Training: a task and a learner, whose updates move a train state on; and its evaluations."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxosim.envs.base import Env
from jaxosim.learning import normalization
from jaxosim.learning.evaluation import Evaluation, evaluator, forward_position
from jaxosim.learning.networks import initial_layers
from jaxosim.learning.numpy_policy import Mirror
from jaxosim.learning.optimizer import moving_average
from jaxosim.learning.policy import Policy, initial_policy
from jaxosim.learning.ppo import PPO
from jaxosim.learning.shac import SHAC
from jaxosim.learning.state import TrainState
from jaxosim.learning.worlds import Record, Starts, initial_starts, initial_worlds, keep_own
from jaxosim.pytree import all_finite

Learner = SHAC | PPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Networks:
    """Sizes of the networks. The values are a prototype's.

    Attributes:
      hidden: widths of the hidden layers of the policy and of each critic.
      critics: number of critics, whose values are averaged (SAPO: 2).
      bias: (1) of the logits; excitations start near sigmoid(−2.2) = 0.1. Muscles that all pull at
        once stiffen the body.
      policy_scale: of the last layer's initial weights of the policy.
      critic_scale: of the last layer's initial weights of the critics.
    """

    hidden: tuple[int, ...] = (128, 128)
    critics: int = 2
    bias: float = -2.2
    policy_scale: float = 0.05
    critic_scale: float = 0.5


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trainer:
    """A task and a learner: makes train states and moves them on.

    Attributes:
      env: the task; its observation is a vector.
      learner: `SHAC` or `PPO`, with its settings.
      networks: their sizes.
      mirror: reflection of a symmetric model, or None.
      evaluation_env: the task in which policies are evaluated; `env` if None.
      episodes: of an evaluation.
      evaluation_seed: of their beginnings.
      mesh: devices that share the worlds; one if None.
    """

    env: Env
    learner: Learner
    networks: Networks = Networks()
    mirror: Mirror | None = None
    evaluation_env: Env | None = None
    episodes: int = 64
    evaluation_seed: int = 1000
    mesh: Mesh | None = None

    def init(self, key: jax.Array) -> TrainState:
        """Networks that have learned nothing, and worlds at the beginnings of episodes."""
        starts_key, policy_key, critic_key, own_key = jax.random.split(key, 4)
        starts = self.initial_starts(starts_key)
        dtype = starts.given.obs.dtype
        outputs = self.env.action_size // (1 if self.mirror is None else 2)
        sizes = (self.env.observation_size, *self.networks.hidden)
        layers = initial_layers(policy_key, (*sizes, outputs), self.networks.policy_scale, dtype)
        policy = initial_policy(self.env, layers, bias=self.networks.bias, mirror=self.mirror)
        critics = tuple(
            initial_layers(each, (*sizes, 1), self.networks.critic_scale, dtype)
            for each in jax.random.split(critic_key, self.networks.critics)
        )
        normalizer = normalization.update(
            normalization.initial_normalizer(len(policy.mean), dtype),
            starts.given.obs,
            self.mirror,
        )
        return self._begin(policy, critics, normalizer, starts, own_key)

    def initial_starts(self, key: jax.Array) -> Starts:
        """Beginnings of the task, none reached by a policy yet."""
        make = functools.partial(initial_starts, self.env, self.learner.unroll, mesh=self.mesh)
        return jax.jit(make)(key)

    def init_from(self, former: TrainState, key: jax.Array) -> TrainState:
        """The networks and starts of another learner's state, with new worlds and optimizers."""
        return self._begin(former.policy, former.critics, former.normalizer, former.starts, key)

    def _begin(
        self, policy: Any, critics: Any, normalizer: Any, starts: Any, key: jax.Array
    ) -> TrainState:
        worlds_key, own_key = jax.random.split(key)
        dtype = policy.mean.dtype
        policy = dataclasses.replace(policy, mean=normalizer.mean, deviation=normalizer.deviation)
        log_deviation = jnp.log(jnp.full(self.env.action_size, self.learner.noise, dtype))
        return TrainState(
            policy=policy,
            average=policy.layers,
            log_deviation=log_deviation,
            critics=critics,
            normalizer=normalizer,
            optimizer=self.learner.init((policy.layers, log_deviation), critics),
            learning_rate=jnp.asarray(self.learner.learning_rate, dtype),
            worlds=initial_worlds(self.env, self.learner.unroll, starts, worlds_key),
            starts=starts,
            key=own_key,
        )

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, jax.Array]]:
        """One update of the learner; to be jitted.

        Returns:
          The state, and numbers about the worlds and the update, by name.
        """
        key, update_key, keep_key = jax.random.split(state.key, 3)
        after, record, numbers = self.learner.update(self.env, state, update_key, self.mesh)
        normalizer = normalization.update(state.normalizer, record.obs, self.mirror)
        policy = dataclasses.replace(
            after.policy, mean=normalizer.mean, deviation=normalizer.deviation
        )
        after = dataclasses.replace(
            after,
            policy=policy,
            average=moving_average(state.average, policy.layers, self.learner.averaging),
            normalizer=normalizer,
            starts=keep_own(state.starts, record, self.learner.unroll, keep_key),
            key=key,
        )
        finite = all_finite((policy.layers, after.critics))
        numbers |= {"finite": finite, "learning_rate": state.learning_rate}
        return after, numbers | self._numbers(state, record)

    def _numbers(self, state: TrainState, record: Record) -> dict[str, jax.Array]:
        """About the worlds: means over decisions, and over the episodes that ended."""
        done = record.done.astype(record.reward.dtype)
        ended = jnp.sum(done)

        def of_ended(x: jax.Array) -> jax.Array:
            return jnp.sum(x.astype(done.dtype) * done) / ended  # NaN where none has ended

        forward = forward_position(self.env, record.es.state)
        moved = jnp.where(record.done[:-1], 0.0, forward[1:] - forward[:-1])
        seconds = self.env.options.step_size * self.env.action_repeat
        terms = {f"term_{name}": jnp.mean(term) for name, term in record.es.metrics.items()}
        return {
            "reward": jnp.mean(record.reward),
            "falls": jnp.mean(record.terminated.astype(done.dtype)),
            "return": of_ended(record.es.episode_return),
            "length": of_ended(record.es.step_count),
            "speed": jnp.sum(moved) / (seconds * jnp.sum(1 - done[:-1])),
            "noise": jnp.mean(jnp.exp(state.log_deviation)),
            **terms,
        }

    @property
    def decisions_per_update(self) -> int:
        """Decisions of all worlds."""
        return self.learner.unroll.worlds * self.learner.unroll.horizon

    def evaluator(self) -> Callable[[Policy], Evaluation]:
        """A function of a policy: its `Evaluation`, always from the same beginnings."""
        env = self.evaluation_env or self.env
        return evaluator(env, episodes=self.episodes, seed=self.evaluation_seed, mesh=self.mesh)
