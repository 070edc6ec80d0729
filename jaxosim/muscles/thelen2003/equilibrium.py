"""Fiber length at which fiber and tendon agree, found exactly as OpenSim finds it.

A damped Newton iteration on the force error, with OpenSim's tolerances, step halving and sharing of
the path's speed between fiber and tendon: the result equals `equilibrateMuscles` to the last steps
of the iteration, not only to its tolerance. Derivatives are taken with the shared speed held.

Source: OpenSim `Thelen2003Muscle::computeInitialFiberEquilibrium`; see docs/theory/muscles.md,
"Equilibrium".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.muscles.activation import clipped_activation
from jaxosim.muscles.equilibrium import with_derivative
from jaxosim.muscles.muscle import MuscleLengthInfo
from jaxosim.muscles.pennation import fiber_width, minimum_pennate_length
from jaxosim.muscles.thelen2003.curves import normalized_fiber_velocity
from jaxosim.muscles.thelen2003.properties import Properties
from jaxosim.muscles.thelen2003.stages import realize_length

_LARGEST_ROUNDS = 20
_LARGEST_INVERSION_ROUNDS = 100
_SIGNIFICANT = 2.220446049250313e-16 ** (7 / 8)  # Simbody's SignificantReal
_SMALLEST_STEP = 2.220446049250313e-16**0.5


class _Iterate(NamedTuple):
    """One muscle's Newton iterate."""

    length: jax.Array  # fiber length (m)
    error: jax.Array  # force error (N)
    multiplier: jax.Array  # force-velocity multiplier (1)
    jacobian: jax.Array  # of the error by fiber length (N/m)
    rounds: jax.Array


def _fiber_force(
    muscle: Properties, info: MuscleLengthInfo, a: jax.Array, multiplier: jax.Array
) -> jax.Array:
    """Fiber force (N) at a given force-velocity multiplier."""
    active = a * info.active_force_length_multiplier * multiplier
    return muscle.max_isometric_force * (active + info.passive_force_multiplier)


def _force_error(
    muscle: Properties,
    path_length: jax.Array,
    a: jax.Array,
    multiplier: jax.Array,
    fiber_length: jax.Array,
) -> jax.Array:
    """Fiber force along the tendon minus tendon force (N)."""
    info = realize_length(muscle, path_length, fiber_length)
    fiber = _fiber_force(muscle, info, a, multiplier) * info.cos_pennation_angle
    return fiber - muscle.max_isometric_force * info.tendon_force_multiplier


def _tolerance(muscle: Properties) -> jax.Array:
    """Largest force error (N) that counts as equilibrium: OpenSim's, or what float32 can tell."""
    relative = 1e-8 if muscle.max_isometric_force.dtype == jnp.float64 else 4e-6
    return clip(relative * muscle.max_isometric_force, low=10 * _SIGNIFICANT)


def _invert_force_velocity(
    muscle: Properties, available: jax.Array, a: jax.Array, target: jax.Array
) -> jax.Array:
    """Force-velocity multiplier at a normalized fiber velocity, by OpenSim's Newton iteration."""
    tolerance = _tolerance(muscle)

    def velocity(force):
        return normalized_fiber_velocity(force, available, a, muscle)

    def unfinished(carry):
        _, residual, rounds = carry
        return (jnp.abs(residual) >= tolerance) & (rounds < _LARGEST_INVERSION_ROUNDS)

    def improve(carry):
        force, _, rounds = carry
        value, slope = jax.jvp(velocity, (force,), (jnp.ones_like(force),))
        residual = value - target
        steep = jnp.abs(slope) > _SIGNIFICANT
        step = jnp.where(steep, residual / jnp.where(steep, slope, 1.0), 0.0)
        return force - step, residual, rounds + 1

    # Not infinite: that would be an error to those who look for infinities by `jax_debug_infs`.
    unknown = jnp.full_like(available, float(jnp.finfo(available.dtype).max))
    start = available, unknown, jnp.zeros((), jnp.int32)
    force, _, _ = jax.lax.while_loop(unfinished, improve, start)
    return clip(safe_divide(force, available), low=0.0)


