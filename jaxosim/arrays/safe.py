"""Norms, quotients, bounds and extrema that behave where the usual ones do not.

Their derivatives are finite, and one-sided where the usual ones have none.
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.linalg import dot, scale_rows


def safe_norm(v: jax.Array) -> jax.Array:
    """Euclidean norm over the last axis, with gradient zero (not NaN) at the zero vector."""
    squared = dot(v, v)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def unit(v: jax.Array) -> jax.Array:
    """Directions of vectors `[..., k]`; zero of the zero vector, with gradient zero."""
    size = safe_norm(v)
    return scale_rows(v, safe_divide(jnp.ones_like(size), size))


def safe_divide(a: jax.Array, b: jax.Array) -> jax.Array:
    """Quotient a / b where b is not zero, else 0, with finite gradients."""
    nonzero = b != 0
    return jnp.where(nonzero, a / jnp.where(nonzero, b, 1.0), 0.0)


def clip(
    x: jax.Array,
    low: jax.Array | float | None = None,
    high: jax.Array | float | None = None,
) -> jax.Array:
    """X within [low, high], whose derivative at a bound is the one-sided one, into the range: 1.

    `jnp.clip`, `jnp.maximum` and `jnp.minimum` share a tie and have half of it there, which is no
    slope of either side; and a bound is where many values are: activations at their minimum,
    actions of 0 and 1.
    """
    if low is not None:
        x = jnp.where(x < low, low, x)
    return x if high is None else jnp.where(x > high, high, x)


def largest(values: jax.Array) -> jax.Array:
    """The largest of values of 0 or more, 0 of none, and NaN if any is.

    `jnp.max` passes over NaN on CPU where a batch has 4096 numbers or more (jaxlib 0.10.2,
    `findings/jax_large_max_drops_nan.sh`).
    """
    found = jnp.max(values, initial=0.0)
    return jnp.where(jnp.any(jnp.isnan(values)), jnp.nan, found)
