"""One world under a held excitation, in the form in which `dynamics/rosenbrock.py` asks for it.

Its switches are the conditional points of muscle paths: a muscle whose path gains or loses a point
changes its length at once, and its tension with it.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import matvec
from jaxosim.arrays.positive_definite import diagonal, symmetric
from jaxosim.dynamics.instance import realize_instance
from jaxosim.integrators.linearization import (
    Evaluation,
    Shifted,
    evaluate,
    full_rates,
    linearize,
    shift,
    solve,
)
from jaxosim.paths.geometry_path import conditions, next_event
from jaxosim.types import InstanceInfo, Model, Params, State, StateDerivative

_TINY = 1e-12  # J: keeps the root's slope finite for a world at rest, also times that of a quotient


@dataclasses.dataclass(frozen=True)
class StiffWorld:
    """A world, its states told in a chart."""

    model: Model
    params: Params
    instance: InstanceInfo
    excitation: jax.Array
    chart: jax.Array | None  # from `charts.enter_chart`

    def sides(self, state: State, early: jax.Array) -> jax.Array:
        """Conditional points that are part of their paths `early` (s) from now."""
        return conditions(self.model, self.params, state.q + early * self._rates_of_q(state))

    def next_switch(
        self, state: State, after: jax.Array, before: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """When conditional points next come or go, see `path.next_switch`."""
        rate = self._rates_of_q(state)
        return next_event(self.model, self.params, state.q, rate, after, before)

    def _rates_of_q(self, state: State) -> jax.Array:
        """Speeds, zero where they are not the rates of q: switches are not foreseen there."""
        tree, unknown = self.model.tree, self.model.locked.copy()
        for joint in tree.joint[tree.angular_velocity]:
            unknown[list(self.model.joint_coordinates[joint][:3])] = True
        return jnp.where(unknown, 0.0, state.u)

    def evaluate(self, state: State, sides: jax.Array) -> "EvaluatedWorld":
        """The world at a state, its conditional points being as given."""
        evaluation = evaluate(
            self.model, self.params, state, self.excitation, self.chart, sides, self.instance
        )
        return EvaluatedWorld(self.model, self.params, evaluation)


def stiff_world(
    model: Model, params: Params, excitation: jax.Array, chart: jax.Array | None
) -> StiffWorld:
    """A world; what follows from params alone is worked out here, once for all its steps."""
    return StiffWorld(model, params, realize_instance(model, params), excitation, chart)


@dataclasses.dataclass(frozen=True)
class EvaluatedWorld:
    """A world at one state."""

    model: Model
    params: Params
    evaluation: Evaluation

    def rates(self) -> StateDerivative:
        """The state derivative."""
        return full_rates(self.model, self.evaluation)

    def damped(self, g: jax.Array) -> State:
        """1 − g times the slope of a fiber's velocity by its length; 1 elsewhere."""
        one = jax.tree.map(jnp.ones_like, self.evaluation.rates)
        return dataclasses.replace(one, fiber_length=1 - g * self.evaluation.fibers.v_fiber)

    def shifted(self, h: jax.Array, g: jax.Array) -> "ShiftedWorld":
        """I − g A with the structured Jacobian A for a step of h."""
        lin = linearize(self.model, self.params, self.evaluation, h)
        return ShiftedWorld(self.model, shift(self.model, lin, g))

    def size(self, change: State) -> jax.Array:
        """Root of the energy in a change of the speeds, as if each moved alone.

        Squares are those of speeds over the largest, lest they overflow: stages of a step may be
        1e30 (a tendon far beyond its strain), which then count for nothing but must not make the
        gradient NaN.
        """
        u = take(change.u, self.model.tree.free)
        scale = jax.lax.stop_gradient(jnp.maximum(jnp.max(jnp.abs(u), initial=0.0), 1.0))
        u = u / scale
        return scale * jnp.sqrt(jnp.sum(u * u * diagonal(self.evaluation.mass)) + _TINY)


@dataclasses.dataclass(frozen=True)
class ShiftedWorld:
    """I − g A of a world at one state."""

    model: Model
    shifted: Shifted

    def increment(self) -> State:
        """(I − g A)⁻¹ g times the state derivative, which needs no accelerations."""
        lin, g = self.shifted.linearization, self.shifted.g
        rhs = jax.tree.map(lambda x: g * x, lin.rates)
        return solve(self.model, self.shifted, rhs, g * lin.force)

    def solve(self, rhs: State) -> State:
        """(I − g A)⁻¹ rhs."""
        mass = symmetric(self.shifted.linearization.mass)
        momentum = matvec(mass, take(rhs.u, self.model.tree.free))
        return solve(self.model, self.shifted, rhs, momentum)
