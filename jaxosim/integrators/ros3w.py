"""ROS3w, a linearly implicit method of third order, in steps that end at events.

It knows nothing of muscles: it asks a `Problem` for the rates f at a state, for solves with
W = I − g A, where A is the stiff part of the rates' Jacobian, and for the events that lie ahead,
where the rates jump. Each step takes two evaluations, one A and three solves with one matrix. With
the whole Jacobian for A the order is three, with any other A two, and what is infinitely stiff in A
is damped at once.

What is added to the published scheme:
* A step that would pass an event ends at it, and the steps left share the time that is left. A jump
  of force within a step makes an error of first order, whatever the method.
* The first two steps are short: new controls excite the fast components.
* Rates that steepen within a step, and changes much beyond those of the first stage, are limited:
  both come from forces that A does not contain.

Source: Rang and Angermann, New Rosenbrock W-methods of order 3 for partial differential algebraic
equations of index 1, BIT 45 (2005) 761-787; the additions are derived in
docs/theory/integration.md, "ROS3w" and "Events".
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.layout import materialize
from jaxosim.arrays.safe import clip
from jaxosim.integrators.explicit import Tree, add

# The scheme's coefficients: γ and γ_ij, the place of the second evaluation, the weights.
_GAMMAS = np.array(
    [
        [0.43586652150845906, 0.0, 0.0],
        [0.3635068368900681, 0.43586652150845906, 0.0],
        [-0.8996866791992636, -0.1537997822626885, 0.43586652150845906],
    ]
)
_PLACE, _WEIGHTS = 2 / 3, np.array([1 / 4, 1 / 4, 1 / 2])
# The same for u_i = h Σ γ_ij k_j: (I − γ h A) u_i = γ (h f_i + Σ c u_j) needs no product with A.
_INVERSE = np.linalg.inv(_GAMMAS)
_GAMMA = float(_GAMMAS[0, 0])
_AHEAD = _PLACE / _GAMMA
_SECOND, _THIRD = ((-_GAMMA * _INVERSE)[i, :i].tolist() for i in (1, 2))  # γ c
_RESULT = (_WEIGHTS @ _INVERSE).tolist()

_FIRST_SHARES = (0.25, 0.5)  # of a full step that the first steps take
_NOW = 0.01  # of a step: an event so close counts as passed
_MISSED = 0.1  # of a step that ended at an event: so close to it counts as beyond
_LARGER = 0.3  # the later stages may change the result by so much of the first stage's change
_LEAST = 0.03  # ... and by so much of the speeds


class IterationMatrix(Protocol):
    """W = I − g A with A, the stiff part of the rates' Jacobian, and the rates f at one state."""

    def first_stage(self) -> Tree:
        """W⁻¹ g f."""
        ...

    def solve(self, rhs: Tree) -> Tree:
        """W⁻¹ rhs."""
        ...


class Evaluation(Protocol):
    """A problem evaluated at one state."""

    def rates(self) -> Tree:
        """The rates f."""
        ...

    def fiber_diagonal(self, g: jax.Array) -> Tree:
        """1 − g times A's diagonal where it can steepen within a step, 1 elsewhere."""
        ...

    def iteration_matrix(self, h: jax.Array, g: jax.Array) -> IterationMatrix:
        """W = I − g A, with A for a step of h."""
        ...

    def norm(self, change: Tree) -> jax.Array:
        """A norm of the speeds in a change of the state."""
        ...


