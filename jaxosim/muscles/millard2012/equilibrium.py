"""Fiber length at which fiber and tendon carry the same force, found exactly as OpenSim finds it.

A damped Newton iteration on the force error of the muscle at rest, with OpenSim's tolerances and
step halving: the result equals `equilibrateMuscles` to the last steps of the iteration, not only to
its tolerance. OpenSim holds the fiber still here, whatever the speed of the path.

Source: OpenSim `Millard2012EquilibriumMuscle::computeInitialFiberEquilibrium`; see
docs/theory/muscles.md, "Equilibrium of Millard's muscle".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.muscles.activation import clipped_activation
from jaxosim.muscles.equilibrium import with_derivative
from jaxosim.muscles.millard2012.properties import Properties
from jaxosim.muscles.millard2012.stages import SIGNIFICANT, minimum_fiber_length, realize_length
from jaxosim.muscles.pennation import length_beside_tendon

_LARGEST_ROUNDS = 200
_SMALLEST_STEP = 2.220446049250313e-16**0.5


class _Iterate(NamedTuple):
    """One muscle's Newton iterate, and how much of the next step is tried."""

    length: jax.Array  # fiber length (m)
    error: jax.Array  # force error (N)
    slope: jax.Array  # of the error by fiber length (N/m)
    part: jax.Array  # of the Newton step
    rounds: jax.Array
    done: jax.Array


def _force_error(
    muscle: Properties, path_length: jax.Array, a: jax.Array, fiber_length: jax.Array
) -> jax.Array:
    """Fiber force at rest, along the tendon, minus tendon force (N)."""
    info = realize_length(muscle, path_length, fiber_length)
    fiber = a * info.active_force_length_multiplier + info.passive_force_multiplier
    along = fiber * info.cos_pennation_angle
    return muscle.max_isometric_force * (along - info.tendon_force_multiplier)


def _tolerance(muscle: Properties) -> jax.Array:
    """Largest force error (N) that counts as equilibrium: OpenSim's, or what float32 can tell."""
    relative = 1e-8 if muscle.max_isometric_force.dtype == jnp.float64 else 4e-6
    return clip(relative * muscle.max_isometric_force, low=10 * SIGNIFICANT)


def _solve(muscle: Properties, path_length: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Fiber length of one muscle, and whether it balances."""
    shortest, tolerance = minimum_fiber_length(muscle), _tolerance(muscle)
    dtype = muscle.max_isometric_force.dtype
    # OpenSim differs: without fiber force and tendon force its slopes are rounding, of either sign,
    # and if it is negative the iteration fails; here such a fiber shortens to its least length.
    flat = float(jnp.finfo(dtype).tiny) ** 0.5

    def attempt(last: _Iterate) -> _Iterate:
        """Part of a Newton step: taken if the error falls, else half of it is next."""
        step = -last.part * last.error / jnp.where(last.slope == 0, flat, last.slope)
        tiny = ~(jnp.abs(step) > SIGNIFICANT)
        part = jnp.where(tiny, 0.0, last.part)
        step = jnp.where(tiny, -jnp.sign(step) * _SMALLEST_STEP, step)
        length = clip(last.length + step, low=shortest)
        error, slope = jax.jvp(
            lambda length: _force_error(muscle, path_length, a, length),
            (length,),
            (jnp.ones_like(length),),
        )
        taken = (jnp.abs(error) < jnp.abs(last.error)) | (part <= _SMALLEST_STEP)
        rounds = jnp.where(taken, last.rounds + 1, last.rounds)
        # The iteration has no memory: a length that stays will stay.
        stays = (length == last.length) & (last.rounds > 0)
        ended = (jnp.abs(error) <= tolerance) | stays | (rounds > _LARGEST_ROUNDS)
        return _Iterate(
            length=jnp.where(taken, length, last.length),
            error=jnp.where(taken, error, last.error),
            slope=jnp.where(taken, slope, last.slope),
            part=jnp.where(taken, 1.0, part / 2),
            rounds=rounds,
            done=taken & ended,
        )

    slack = 1.01 * muscle.tendon_slack_length
    length = clip(length_beside_tendon(muscle, path_length, slack), low=shortest)
    one, zero = jnp.ones_like(length), jnp.zeros_like(length)
    # Nothing of a step is the first attempt, which evaluates the start.
    start = _Iterate(length, one, one, zero, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    last = jax.lax.while_loop(lambda iterate: ~iterate.done, attempt, start)
    # At its minimal length a fiber rests, whatever its force there.
    return last.length, (jnp.abs(last.error) <= tolerance) | (last.length <= shortest)


def equilibrium(
    muscles: Properties,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    activation: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Fiber lengths at which fiber and tendon carry the same force, and whether they do.

    Args:
      muscles: properties.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s); without effect, as in OpenSim.
      activation: `[muscle]` (1).

    Returns:
      `[muscle]` (m), and `[muscle]` bool: false for a muscle without solution, for which OpenSim's
      `equilibrateMuscles` raises. It keeps the last iterate. One shorter than its slack tendon
      rests at its minimal length, an equilibrium.
    """
    a = clipped_activation(activation, muscles)
    held = jax.lax.stop_gradient((muscles, path_length, a))
    length, found = jax.vmap(_solve)(*held)

    def error(arguments: tuple[Properties, jax.Array, jax.Array], length: jax.Array) -> jax.Array:
        return _force_error(*arguments, length)

    return with_derivative(length, error, (muscles, path_length, a)), found
