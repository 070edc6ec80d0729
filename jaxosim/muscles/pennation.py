"""Pennation of a fiber of constant width.

Source: OpenSim `MuscleFixedWidthPennationModel`; see docs/theory/muscles.md, "Lengths and
pennation".
"""

from typing import Protocol

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide


class FixedWidth(Protocol):
    """Properties of muscles whose fibers keep their width, `[muscle]`."""

    @property
    def optimal_fiber_length(self) -> jax.Array:
        """Fiber length (m) at which the pennation is given."""
        ...

    @property
    def pennation_angle_at_optimal(self) -> jax.Array:
        """Pennation (rad) at that length."""
        ...


class Pennate(FixedWidth, Protocol):
    """The same of muscles whose fibers turn no further than to a largest angle."""

    @property
    def maximum_pennation_angle(self) -> jax.Array:
        """Largest pennation (rad)."""
        ...


def fiber_width(muscles: FixedWidth) -> jax.Array:
    """Width of the pennate fiber (m), which stays constant as it shortens."""
    return muscles.optimal_fiber_length * jnp.sin(muscles.pennation_angle_at_optimal)


def minimum_pennate_length(muscles: Pennate) -> jax.Array:
    """Fiber length (m) at the largest pennation angle; zero for a muscle without pennation."""
    return fiber_width(muscles) / jnp.sin(muscles.maximum_pennation_angle)


def sine_and_cosine(muscles: Pennate, fiber_length: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sine and cosine (1) of the pennation at a fiber length (m) of at least the minimum."""
    # No fiber is shorter than that, so that the sine keeps its slope at the largest angle.
    sine = clip(safe_divide(fiber_width(muscles), fiber_length), high=1.0)
    return sine, jnp.sqrt((1 - sine) * (1 + sine))


def length_beside_tendon(
    muscles: Pennate, path_length: jax.Array, tendon_length: jax.Array
) -> jax.Array:
    """Fiber length (m) in a path (m) beside a tendon of given length (m).

    The length at the largest pennation angle if the tendon leaves less.
    """
    shortest = minimum_pennate_length(muscles)
    along = path_length - tendon_length
    # As OpenSim; hypot would pass through infinity, an error where one looks for infinities.
    width = fiber_width(muscles)
    squared = width * width + along * along
    fits = (along >= shortest * jnp.cos(muscles.maximum_pennation_angle)) & (squared > 0)
    return jnp.where(fits, jnp.sqrt(jnp.where(fits, squared, 1.0)), shortest)
