"""Time stepping for any state that is a pytree: explicit Runge-Kutta, linearly implicit, adaptive.

None of them knows what a muscle is. Explicit schemes ask for `rates(state)`; implicit ones for
`evaluate(state)`, an object that offers the rates at a state and a solve with I − g A.

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
_X2_GAMMA = 0.8  # of h: less is more accurate, more damps what is stiff better (to 0.375 a step)
_LARGEST_ATTEMPTS = 100_000  # per control step; OpenSim needs about 30
_SMALLEST_FRACTION = 1e-15  # of a control step; a jump of force can ask for 1e-9


class Jacobian(Protocol):
    """The stiff part A of the rates' Jacobian at one state, with the rates f there."""

    def increment(self, g: float | jax.Array) -> Tree:
        """(I − g A)⁻¹ g f."""
        ...

    def solve(self, g: float | jax.Array, rhs: Tree) -> Tree:
        """(I − g A)⁻¹ rhs."""
        ...


class Implicit(Protocol):
    """What linearly implicit schemes ask of one state."""

    def rates(self) -> Tree:
        """The rates f."""
        ...

    def damped(self, g: float | jax.Array) -> Tree:
        """1 − g times A's diagonal where it can steepen within a step, 1 elsewhere."""
        ...

    def jacobian(self) -> Jacobian:
        """A, which costs more than its diagonal."""
        ...


def add(state: Tree, *terms: tuple[float | jax.Array, Tree]) -> Tree:
    """State + Σ factor · direction, leaf by leaf."""

    def leaf(value, *directions):
        for (factor, _), direction in zip(terms, directions, strict=True):
            value = value + factor * direction
        return value

    return jax.tree.map(leaf, state, *(direction for _, direction in terms))


def euler_steps(rates: Rates, state: Tree, h: float, count: int) -> Tree:
    """Explicit Euler."""
    return repeated(lambda at: add(at, (h, rates(at))), state, count)


def rk4_steps(rates: Rates, state: Tree, h: float, count: int) -> Tree:
    """The classical fourth-order Runge-Kutta scheme."""

    def step(at: Tree) -> Tree:
        stages = jnp.array([0.0, h / 2, h / 2, h]), jnp.array([h / 6, h / 3, h / 3, h / 6])

        def stage(carry, factors):
            direction, end = carry
            ahead, weight = factors
            slope = rates(add(at, (ahead, direction)))
            return (slope, add(end, (weight, slope))), None

        zero = jax.tree.map(jnp.zeros_like, at)
        factors = jax.tree.map(lambda f: f.astype(jax.tree.leaves(at)[0].dtype), stages)
        (_, end), _ = jax.lax.scan(stage, (zero, at), factors)
        return end

    return repeated(step, state, count)


class _Half(NamedTuple):
    """Between the two evaluations of an X2 step: where the second one is, and what is kept."""

    point: Tree  # where to evaluate next
    whole: Tree  # the result in one step
    damped: Tree  # 1 − γ h/2 · A's diagonal at the start


def x2_steps(evaluate: Callable[[Tree], Implicit], state: Tree, h: float, count: int) -> Tree:
    """Linearly implicit Euler, once in one step and once in two, extrapolated; second order.

    The solve takes γ h for h, which leaves less of the error of third order than h itself does (at
    γ = 0.8 half of it in a stiff direction). Two evaluations and three small solves a step. Where a
    stiff slope steepens within the step, the extrapolation is held back, lest the fast part
    overshoot. One scan over the half steps of all steps, so that the evaluation is compiled once;
    reverse mode keeps one state per half step and works the rest out again.
    """

    def euler(at: Tree, A: Jacobian, h: float) -> Tree:
        return add(at, (1 / _X2_GAMMA, A.increment(_X2_GAMMA * h)))

    def first(at: _Half, here: Implicit, A: Jacobian, half: Tree) -> _Half:
        return _Half(half, euler(at.point, A, h), here.damped(_X2_GAMMA * h / 2))

    def second(at: _Half, here: Implicit, half: Tree) -> _Half:
        def extrapolate(two, one, before, after):
            return two + jnp.clip(before / after, 0.0, 1.0) * (two - one)

        after = here.damped(_X2_GAMMA * h / 2)
        return _Half(jax.tree.map(extrapolate, half, at.whole, at.damped, after), *at[1:])

    @jax.checkpoint
    def half_step(at: _Half, starts: jax.Array) -> tuple[_Half, None]:
        here = evaluate(at.point)
        A = here.jacobian()
        half = euler(at.point, A, h / 2)
        return jax.lax.cond(
            starts, lambda: first(at, here, A, half), lambda: second(at, here, half)
        ), None

    # What is not kept yet is a state too, not a constant, which vmap would trace the loop anew for.
    starts = jnp.arange(2 * count) % 2 == 0
    end, _ = jax.lax.scan(half_step, _Half(state, state, state), starts)
    return end.point


def w2_steps(evaluate: Callable[[Tree], Implicit], state: Tree, h: float, count: int) -> Tree:
    """Second-order W-method with one Jacobian a step: two evaluations and two solves.

    The change of a fiber's rate within the step is held back where its slope steepens. The two
    evaluations are compiled each: a loop over them, as in X2, would have to carry the Jacobian,
    which costs a fifth of the speed and saves four seconds of compilation.
    """
    return repeated(lambda at: _w2_step(evaluate, at, h), state, count)


def repeated(step: Callable[[Tree], Tree], state: Tree, count: int) -> Tree:
    """The same step many times; reverse mode keeps one state per step."""
    once = jax.checkpoint(step)
    end, _ = jax.lax.scan(lambda at, _: (once(at), None), state, None, length=count)
    return end


def _w2_step(evaluate: Callable[[Tree], Implicit], state: Tree, h: float) -> Tree:
    g, weight = _GAMMA * h, 1 / (2 * _GAMMA)
    start = evaluate(state)
    A = start.jacobian()
    k0 = jax.tree.map(lambda x: x / g, A.increment(g))
    end = evaluate(add(state, (g, k0)))

    def filtered(late, early, before, after):
        return early + jnp.minimum(before / after, 1.0) * (late - early)

    def combined(f0, f1, k):
        return (2 - weight) * f0 + weight * f1 - k

    late = jax.tree.map(filtered, end.rates(), k0, start.damped(g), end.damped(g))
    return add(state, (h, A.solve(g, jax.tree.map(combined, start.rates(), late, k0))))


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
    shrunk = jnp.where(norm <= accuracy, h, jnp.minimum(proposal, 0.9 * h))
    proposal = jnp.where(proposal < h, shrunk, proposal)
    proposal = jnp.clip(proposal, 0.1 * h, 5 * h)
    return proposal, proposal >= h