class Problem(Protocol):
    """An initial value problem whose rates have a stiff part, and jump at events."""

    def active_points(self, state: Tree, lead_time: jax.Array) -> Any:
        """On which side of its events the state is, `lead_time` (s) after now."""
        ...

    def next_event(
        self, state: Tree, after: jax.Array, before: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Time (s) until the first event later than `after`; number of those before `before`."""
        ...

    def project(self, state: Tree) -> Tree:
        """The state moved onto the invariants that the exact solution has."""
        ...

    def evaluate(self, state: Tree, active_points: Any) -> Evaluation:
        """The rates and what belongs to them, on these sides of the events."""
        ...


class SolverState(NamedTuple):
    """What is carried from one step to the next."""

    state: Tree
    time_left: jax.Array  # s, until the end
    lead_time: jax.Array  # s, at which events are looked for: the last step aimed at one


def init(state: Tree, duration: jax.Array) -> SolverState:
    """The solver state before the first step; duration (s)."""
    return SolverState(state, duration, 0 * duration)


def step_schedule(count: int, like: jax.Array) -> tuple[jax.Array, jax.Array]:
    """For each of count steps its share of the time left and the number of steps left.

    Args:
      count: of steps.
      like: array of the dtype of both.
    """
    parts = np.ones(count)
    parts[: len(_FIRST_SHARES)] = _FIRST_SHARES[:count]
    shares = parts / np.cumsum(parts[::-1])[::-1]
    return jnp.asarray(shares, like.dtype), jnp.arange(count, 0, -1, like.dtype)


def ros3w_steps(problem: Problem, state: Tree, duration: jax.Array, count: int) -> Tree:
    """State after a duration (s), count steps later; reverse mode keeps one state per step."""

    @jax.checkpoint
    def step(at: SolverState, planned: tuple[jax.Array, jax.Array]) -> tuple[SolverState, None]:
        return ros3w_step(problem, at, *planned), None

    return jax.lax.scan(step, init(state, duration), step_schedule(count, duration))[0].state


def ros3w_step(
    problem: Problem, at: SolverState, share: jax.Array, steps_left: jax.Array
) -> SolverState:
    """One step, to the next event at most.

    Args:
      problem: what is integrated.
      at: the solver state.
      share: of the time left, that the step takes if there is no event.
      steps_left: this one included; the last one cannot end early.
    """
    usual = at.time_left * share
    lead_time = materialize(clip(at.lead_time, low=_NOW * usual))
    active_points = problem.active_points(at.state, lead_time)
    here = problem.evaluate(at.state, active_points)
    before = (1 - _NOW) * at.time_left
    time, events = problem.next_event(at.state, lead_time, before)
    # With one step left for each event, the next one is where the step ends.
    stops = (steps_left > 1) & (time < jnp.where(events >= steps_left - 1, before, usual))
    h = materialize(jnp.where(stops, time, usual))
    end = add(at.state, (1.0, _increment(problem, at.state, active_points, here, h)))
    end = problem.project(end)
    return SolverState(end, at.time_left - h, jnp.where(stops, _MISSED * h, 0.0))


def _increment(
    problem: Problem, state: Tree, active_points: Any, here: Evaluation, h: jax.Array
) -> Tree:
    """The change of the state in a step of h."""
    g = _GAMMA * h
    W = here.iteration_matrix(h, g)
    first = W.first_stage()
    later = problem.evaluate(add(state, (_AHEAD, first)), active_points)

    def held_back(rate, own, before, after):
        return own + clip(before / after, high=1.0) * (g * rate - own)

    rates = jax.tree.map(
        held_back, later.rates(), first, here.fiber_diagonal(g), later.fiber_diagonal(g)
    )
    second = W.solve(add(rates, (_SECOND[0], first)))
    third = W.solve(add(rates, (_THIRD[0], first), (_THIRD[1], second)))
    linear = jax.tree.map(lambda x: x / _GAMMA, first)
    rest = jax.tree.map(
        lambda a, b, c: (_RESULT[0] - 1 / _GAMMA) * a + _RESULT[1] * b + _RESULT[2] * c,
        first,
        second,
        third,
    )
    most = _LARGER * here.norm(linear) + _LEAST * here.norm(state)
    # The larger of the two as divisor: a quotient that is not wanted must not overflow, for its
    # cotangent, zero, would be multiplied by infinity.
    within = most / jnp.maximum(here.norm(rest), most)
    return add(linear, (within, rest))
