"""Derivatives of tensions and of the rates of muscles' states, for the structured Jacobian.

Source: derived in docs/theory/integration.md, "Structured Jacobian".
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.layout import stage
from jaxosim.arrays.safe import clip
from jaxosim.muscles.muscle import MuscleClass, MuscleLengthInfo, MuscleMode


class FiberDerivatives(NamedTuple):
    """Derivatives of tension T (N), rate y of the contraction state, activation rate, `[muscle]`.

    The unit of the contraction state is c: m for a fiber length, 1 for a normalized tendon force.
    Those that may be None are zero for every muscle of the model if they are.
    """

    T_path: jax.Array  # N/m, by path length
    T_state: jax.Array  # N/c, by contraction state
    y_path: jax.Array  # c/(s·m)
    y_state: jax.Array  # 1/s; never positive
    y_activation: jax.Array  # c/s
    activation: jax.Array  # 1/s, of the activation rate by activation; never positive
    T_speed: jax.Array | None = None  # N·s/m, by lengthening speed: rigid tendons
    T_activation: jax.Array | None = None  # N, of rigid tendons
    y_speed: jax.Array | None = None  # c/m, of states other than fiber lengths


def fiber_derivatives(
    kind: MuscleClass,
    mode: MuscleMode,
    muscles: Any,
    length: MuscleLengthInfo,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    contraction: jax.Array,
    activation: jax.Array,
    excitation: jax.Array,
) -> FiberDerivatives:
    """Derivatives of muscles of one class that contract in one mode.

    Args:
      kind: their class.
      mode: their mode.
      muscles: their properties.
      length: position stage.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s).
      contraction: `[muscle]` the contraction state.
      activation: `[muscle]` (1), the state or the excitation.
      excitation: `[muscle]` (1).
    """
    if mode.contraction_state == "fiber_length":
        slopes = _through_the_tendon(
            mode, muscles, length, path_length, lengthening_speed, contraction, activation
        )
    else:
        slopes = _of_everything(
            mode, muscles, path_length, lengthening_speed, contraction, activation, excitation
        )
    rate = _slopes(lambda x: kind.activation_rate(muscles, x, excitation), activation)
    return FiberDerivatives(**slopes, activation=clip(rate, high=0.0))


def _through_the_tendon(
    mode: MuscleMode,
    muscles: Any,
    length: MuscleLengthInfo,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    fiber_length: jax.Array,
    activation: jax.Array,
) -> dict[str, jax.Array]:
    """Where the state is the fiber length, all but the slope of the activation rate.

    In two steps, so that XLA works out what the slopes share once: curves by lengths, then fiber
    velocity by curves.
    """
    strength = muscles.max_isometric_force
    curves_by_path = _slopes(
        lambda x: mode.realize_length(muscles, x, fiber_length).tendon_force_multiplier,
        path_length,
    )
    curves_by_fiber = _slopes(lambda x: mode.realize_length(muscles, path_length, x), fiber_length)

    def velocity(curves: MuscleLengthInfo, activation: jax.Array, fiber: jax.Array) -> jax.Array:
        return mode.realize_fiber_velocity(
            muscles, curves, lengthening_speed, activation, fiber
        ).fiber_velocity

    def by_tendon(tendon_force: jax.Array) -> jax.Array:
        curves = dataclasses.replace(length, tendon_force_multiplier=tendon_force)
        return velocity(curves, activation, fiber_length)

    one = jnp.ones_like(activation)
    _, by_fiber = jax.jvp(
        lambda curves, x: velocity(curves, activation, x),
        (length, fiber_length),
        (curves_by_fiber, one),
    )
    return dict(
        T_path=strength * curves_by_path,
        T_state=strength * curves_by_fiber.tendon_force_multiplier,
        y_path=curves_by_path * _slopes(by_tendon, length.tendon_force_multiplier),
        y_state=clip(by_fiber, high=0.0),
        y_activation=_slopes(lambda x: velocity(length, x, fiber_length), activation),
    )


def _of_everything(
    mode: MuscleMode,
    muscles: Any,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    contraction: jax.Array,
    activation: jax.Array,
    excitation: jax.Array,
) -> dict[str, jax.Array]:
    """Where tension and rate may depend on everything."""

    def evaluate(*at: jax.Array) -> tuple[jax.Array, jax.Array]:
        path, speed, state, active = at
        length = mode.realize_length(muscles, path, state)
        velocity = mode.realize_fiber_velocity(muscles, length, speed, active, state)
        dynamics = mode.realize_dynamics(muscles, length, velocity, active, excitation)
        tension = dynamics.tendon_force
        if mode.contraction_rate is None:
            return tension, jnp.zeros_like(tension)
        return tension, mode.contraction_rate(muscles, length, velocity, speed)

    at = path_length, lengthening_speed, contraction, activation

    def slopes(place: int) -> tuple[jax.Array, jax.Array]:
        return _slopes(lambda x: evaluate(*at[:place], x, *at[place + 1 :]), at[place])

    (T_path, y_path), (T_speed, y_speed), (T_state, y_state), (T_activation, y_activation) = map(
        slopes, range(len(at))
    )
    return dict(
        T_path=T_path,
        T_state=T_state,
        y_path=y_path,
        y_state=clip(y_state, high=0.0),
        y_activation=y_activation,
        T_speed=T_speed,
        T_activation=T_activation,
        y_speed=y_speed,
    )


@stage
def _slopes(function: Callable[[jax.Array], Any], x: jax.Array) -> Any:
    """Derivatives of an elementwise function."""
    return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]
