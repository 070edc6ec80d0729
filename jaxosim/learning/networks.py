"""Initial weights of the networks, and values from several critics."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxosim.learning.numpy_policy import Layers, Mirror, network


def initial_layers(
    key: jax.Array, sizes: Sequence[int], last_scale: float, dtype: jnp.dtype
) -> Layers:
    """Orthogonal weights and zero biases.

    Source: orthogonal weights with a small last layer, Andrychowicz et al. 2020 (arXiv 2006.05990).

    Args:
      key: JAX random key.
      sizes: of the input, the hidden layers and the output.
      last_scale: of the last layer's weights; small ones make a policy start near its bias.
      dtype: of the weights.
    """
    keys = jax.random.split(key, len(sizes) - 1)
    layers = []
    for i, shape in enumerate(itertools.pairwise(sizes)):
        scale = last_scale if i == len(sizes) - 2 else 1.0
        weight = jax.nn.initializers.orthogonal(scale)(keys[i], shape, dtype)
        layers.append((weight, jnp.zeros(shape[1], dtype)))
    return tuple(layers)


def values(critics: tuple[Layers, ...], x: jax.Array, mirror: Mirror | None) -> jax.Array:
    """Mean of the critics' values `[...]` of normalized observations `[..., entry]`.

    Two critics are averaged as in SAPO (Xing et al. 2025, arXiv 2412.12089); with a mirror also
    both reflections, so that the value is invariant.
    """
    sides = [x] if mirror is None else [x, mirror(x)]
    each = [network(critic, side)[..., 0] for critic in critics for side in sides]
    return jnp.mean(jnp.stack(each), axis=0)


def critic_loss(
    critics: tuple[Layers, ...], x: jax.Array, target: jax.Array, mirror: Mirror | None
) -> jax.Array:
    """Mean squared error of each critic, summed over critics and reflections."""
    sides = [x] if mirror is None else [x, mirror(x)]
    errors = [network(critic, side)[..., 0] - target for critic in critics for side in sides]
    return jnp.sum(jnp.stack([jnp.mean(error * error) for error in errors]))
