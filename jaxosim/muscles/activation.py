"""Activation dynamics: first order, faster up than down.

Source: Thelen (2003); OpenSim `MuscleFirstOrderActivationDynamicModel` as in `Thelen2003Muscle`;
see docs/theory/muscles.md, "Activation".
"""

from typing import Protocol

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip


class FirstOrderActivation(Protocol):
    """Properties of the muscles whose activation is of first order, `[muscle]`."""

    @property
    def minimum_activation(self) -> jax.Array:
        """Least activation (1)."""
        ...

    @property
    def activation_time_constant(self) -> jax.Array:
        """While activation rises (s)."""
        ...

    @property
    def deactivation_time_constant(self) -> jax.Array:
        """While activation falls (s)."""
        ...


def clipped_activation(activation: jax.Array, muscles: FirstOrderActivation) -> jax.Array:
    """Activation as the muscle uses it (1): the state itself may leave [minimum, 1]."""
    return clip(activation, muscles.minimum_activation, 1.0)


def first_order_rate(
    activation: jax.Array, excitation: jax.Array, muscles: FirstOrderActivation
) -> jax.Array:
    """Rate of activation (1/s).

    Args:
      activation: `[muscle]` (1) the state.
      excitation: `[muscle]` (1); used as it is, not clipped.
      muscles: properties.
    """
    a = clipped_activation(activation, muscles)
    pace = 0.5 + 1.5 * a
    rising = excitation > a
    time_constant = jnp.where(
        rising,
        muscles.activation_time_constant * pace,
        muscles.deactivation_time_constant / pace,
    )
    return (excitation - a) / time_constant
