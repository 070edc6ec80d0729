"""A model under held controls, in the form in which `ros3w.py` integrates it, and an error norm.

Its events are those of the conditional points of paths: a muscle whose path gains or loses a point
changes its length at once, and its tension with it.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import take
from jaxosim.arrays.safe import clip, largest
from jaxosim.integrators.linearization import Evaluation, evaluate
from jaxosim.integrators.projection import project
from jaxosim.paths.points import conditions, next_event
from jaxosim.system import StepContext
from jaxosim.types import Model, Params, State


@dataclasses.dataclass(frozen=True)
class ModelProblem:
    """One world, as `ros3w.Problem`."""

    model: Model
    params: Params
    controls: jax.Array
    context: StepContext  # computed once for all steps of a control step

    def active_points(self, state: State, lead_time: jax.Array) -> jax.Array:
        """Which conditional points are active `lead_time` (s) from now, `[conditional]` bool."""
        q = state.q + lead_time * self._rates_of_q(state)
        return conditions(self.model, self.params, q)

    def next_event(
        self, state: State, after: jax.Array, before: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """When conditional points next come or go, see `points.next_event`."""
        rate = self._rates_of_q(state)
        return next_event(self.model, self.params, state.q, rate, after, before)

    def _rates_of_q(self, state: State) -> jax.Array:
        """Speeds, zero where they are not the rates of q: events are not foreseen there."""
        tree, unknown = self.model.tree, self.model.locked.copy()
        for joint in tree.joint[tree.angular_velocity]:
            unknown[list(self.model.joint_coordinates[joint][:3])] = True
        return jnp.where(unknown, 0.0, state.u)

    def project(self, state: State) -> State:
        """The state moved onto the constraints, if there are any."""
        return project(self.model, self.params, state, self.context)

    def evaluate(self, state: State, active_points: jax.Array) -> Evaluation:
        """The model at a state, with these conditional points active."""
        context = self.context._replace(active_points=active_points)
        return evaluate(self.model, self.params, state, self.controls, context)


def error_norm(model: Model, state: State, error: State) -> jax.Array:
    """Simbody's error norm: the largest of three RMS values, over q, u and the states of forces.

    Speeds and states of forces are weighted by their own size once that exceeds 1. Of the fields of
    muscles only the rows that are state variables count.
    """

    def weighted(value, e):
        return e / clip(jnp.abs(value), low=1.0)

    def rms(*parts):
        values = jnp.concatenate(parts)
        return jnp.sqrt(jnp.sum(values * values) / max(values.size, 1))

    of_forces = [
        take(weighted(getattr(state, name), getattr(error, name)), held.row)
        for name, held in model.muscle_states.items()
    ]
    of_forces.append(weighted(state.force_states, error.force_states))
    norms = [rms(error.q), rms(weighted(state.u, error.u)), rms(*of_forces)]
    return largest(jnp.stack(norms))
