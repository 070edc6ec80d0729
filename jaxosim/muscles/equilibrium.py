"""Derivatives of the fiber lengths at which fiber and tendon carry the same force."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import safe_divide

_Arguments = TypeVar("_Arguments")


def with_derivative(
    length: jax.Array,
    force_error: Callable[[_Arguments, jax.Array], jax.Array],
    arguments: _Arguments,
) -> jax.Array:
    """The same fiber lengths, differentiable by the implicit function theorem.

    Args:
      length: `[muscle]` (m) where the error is zero, found by any iteration.
      force_error: fiber force along the tendon minus tendon force `[muscle]` (N), a function of
        (arguments, fiber length), elementwise in the length.
      arguments: what the lengths depend on.
    """
    one = jnp.ones_like(length)
    held = jax.lax.stop_gradient(arguments)
    _, slope = jax.jvp(lambda x: force_error(held, x), (length,), (one,))
    residual = force_error(arguments, length)
    # Adds zero, but carries the derivative −(∂e/∂θ)/(∂e/∂l) that the iteration cannot give.
    return length - safe_divide(residual - jax.lax.stop_gradient(residual), slope)
