"""Runge-Kutta-Merson with error control: the reference integrator, as OpenSim's.

Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I; Simbody
`RungeKuttaMersonIntegrator` and `AbstractIntegratorRep` for the step control; see
docs/theory/integration.md, "Runge-Kutta-Merson".
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip
from jaxosim.integrators.explicit import Rates, Tree

_LARGEST_ATTEMPTS = 100_000  # per control step; OpenSim needs about 30
_SMALLEST_FRACTION = 1e-15  # of a control step; a jump of force can ask for 1e-9


class _Attempt(NamedTuple):
    """Where the adaptive integrator stands within a control step."""

    state: Tree
    rates: Tree  # at the state
    elapsed: jax.Array  # s
    step: jax.Array  # s, proposed by the controller
    attempts: jax.Array


def merson_integrate(
    rates: Rates,
    error_norm: Callable[[Tree, Tree], jax.Array],
    state: Tree,
    first_rates: Tree,
    duration: float,
    accuracy: float,
    step: jax.Array,
    project: Callable[[Tree, Tree], tuple[Tree, Tree]] = lambda state, error: (state, error),
) -> tuple[Tree, jax.Array]:
    """Runge-Kutta-Merson with Simbody's step control, over one control step.

    No reverse-mode gradient: the number of steps depends on the state. Forward mode works.

    Args:
      rates: state derivative.
      error_norm: (state at the start of a step, error) to a number to compare with accuracy.
      state: at the beginning.
      first_rates: rates to use at the beginning.
      duration: (s) length of the control step; no internal step passes its end.
      accuracy: largest error norm per step.
      step: (s) first step to try.
      project: (state, error) to a state on the invariants that the exact solution has, and the
        error without what the projection removes.

    Returns:
      The state at the end, NaN if no step was small enough to get there; the step size to try next.
    """
    smallest = _SMALLEST_FRACTION * duration

    def unfinished(at: _Attempt) -> jax.Array:
        alive = (at.attempts < _LARGEST_ATTEMPTS) & (at.step > smallest)
        return (at.elapsed < duration) & alive

    def attempt(at: _Attempt) -> _Attempt:
        left = duration - at.elapsed
        limited = left < 0.95 * at.step
        to_end = limited | (left <= 1.001 * at.step)
        H = jnp.where(to_end, left, at.step)
        proposed, slopes, error = _merson_step(rates, at.state, at.rates, H)
        proposed, error = project(proposed, error)
        norm = error_norm(at.state, error)
        step, accepted = _next_step(norm, accuracy, at.step, limited)
        elapsed = jnp.where(to_end, jnp.full_like(at.elapsed, duration), at.elapsed + H)

        def choose(new, old):
            return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), new, old)

        return _Attempt(
            state=choose(proposed, at.state),
            rates=choose(slopes, at.rates),
            elapsed=jnp.where(accepted, elapsed, at.elapsed),
            step=step,
            attempts=at.attempts + 1,
        )

    start = _Attempt(state, first_rates, jnp.zeros_like(step), step, jnp.zeros((), jnp.int32))
    end = jax.lax.while_loop(unfinished, attempt, start)
    arrived = end.elapsed >= duration
    return jax.tree.map(lambda x: jnp.where(arrived, x, jnp.nan), end.state), end.step


# Merson's scheme: point i is y + H Σ row[i][j] f_j; points 3 and 4 are the two results compared.
_MERSON = (
    (1 / 3, 0.0, 0.0, 0.0, 0.0),
    (1 / 6, 1 / 6, 0.0, 0.0, 0.0),
    (1 / 8, 0.0, 3 / 8, 0.0, 0.0),
    (1 / 2, 0.0, -3 / 2, 2.0, 0.0),
    (1 / 6, 0.0, 0.0, 2 / 3, 1 / 6),
)


def _merson_step(rates: Rates, y: Tree, f0: Tree, H: jax.Array) -> tuple[Tree, Tree, Tree]:
    """One step of Merson's scheme: result, rates there, and error estimate.

    A scan over the stages, so that the derivative is compiled once.
    """
    count = len(_MERSON)

    def point_of(row, slopes):
        return jax.tree.map(lambda at, f: at + H * jnp.tensordot(row, f, axes=1), y, slopes)

    def stage(slopes, given):
        row, place = given
        point = point_of(row, slopes)
        slope = rates(point)
        # The last slope has no use within the step and goes where the first one stood.
        return jax.tree.map(lambda f, new: f.at[place].set(new), slopes, slope), point

    slopes = jax.tree.map(lambda f: jnp.zeros((count,) + f.shape, f.dtype).at[0].set(f), f0)
    rows = jnp.asarray(_MERSON, H.dtype)
    slopes, points = jax.lax.scan(stage, slopes, (rows, (jnp.arange(count) + 1) % count))
    ya, y1 = jax.tree.map(lambda p: p[3], points), jax.tree.map(lambda p: p[4], points)
    return (
        y1,
        jax.tree.map(lambda f: f[0], slopes),
        jax.tree.map(lambda a, b: 0.2 * jnp.abs(a - b), y1, ya),
    )


def _next_step(
    norm: jax.Array, accuracy: float, h: jax.Array, limited: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Simbody's controller: the next step size, and whether the attempt counts."""
    positive = jnp.isfinite(norm) & (norm > 0)
    factor = 0.9 * (accuracy / jnp.where(positive, norm, 1.0)) ** 0.25
    proposal = jnp.where(positive, factor, jnp.where(norm == 0, 5.0, 0.1)) * h
    hold = (proposal > h) & (limited | (proposal < 1.2 * h))
    proposal = jnp.where(hold, h, proposal)
    shrunk = jnp.where(norm <= accuracy, h, clip(proposal, high=0.9 * h))
    proposal = jnp.where(proposal < h, shrunk, proposal)
    proposal = clip(proposal, 0.1 * h, 5 * h)
    return proposal, proposal >= h
