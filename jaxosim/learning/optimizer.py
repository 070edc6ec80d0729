"""Adam behind a bound on the gradient's norm, with a learning rate that may change."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxosim.pytree import tree_where


class Optimizer(NamedTuple):
    """Adam (Kingma & Ba 2015, arXiv 1412.6980).

    Attributes:
      max_norm: of the gradient, which is scaled down to it.
      b1: decay of the mean of the gradients.
      b2: decay of the mean of their squares.
    """

    max_norm: float
    b1: float = 0.9
    b2: float = 0.999

    @property
    def _transform(self) -> optax.GradientTransformation:
        return optax.chain(
            optax.clip_by_global_norm(self.max_norm), optax.scale_by_adam(self.b1, self.b2)
        )

    def init(self, parameters: Any) -> Any:
        """State at the beginning."""
        return self._transform.init(parameters)

    def step(
        self, gradient: Any, state: Any, parameters: Any, rate: jax.Array | float
    ) -> tuple[Any, Any]:
        """The parameters after one step, and the state."""
        with jax.numpy_dtype_promotion("standard"):  # Optax raises a float to an integer count
            directions, state = self._transform.update(gradient, state, parameters)
        return jax.tree.map(lambda p, d: p - rate * d, parameters, directions), state


def fit(
    loss: Callable[[Any, Any], jax.Array],
    optimizer: Optimizer,
    parameters: Any,
    state: Any,
    samples: Any,
    places: jax.Array,
    rate: jax.Array | float,
    goes_on: Callable[[Any, Any], jax.Array] | None = None,
) -> tuple[Any, Any]:
    """Steps on minibatches of samples.

    Args:
      loss: of parameters and a minibatch.
      optimizer: whose steps they are.
      parameters: to fit.
      state: of the optimizer.
      samples: a tree of arrays `[sample, ...]`.
      places: `[step, sample]` which samples each step takes.
      rate: learning rate.
      goes_on: of parameters and a minibatch; a step is left out where it is False.

    Returns:
      The parameters and the state of the optimizer.
    """

    def one(carry: tuple[Any, Any], chosen: jax.Array) -> tuple[tuple[Any, Any], None]:
        batch = jax.tree.map(lambda leaf: leaf[chosen], samples)
        gradient = jax.grad(loss)(carry[0], batch)
        after = optimizer.step(gradient, carry[1], carry[0], rate)
        if goes_on is not None:
            after = tree_where(goes_on(carry[0], batch), after, carry)
        return after, None

    return jax.lax.scan(one, (parameters, state), places)[0]


def moving_average(average: Any, parameters: Any, decay: float) -> Any:
    """An exponential moving average: of the average before, `decay` is kept.

    Source: averaging of iterates, Polyak & Juditsky 1992.

    Args:
      average: of the parameters before.
      parameters: a tree of arrays.
      decay: (1) in [0, 1); 0 for the parameters themselves.
    """
    return jax.tree.map(lambda a, p: p + decay * (a - p), average, parameters)


def minibatches(key: jax.Array, epochs: int, count: int, samples: int) -> jax.Array:
    """Places of the samples of each step, `[epochs * count, sample]`; new in every epoch."""
    keys = jax.random.split(key, epochs)
    shuffled = jax.vmap(lambda each: jax.random.permutation(each, samples))(keys)
    size = samples // count
    return jnp.reshape(shuffled[:, : count * size], (epochs * count, size))
