"""A first-order learner: the reward's gradient through the simulator, and critics at the horizon.

The gradient of each world is taken by the actions alone, and bounded by what is usual in the batch:
contact makes the gradients of single worlds a million times as large while walking is learned. The
network's weights then follow from one batched product.

Source: SHAC, Xu et al. 2022 (arXiv 2204.07137); critics and their averaging from SAPO, Xing et al.
2025 (arXiv 2412.12089). Values of the settings without another source are a prototype's.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxosim.envs.base import Env
from jaxosim.learning.networks import critic_loss, values
from jaxosim.learning.numpy_policy import Layers
from jaxosim.learning.optimizer import Optimizer, fit, minibatches
from jaxosim.learning.returns import advantages_of, discounted_return
from jaxosim.learning.worlds import Record, Unroll, Worlds, unroll

if TYPE_CHECKING:
    from jaxosim.learning.state import TrainState


@dataclasses.dataclass(frozen=True, kw_only=True)
class SHAC:
    """Settings of the first-order learner.

    Attributes:
      unroll: worlds and horizon; 0.64 s of 40 ms decisions.
      discount: (1) γ of a decision.
      noise: (1) initial standard deviation of the logits; fixed.
      learning_rate: of the policy (SHAC: 2e-3).
      late_learning_rate: largest rate once `late_share` of the evaluated episodes run to their time
        limit.
      late_share: (1).
      rate_decay: (1) factor of the learning rate from one update to the next.
      averaging: (1) decay per update of the average of the policy's weights that is evaluated and
        kept; 0 for the policy itself.
      betas: of the policy's Adam (SHAC: 0.7, 0.95).
      max_norm: of the policy's gradient (SHAC: 1).
      adjoint_bound: each world's gradient is at most so many medians of the batch.
      trace: (1) λ of the critics' targets (SHAC: 0.95).
      critic_rate: learning rate of the critics.
      critic_epochs: passes over the samples of an update (SHAC: 16 of 4 minibatches).
      critic_minibatches: of each pass.
      critic_max_norm: of the critics' gradient (SHAC: 1).
    """

    unroll: Unroll = Unroll(worlds=128, horizon=16)
    discount: float = 0.97
    noise: float = 0.3
    learning_rate: float = 2e-3
    late_learning_rate: float = 2e-4
    late_share: float = 0.8
    rate_decay: float = 1.0
    averaging: float = 0.0
    betas: tuple[float, float] = (0.7, 0.95)
    max_norm: float = 1.0
    adjoint_bound: float = 2.0
    trace: float = 0.95
    critic_rate: float = 1e-3
    critic_epochs: int = 4
    critic_minibatches: int = 4
    critic_max_norm: float = 1.0

    @property
    def _optimizer(self) -> Optimizer:
        return Optimizer(self.max_norm, *self.betas)

    @property
    def _critic_optimizer(self) -> Optimizer:
        return Optimizer(self.critic_max_norm)

    def init(self, actor: Any, critics: Any) -> Any:
        """States of the optimizers; the noise, the second part of the actor, is not learned."""
        return self._optimizer.init(actor[0]), self._critic_optimizer.init(critics)

    def update(
        self, env: Env, state: "TrainState", key: jax.Array, mesh: Mesh | None
    ) -> tuple["TrainState", Record, dict[str, jax.Array]]:
        """One step of the policy, and several of the critics.

        Args:
          env: the task.
          state: of the training.
          key: JAX random key.
          mesh: devices that share the worlds.

        Returns:
          The state, what happened in the worlds, and numbers of the step.
        """
        unroll_key, critic_key = jax.random.split(key)
        adjoints, worlds, record = self.adjoints(env, state, unroll_key, mesh)
        clipped, numbers = bounded(adjoints, self.adjoint_bound)
        policy = state.policy
        x, value, advantage = advantages_of(
            record, policy, state.critics, discount=self.discount, trace=self.trace
        )

        def surrogate(layers: Layers) -> jax.Array:
            logits = dataclasses.replace(policy, layers=layers).logits(x)
            return jnp.mean(jnp.sum(logits * clipped, axis=-1))

        gradient = jax.grad(surrogate)(policy.layers)
        own, of_critics = state.optimizer
        layers, own = self._optimizer.step(gradient, own, policy.layers, state.learning_rate)
        samples = (x.reshape(-1, x.shape[-1]), (value + advantage).reshape(-1))
        places = minibatches(
            critic_key, self.critic_epochs, self.critic_minibatches, len(samples[1])
        )
        critics, of_critics = fit(
            lambda critics, batch: critic_loss(critics, batch[0], batch[1], policy.mirror),
            self._critic_optimizer,
            state.critics,
            of_critics,
            samples,
            places,
            self.critic_rate,
        )
        state = dataclasses.replace(
            state,
            policy=dataclasses.replace(policy, layers=layers),
            critics=critics,
            optimizer=(own, of_critics),
            learning_rate=state.learning_rate * self.rate_decay,
            worlds=worlds,
        )
        return state, record, numbers

    def adjoints(
        self, env: Env, state: "TrainState", key: jax.Array, mesh: Mesh | None
    ) -> tuple[jax.Array, Worlds, Record]:
        """Gradients of each world's loss by its logits, `[decision, world, action]`.

        The loss is minus the discounted return, scaled by 1 − γ.
        """

        def loss(deltas: jax.Array) -> tuple[jax.Array, tuple[Worlds, Record]]:
            worlds, record = unroll(
                env,
                self.unroll,
                state.policy,
                jnp.exp(state.log_deviation),
                state.starts,
                state.worlds,
                key,
                deltas,
                mesh,
            )
            x = state.policy.normalized(record.next_obs)
            gain = discounted_return(
                (1 - self.discount) * record.reward,
                values(state.critics, x, state.policy.mirror),
                record.terminated,
                record.done,
                discount=self.discount,
            )
            return -jnp.sum(gain), (worlds, record)

        noise = state.worlds.noise
        zeros = jnp.zeros((self.unroll.horizon, *noise.shape), noise.dtype)
        gradient, (worlds, record) = jax.grad(loss, has_aux=True)(zeros)
        return gradient, worlds, record

    def after_evaluation(self, state: "TrainState", completed: float) -> "TrainState":
        """The state after an evaluation, of which this share of episodes was completed."""
        if completed < self.late_share:
            return state
        rate = jnp.minimum(state.learning_rate, self.late_learning_rate)
        return dataclasses.replace(state, learning_rate=rate)


def bounded(adjoints: jax.Array, most: float) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Each world's gradient scaled down to so many medians of the batch's norms.

    A gradient that is not finite becomes zero.

    Args:
      adjoints: `[decision, world, action]`.
      most: medians.

    Returns:
      The gradients, and numbers about their norms.
    """
    norm = jnp.sqrt(jnp.sum(adjoints * adjoints, axis=(0, 2)))
    finite = jnp.isfinite(norm)
    known = jnp.where(finite, norm, jnp.inf)
    median = jnp.median(known)
    scale = jnp.minimum(1.0, most * median / jnp.where(norm > 0, norm, 1.0))
    clipped = jnp.where(finite[None, :, None], adjoints * scale[None, :, None], 0.0)
    numbers = {
        "adjoint_median": median,
        "adjoint_max": jnp.max(jnp.where(finite, norm, 0.0)),
        "adjoint_tail": jnp.mean((known > 100 * median).astype(norm.dtype)),
    }
    return clipped, numbers