def _partials(
    muscle: Properties,
    path_length: jax.Array,
    a: jax.Array,
    fiber_length: jax.Array,
    multiplier: jax.Array,
    fiber_force: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Jacobian of the error, and the stiffnesses by which speed is shared (all N/m)."""
    info = realize_length(muscle, path_length, fiber_length)
    one = jnp.ones_like(fiber_length)

    def curves(length):
        at = realize_length(muscle, path_length, length)
        return (
            _fiber_force(muscle, at, a, multiplier),
            muscle.max_isometric_force * at.tendon_force_multiplier,
        )

    _, (fiber_stiffness, _) = jax.jvp(curves, (fiber_length,), (one,))
    _, tendon_stiffness = jax.jvp(
        lambda path: (
            muscle.max_isometric_force
            * realize_length(muscle, path, fiber_length).tendon_force_multiplier
        ),
        (path_length,),
        (one,),
    )
    h, c, s = fiber_width(muscle), info.cos_pennation_angle, info.sin_pennation_angle
    # 0/0 for a fiber without pennation and length: OpenSim's step is then NaN, and so is ours, so
    # that such a muscle stays at its bound. Said at the end, since a fused kernel takes zero times
    # anything for zero.
    turn = h / (info.fiber_length * jnp.sqrt((1 - s) * (1 + s)))
    bend = fiber_force * turn * h / info.fiber_length**2
    along = fiber_stiffness * c + bend
    tendon_slope = tendon_stiffness * (-c - s * turn)
    has_length = info.fiber_length != 0
    jacobian = jnp.where(has_length, along - tendon_slope, jnp.nan)
    return jacobian, jnp.where(has_length, along * c, jnp.nan), tendon_stiffness


def _shared_multiplier(
    muscle: Properties,
    path_length: jax.Array,
    speed: jax.Array,
    a: jax.Array,
    fiber_length: jax.Array,
    stiffness: tuple[jax.Array, jax.Array],
) -> jax.Array:
    """Force-velocity multiplier when fiber and tendon share the path's speed by stiffness."""
    info = realize_length(muscle, path_length, fiber_length)
    fiber, tendon = stiffness
    total = fiber + tendon
    shares = (jnp.abs(total) > _SIGNIFICANT) & (info.tendon_length > muscle.tendon_slack_length)
    tendon_speed = jnp.where(shares, speed * safe_divide(fiber, total), speed)
    fiber_speed = (speed - tendon_speed) * info.cos_pennation_angle
    scale = muscle.max_contraction_velocity * muscle.optimal_fiber_length
    available = a * info.active_force_length_multiplier
    return _invert_force_velocity(muscle, available, a, fiber_speed / scale)


def _line_search(muscle, path_length, a, iterate: _Iterate) -> tuple[jax.Array, jax.Array]:
    """Newton step, halved until the error falls; fiber length and error."""
    shortest = minimum_pennate_length(muscle)

    def worse(carry):
        _, error, halving, stop = carry
        return (jnp.abs(error) >= jnp.abs(iterate.error)) & ~stop

    def attempt(carry):
        _, _, halving, _ = carry
        step = -halving * iterate.error / iterate.jacobian
        tiny = ~(jnp.abs(step) > _SIGNIFICANT)
        nudge = jnp.where(jnp.isnan(step), 0.0, jnp.sign(step)) * _SMALLEST_STEP
        halving = jnp.where(tiny, 0.0, halving)
        length = iterate.length + jnp.where(tiny, -nudge, step)
        length = clip(length, low=shortest)
        error = _force_error(muscle, path_length, a, iterate.multiplier, length)
        return length, error, halving / 2, halving <= _SMALLEST_STEP

    one = jnp.ones_like(iterate.length)
    start = iterate.length, iterate.error, one, jnp.zeros((), bool)
    length, error, _, _ = jax.lax.while_loop(worse, attempt, start)
    return length, error


def _solve(
    muscle: Properties, path_length: jax.Array, speed: jax.Array, a: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Fiber length and force-velocity multiplier of one muscle, and whether they balance."""
    shortest = minimum_pennate_length(muscle)
    along = path_length - 1.01 * muscle.tendon_slack_length
    fits = along >= shortest * jnp.cos(muscle.maximum_pennation_angle)
    # As OpenSim; hypot would pass through infinity, an error where one looks for infinities.
    width = fiber_width(muscle)
    length = jnp.where(fits, jnp.sqrt(width * width + along * along), shortest)
    one, zero = jnp.ones_like(length), jnp.zeros_like(length)

    def renewed(length, error, multiplier, fiber_force, rounds):
        jacobian, *stiffness = _partials(muscle, path_length, a, length, multiplier, fiber_force)
        renewed_multiplier = _shared_multiplier(
            muscle, path_length, speed, a, length, (stiffness[0], stiffness[1])
        )
        return _Iterate(length, error, renewed_multiplier, jacobian, rounds)

    def force_at(length, multiplier):
        return _fiber_force(muscle, realize_length(muscle, path_length, length), a, multiplier)

    first = renewed(length, zero, one, zero, jnp.zeros((), jnp.int32))
    error = _force_error(muscle, path_length, a, first.multiplier, length)
    force = force_at(length, first.multiplier)
    jacobian, _, _ = _partials(muscle, path_length, a, length, first.multiplier, force)
    first = first._replace(error=error, jacobian=jacobian)
    tolerance = _tolerance(muscle)

    def unfinished(iterate):
        return (jnp.abs(iterate.error) > tolerance) & (iterate.rounds < _LARGEST_ROUNDS)

    def improve(iterate):
        length, error = _line_search(muscle, path_length, a, iterate)
        force = force_at(length, iterate.multiplier)
        return renewed(length, error, iterate.multiplier, force, iterate.rounds + 1)

    last = jax.lax.while_loop(unfinished, improve, first)
    # At its minimal length a fiber rests as long as it would shorten further.
    rests = (last.length <= shortest) & (last.error > 0)
    return last.length, last.multiplier, (jnp.abs(last.error) <= tolerance) | rests


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
      lengthening_speed: `[muscle]` (m/s); OpenSim's heuristic shares it between fiber and tendon,
        so that only at rest the result is an exact equilibrium.
      activation: `[muscle]` (1).

    Returns:
      `[muscle]` (m), and `[muscle]` bool: false for a muscle without solution, such as one whose
      path is far too long, for which OpenSim's `equilibrateMuscles` raises. It keeps the last
      iterate. One shorter than its slack tendon rests at its minimal length, an equilibrium.
    """
    a = clipped_activation(activation, muscles)
    held = jax.lax.stop_gradient((muscles, path_length, lengthening_speed, a))
    length, multiplier, found = jax.vmap(_solve)(*held)

    def error(arguments: tuple[Properties, jax.Array, jax.Array], length: jax.Array) -> jax.Array:
        muscles, path_length, a = arguments
        return _force_error(muscles, path_length, a, multiplier, length)

    return with_derivative(length, error, (muscles, path_length, a)), found
