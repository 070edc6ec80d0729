"""Proximal policy optimization with correlated noise and a learning rate that follows the KL.

Source: Schulman et al. 2017 (arXiv 1707.06347); the rate by the KL as in rsl_rl (Rudin et al. 2022,
arXiv 2109.11978). An update ends by the KL as in OpenAI's Spinning Up, so that the first ones,
whose rate is not yet the right one, do not carry a trained policy away. The noise is an AR(1)
process, so the likelihood of an action is conditional on the noise before. Values of the settings
without another source are a prototype's.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxosim.envs.base import Env
from jaxosim.learning.networks import critic_loss
from jaxosim.learning.numpy_policy import Policy
from jaxosim.learning.optimizer import Optimizer, fit, minibatches
from jaxosim.learning.returns import advantages_of
from jaxosim.learning.worlds import Record, Unroll, unroll

if TYPE_CHECKING:
    from jaxosim.learning.state import TrainState

_LARGEST_LOG_RATIO = 10.0  # of likelihoods, so that its exponential stays finite
_STOP = 1.5  # times the largest divergence, from which on an update changes the policy no more


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPO:
    """Settings of PPO.

    Attributes:
      unroll: worlds and horizon; 1.28 s of 40 ms decisions.
      discount: (1) γ of a decision.
      noise: (1) initial standard deviation of the logits; learned within `noise_range`.
      noise_range: (1) smallest and largest standard deviation.
      learning_rate: of the policy at first.
      rate_range: smallest and largest learning rate.
      rate_factor: by which the rate changes (rsl_rl: 1.5).
      kl_range: mean KL divergence of an update below and above which the rate changes; from 1.5
        times the upper end on (Spinning Up: 1.5) the policy is changed no more.
      clip: of the ratio of likelihoods (Schulman et al.: 0.2).
      averaging: (1) decay per update of the average of the policy's weights that is evaluated and
        kept; 0 for the policy itself.
      trace: (1) λ (Schulman et al.: 0.95).
      epochs: passes over the samples of an update.
      minibatches: of each pass.
      max_norm: of the policy's gradient.
      critic_rate: learning rate of the critics, which have an optimizer of their own: one bound on
        the norm for both left the critic worse than a constant.
      critic_max_norm: of the critics' gradient.
    """

    unroll: Unroll = Unroll(worlds=256, horizon=32)
    discount: float = 0.97
    noise: float = 0.7
    noise_range: tuple[float, float] = (0.1, 1.5)
    learning_rate: float = 5e-4
    rate_range: tuple[float, float] = (2e-5, 5e-3)
    rate_factor: float = 1.5
    kl_range: tuple[float, float] = (0.005, 0.02)
    clip: float = 0.2
    averaging: float = 0.0
    trace: float = 0.95
    epochs: int = 2
    minibatches: int = 4
    max_norm: float = 1.0
    critic_rate: float = 1e-3
    critic_max_norm: float = 1.0

    @property
    def _optimizer(self) -> Optimizer:
        return Optimizer(self.max_norm)

    @property
    def _critic_optimizer(self) -> Optimizer:
        return Optimizer(self.critic_max_norm)

    def init(self, actor: Any, critics: Any) -> Any:
        """States of the optimizers."""
        return self._optimizer.init(actor), self._critic_optimizer.init(critics)

    def update(
        self, env: Env, state: "TrainState", key: jax.Array, mesh: Mesh | None
    ) -> tuple["TrainState", Record, dict[str, jax.Array]]:
        """Unroll the worlds and learn from the record.

        Args:
          env: the task.
          state: of the training.
          key: JAX random key.
          mesh: devices that share the worlds.

        Returns:
          The state, what happened in the worlds, and numbers of the update.
        """
        unroll_key, actor_key, critic_key = jax.random.split(key, 3)
        noise = state.worlds.noise
        zeros = jnp.zeros((self.unroll.horizon, *noise.shape), noise.dtype)
        deviation = jnp.exp(state.log_deviation)
        worlds, record = unroll(
            env, self.unroll, state.policy, deviation, state.starts, state.worlds, unroll_key,
            zeros, mesh,
        )  # fmt: skip
        samples, value_error = self._samples(state, record)
        count = len(samples["target"])
        actor, own, critics, of_critics = self._learn(
            state,
            samples,
            minibatches(actor_key, self.epochs, self.minibatches, count),
            minibatches(critic_key, self.epochs, self.minibatches, count),
        )
        kl = self._divergence(state.policy, actor, samples)
        state = dataclasses.replace(
            state,
            policy=dataclasses.replace(state.policy, layers=actor[0]),
            log_deviation=actor[1],
            critics=critics,
            optimizer=(own, of_critics),
            worlds=worlds,
            learning_rate=self._next_rate(state.learning_rate, kl),
        )
        return state, record, {"kl": kl, "value_error": value_error}

    def _samples(
        self, state: "TrainState", record: Record
    ) -> tuple[dict[str, jax.Array], jax.Array]:
        """What is learned from, `[sample, ...]`; and the critics' unexplained variance (1)."""
        policy = state.policy
        x, value, advantage = advantages_of(
            record, policy, state.critics, discount=self.discount, trace=self.trace
        )
        deviation = jnp.std(advantage) + 1e-6
        samples = {
            "x": x,
            "logits": record.logits,
            "prior": record.prior,
            "advantage": (advantage - jnp.mean(advantage)) / deviation,
            "target": advantage + value,
            "likelihood": self.log_likelihood(
                policy, (policy.layers, state.log_deviation), x, record.logits, record.prior
            ),
        }
        error = jnp.mean(advantage**2) / (jnp.var(samples["target"]) + 1e-8)
        return jax.tree.map(lambda y: y.reshape((-1, *y.shape[2:])), samples), error

    def _learn(
        self, state: "TrainState", samples: Any, places: jax.Array, critic_places: jax.Array
    ) -> tuple[Any, Any, Any, Any]:
        """Actor, its optimizer's state, critics, and their optimizer's state."""
        low, high = np.log(self.noise_range)
        policy, (own, of_critics) = state.policy, state.optimizer

        def bounded(actor: Any) -> tuple[Any, jax.Array]:
            return actor[0], jnp.clip(actor[1], low, high)

        def loss(actor: Any, batch: Any) -> jax.Array:
            return self.loss(policy, bounded(actor), batch)

        def near(actor: Any, batch: Any) -> jax.Array:
            return self._divergence(policy, bounded(actor), batch) <= _STOP * self.kl_range[1]

        actor, own = fit(
            loss,
            self._optimizer,
            (policy.layers, state.log_deviation),
            own,
            samples,
            places,
            state.learning_rate,
            near,
        )
        critics, of_critics = fit(
            lambda critics, batch: critic_loss(critics, batch["x"], batch["target"], policy.mirror),
            self._critic_optimizer,
            state.critics,
            of_critics,
            samples,
            critic_places,
            self.critic_rate,
        )
        return bounded(actor), own, critics, of_critics

    def log_likelihood(
        self, policy: Policy, actor: Any, x: jax.Array, logits: jax.Array, prior: jax.Array
    ) -> jax.Array:
        """Logarithm of the density of logits, given the noise before; up to a constant.

        Args:
          policy: whose weights are replaced.
          actor: weights, and the logarithm of the noise's deviation `[action]`.
          x: `[..., entry]` normalized observation.
          logits: `[..., action]` that were acted upon.
          prior: `[..., action]` the part of the noise that was known before.
        """
        layers, log_deviation = actor
        mean = dataclasses.replace(policy, layers=layers).logits(x) + prior
        shape = (1,) * (mean.ndim - 1) + log_deviation.shape
        deviation = jnp.exp(log_deviation) * (1 - self.unroll.correlation**2) ** 0.5
        miss = (logits - mean) / deviation.reshape(shape)
        return -0.5 * jnp.sum(miss * miss, axis=-1) - jnp.sum(log_deviation)

    def loss(self, policy: Policy, actor: Any, batch: dict[str, jax.Array]) -> jax.Array:
        """The clipped surrogate objective, negative."""
        likelihood = self.log_likelihood(policy, actor, batch["x"], batch["logits"], batch["prior"])
        change = likelihood - batch["likelihood"]
        ratio = jnp.exp(jnp.clip(change, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO))
        bounded = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
        return -jnp.mean(jnp.minimum(ratio * batch["advantage"], bounded * batch["advantage"]))

    def _divergence(self, policy: Policy, actor: Any, samples: dict[str, jax.Array]) -> jax.Array:
        """Mean KL divergence of an update, estimated from its samples.

        Source: the estimator k3 of Schulman 2020, "Approximating KL divergence".
        """
        likelihood = self.log_likelihood(
            policy, actor, samples["x"], samples["logits"], samples["prior"]
        )
        change = jnp.clip(
            likelihood - samples["likelihood"], -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO
        )
        return jnp.mean(jnp.expm1(change) - change)

    def _next_rate(self, rate: jax.Array, kl: jax.Array) -> jax.Array:
        """The learning rate after an update of this divergence."""
        factor = self.rate_factor
        change = jnp.where(
            kl > self.kl_range[1], 1 / factor, jnp.where(kl < self.kl_range[0], factor, 1.0)
        )
        return jnp.clip(rate * change, *self.rate_range).astype(rate.dtype)

    def after_evaluation(self, state: "TrainState", completed: float) -> "TrainState":
        """The state as it is: the rate follows the divergence."""
        return state
