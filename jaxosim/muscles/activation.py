"""Activation dynamics: first order, faster up than down.

Source: Thelen (2003); OpenSim `MuscleFirstOrderActivationDynamicModel` as in `Thelen2003Muscle`;
De Groote and Fregly (2016); see docs/theory/muscles.md, "Activation" and
"DeGrooteFregly2016Muscle".
"""

from typing import Protocol

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide


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


class SmoothActivation(Protocol):
    """Properties of the muscles whose activation has no kink, `[muscle]`."""

    @property
    def activation_time_constant(self) -> jax.Array:
        """While activation rises (s)."""
        ...

    @property
    def deactivation_time_constant(self) -> jax.Array:
        """While activation falls (s)."""
        ...

    @property
    def activation_dynamics_smoothing(self) -> jax.Array:
        """Steepness of the passage from one to the other (1)."""
        ...


def smooth_rate(
    activation: jax.Array, excitation: jax.Array, muscles: SmoothActivation
) -> jax.Array:
    """Rate of activation (1/s), with a smooth passage from one time constant to the other.

    Args:
      activation: `[muscle]` (1) the state, not clipped.
      excitation: `[muscle]` (1), not clipped.
      muscles: properties.
    """
    missing = excitation - activation
    pace = 0.5 + 1.5 * activation
    share = 0.5 * jnp.tanh(muscles.activation_dynamics_smoothing * missing)
    up = safe_divide(0.5 + share, muscles.activation_time_constant * pace)
    return (up + (0.5 - share) * pace / muscles.deactivation_time_constant) * missing
