"""Fiber lengths at which a Schutte1993Muscle_Deprecated is at rest, as OpenSim finds them.

The iteration stops within a hundredth of a newton, so its steps are followed one by one.

Source: OpenSim `Schutte1993Muscle_Deprecated`; see docs/theory/muscles.md,
"Schutte1993Muscle_Deprecated".
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.equilibrium import with_derivative
from jaxosim.muscles.pennation import fiber_width
from jaxosim.muscles.schutte1993.properties import Properties
from jaxosim.muscles.schutte1993.stages import (
    active_multiplier,
    cosine,
    passive_multiplier,
    realize_length,
    sine_of_pennation,
    tendon_multiplier,
)

_ROUNDS = 100
_TOLERANCE = 0.01  # N
_MODULUS_OVER_STRESS = 1200.0 / 32.0  # of tendons


class _Guess(NamedTuple):
    """An iterate, `[muscle]`."""

    fiber: jax.Array  # m
    cosine: jax.Array  # 1
    tendon: jax.Array  # m
    previous_fiber: jax.Array  # m
    error: jax.Array  # N
    round: jax.Array


def _with_tendon(
    muscles: Properties, path_length: jax.Array, fiber: jax.Array, low: bool
) -> tuple[jax.Array, ...]:
    """Fiber length, cosine and tendon length, the tendon not shorter than its slack length."""
    cos = cosine(sine_of_pennation(muscles, fiber))
    tendon = path_length - fiber * cos
    slack = tendon < muscles.tendon_slack_length
    along = path_length - muscles.tendon_slack_length
    wide = fiber_width(muscles)
    straight = jnp.cos(jnp.arctan2(wide, along))
    length = jnp.sqrt(along * along + wide * wide)
    length = clip(length, low=wide) if low else length
    return (
        jnp.where(slack, length, fiber),
        jnp.where(slack, straight, cos),
        jnp.where(slack, muscles.tendon_slack_length, tendon),
    )


def _improved(
    muscles: Properties, path_length: jax.Array, a: jax.Array, guess: _Guess
) -> tuple[_Guess, jax.Array]:
    """The next iterate, and whether this one will do, `[muscle]` bool."""
    strength, optimal = muscles.max_isometric_force, muscles.optimal_fiber_length
    normalized = guess.fiber / optimal
    overlap = active_multiplier(muscles, normalized)
    resting = passive_multiplier(muscles, normalized)
    pull = clip(overlap * a, low=0.0) + clip(resting, low=0.0)
    strained = tendon_multiplier(muscles, guess.tendon / muscles.tendon_slack_length - 1.0)
    error = strength * (strained - pull * guess.cosine)
    before = jnp.where(guess.round == 0, error, guess.error)
    crossed = (error < 0) != (before < 0)
    share = jnp.abs(error) / clip(jnp.abs(error) + jnp.abs(before), low=1e-30)
    between = guess.fiber + share * (guess.previous_fiber - guess.fiber)
    tendon_stiffness = strained * strength / muscles.tendon_slack_length
    least = pull * _MODULUS_OVER_STRESS * strength / muscles.tendon_slack_length
    stiffness = strength / optimal * (overlap + resting) / clip(guess.cosine, low=1e-30)
    stiffness = stiffness + jnp.maximum(tendon_stiffness, least)
    change = jnp.abs(error / jnp.where(stiffness == 0, 1e-30, stiffness))
    change = jnp.where(change / optimal > 0.5, 0.5 * optimal, change)
    fiber = jnp.where(crossed, between, guess.fiber + jnp.where(error > 0, change, -change))
    after = _Guess(
        *_with_tendon(muscles, path_length, fiber, low=False),
        previous_fiber=guess.fiber,
        error=error,
        round=guess.round + 1,
    )
    return after, jnp.abs(error) <= _TOLERANCE


def equilibrium(
    muscles: Properties,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    activation: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Fiber lengths that balance the tendons to 0.01 N, whatever the lengthening speeds.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s), without effect.
      activation: `[muscle]` (1).

    Returns:
      `[muscle]` (m), the muscle's width on a path shorter than the slack tendon, and `[muscle]`
      bool: false where a hundred rounds do not get there, of which OpenSim says nothing.
    """
    held = jax.lax.stop_gradient((muscles, path_length, activation))
    start = _Guess(
        *_with_tendon(held[0], held[1], held[0].optimal_fiber_length, low=True),
        previous_fiber=held[0].optimal_fiber_length,
        error=jnp.zeros_like(path_length),
        round=jnp.zeros_like(path_length),
    )

    def step(carry: tuple[_Guess, jax.Array], _: Any) -> tuple[tuple[_Guess, jax.Array], None]:
        guess, done = carry
        after, will_do = _improved(*held, guess)
        stops = done | will_do
        kept = jax.tree.map(lambda old, new: jnp.where(stops, old, new), guess, after)
        return (kept, stops), None

    done = jnp.zeros_like(path_length, bool)
    (last, found), _ = jax.lax.scan(step, (start, done), length=_ROUNDS)

    def error(arguments: tuple[Properties, jax.Array, jax.Array], fiber: jax.Array) -> jax.Array:
        muscles, path_length, a = arguments
        info = realize_length(muscles, path_length, fiber)
        pull = clip(info.active_force_length_multiplier, low=0.0) * a
        pull = pull + info.passive_force_multiplier
        along = pull * info.cos_pennation_angle
        return muscles.max_isometric_force * (along - info.tendon_force_multiplier)

    balanced = with_derivative(last.fiber, error, (muscles, path_length, activation))
    slack = path_length < muscles.tendon_slack_length
    return jnp.where(slack, fiber_width(muscles), balanced), found | slack
