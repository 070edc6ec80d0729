"""Running mean and variance of the observation."""

import jax
import jax.numpy as jnp

from jaxosim.learning.numpy_policy import Mirror
from jaxosim.pytree import array, pytree

_MOST_SAMPLES = 2e6  # that the past counts for, so that the statistics follow the policy
_SMALLEST_DEVIATION = 0.02  # of an entry that does not vary


@pytree
class Normalizer:
    """Statistics of the observations so far."""

    mean: jax.Array = array("entry", unit="1")
    variance: jax.Array = array("entry", unit="1")
    count: jax.Array = array(unit="1")

    @property
    def deviation(self) -> jax.Array:
        """Standard deviation `[entry]`, bounded from below."""
        return jnp.maximum(jnp.sqrt(self.variance), _SMALLEST_DEVIATION)


def initial_normalizer(entry_count: int, dtype: jnp.dtype) -> Normalizer:
    """Mean 0 and variance 1, which the first update replaces."""
    zero = jnp.zeros(entry_count, dtype)
    return Normalizer(mean=zero, variance=zero + 1, count=jnp.zeros((), dtype))


def update(
    normalizer: Normalizer, observations: jax.Array, mirror: Mirror | None = None
) -> Normalizer:
    """The statistics of more observations.

    Source: Chan, Golub & LeVeque 1983, the update of a mean and a variance by those of a batch.

    Args:
      normalizer: of the observations before.
      observations: `[..., entry]`.
      mirror: of a symmetric model, whose reflected observations then count as well.
    """
    x = observations.reshape(-1, observations.shape[-1])
    if mirror is not None:
        x = jnp.concatenate([x, mirror(x)])
    count = jnp.asarray(len(x), x.dtype)
    mean = jnp.mean(x, axis=0)
    variance = jnp.mean((x - mean[None]) ** 2, axis=0)
    total = normalizer.count + count
    share = count / total
    step = mean - normalizer.mean
    return Normalizer(
        mean=normalizer.mean + share * step,
        variance=(1 - share) * (normalizer.variance + share * step * step) + share * variance,
        count=jnp.minimum(total, _MOST_SAMPLES),
    )
