"""Time stepping for any state that is a pytree: explicit Runge-Kutta, linearly implicit, adaptive.

None of them knows what a muscle is. Explicit schemes ask for `rates(state)`; implicit ones for
`linearize(state)`, an object that offers the rates at a state and a solve with I − g A.

Source: Hairer and Wanner, Solving Ordinary Differential Equations II (linearly implicit and
W-methods); Simbody `RungeKuttaMersonIntegrator` and `AbstractIntegratorRep` for the step control.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

Tree = Any
Rates = Callable[[Tree], Tree]

_GAMMA = 1 - 0.5**0.5  # W2: makes the scheme L-stable
_LARGEST_ATTEMPTS = 100_000  # per control step; OpenSim needs about 30
_SMALLEST_FRACTION = 1e-9  # of a control step: below that the state is beyond rescue


class Implicit(Protocol):
    """Rates at one state with the stiff part of their Jacobian A."""

    def increment(self, g: float | jax.Array) -> Tree:
        """(I − g A)⁻¹ g f, with f the rates."""
        ...

    def solve(self, g: float | jax.Array, rhs: Tree) -> Tree:
        """(I − g A)⁻¹ rhs."""
        ...

    def rates(self) -> Tree:
        """The rates f themselves."""
        ...

    def damped(self, g: float | jax.Array) -> Tree:
        """1 − g times A's diagonal where it can steepen within a step, 1 elsewhere."""
        ...


def add(state: Tree, *terms: tuple[float | jax.Array, Tree]) -> Tree:
    """state + Σ factor · direction, leaf by leaf."""

    def leaf(value, *directions):
        for (factor, _), direction in zip(terms, directions, strict=True):
            value = value + factor * direction
        return value

    return jax.tree.map(leaf, state, *(direction for _, direction in terms))


def euler_step(rates: Rates, state: Tree, h: float) -> Tree:
    """One explicit Euler step."""
    return add(state, (h, rates(state)))


def rk4_step(rates: Rates, state: Tree, h: float) -> Tree:
    """One step of the classical fourth-order Runge-Kutta scheme."""
    f0 = rates(state)
    f1 = rates(add(state, (h / 2, f0)))
    f2 = rates(add(state, (h / 2, f1)))
    f3 = rates(add(state, (h, f2)))
    return add(state, (h / 6, f0), (h / 3, f1), (h / 3, f2), (h / 6, f3))


def x2_step(linearize: Callable[[Tree], Implicit], state: Tree, h: float) -> Tree:
    """Linearly implicit Euler, once in one step and once in two, extrapolated; second order.

    Two evaluations and three small solves. Where a stiff slope steepens within the step, the
    extrapolation is held back (β), lest the fast part overshoot.
    """
    start = linearize(state)
    whole = add(state, (1.0, start.increment(h)))
    middle = add(state, (1.0, start.increment(h / 2)))
    halfway = linearize(middle)
    halves = add(middle, (1.0, halfway.increment(h / 2)))

    def extrapolate(two, one, before, after):
        return two + jnp.clip(before / after, 0.0, 1.0) * (two - one)

    return jax.tree.map(extrapolate, halves, whole, start.damped(h / 2), halfway.damped(h / 2))


def w2_step(linearize: Callable[[Tree], Implicit], state: Tree, h: float) -> Tree:
    """Second-order W-method with one Jacobian: two evaluations and two solves.

    The change of a fiber's rate within the step is held back where its slope steepens.
    """
    g = _GAMMA * h
    start = linearize(state)
    k0 = jax.tree.map(lambda x: x / g, start.increment(g))
    end = linearize(add(state, (g, k0)))

    def filtered(late, early, before, after):
        ratio = before / after
        steep = jnp.minimum(ratio, 1.0)
        return jnp.where(after == 1, late, early + steep * (late - early))

    late = jax.tree.map(filtered, end.rates(), k0, start.damped(g), end.damped(g))
    weight = 1 / (2 * _GAMMA)

    def combined(f0, f1, k):
        return (2 - weight) * f0 + weight * f1 - k

    rhs = jax.tree.map(combined, start.rates(), late, k0)
    return add(state, (h, start.solve(g, rhs)))


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

    Returns:
      The state at the end and the step size to try next.
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
        proposed, error = _merson_step(rates, at.state, at.rates, H)
        norm = error_norm(at.state, error)
        step, accepted = _next_step(norm, accuracy, at.step, limited)
        elapsed = jnp.where(to_end, jnp.full_like(at.elapsed, duration), at.elapsed + H)

        def choose(new, old):
            return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), new, old)

        return _Attempt(
            state=choose(proposed, at.state),
            rates=choose(rates(proposed), at.rates),
            elapsed=jnp.where(accepted, elapsed, at.elapsed),
            step=step,
            attempts=at.attempts + 1,
        )

    start = _Attempt(state, first_rates, jnp.zeros_like(step), step, jnp.zeros((), jnp.int32))
    end = jax.lax.while_loop(unfinished, attempt, start)
    return end.state, end.step


def _merson_step(rates: Rates, y: Tree, f0: Tree, H: jax.Array) -> tuple[Tree, Tree]:
    """One step of Merson's scheme and its error estimate."""
    f1 = rates(add(y, (H / 3, f0)))
    f2 = rates(add(y, (H / 6, f0), (H / 6, f1)))
    f3 = rates(add(y, (H / 8, f0), (3 * H / 8, f2)))
    ya = add(y, (H / 2, f0), (-1.5 * H, f2), (2 * H, f3))
    f4 = rates(ya)
    y1 = add(y, (H / 6, f0), (2 * H / 3, f3), (H / 6, f4))
    return y1, jax.tree.map(lambda a, b: 0.2 * jnp.abs(a - b), y1, ya)


def _next_step(
    norm: jax.Array, accuracy: float, h: jax.Array, limited: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Simbody's controller: the next step size, and whether the attempt counts."""
    positive = jnp.isfinite(norm) & (norm > 0)
    factor = 0.9 * (accuracy / jnp.where(positive, norm, 1.0)) ** 0.25
    proposal = jnp.where(positive, factor, jnp.where(norm == 0, 5.0, 0.1)) * h
    hold = (proposal > h) & (limited | (proposal < 1.2 * h))
    proposal = jnp.where(hold, h, proposal)
    shrunk = jnp.where(norm <= accuracy, h, jnp.minimum(proposal, 0.9 * h))
    proposal = jnp.where(proposal < h, shrunk, proposal)
    proposal = jnp.clip(proposal, 0.1 * h, 5 * h)
    return proposal, proposal >= h
