"""What `optimize_excitations.py` optimizes: variables, objective, and the start of a walk."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim


class Variables(NamedTuple):
    """What is optimized, of one world."""

    logits: jax.Array  # [knot, muscle] (1): any real number
    log_stiffness: jax.Array  # [spring] (1): logarithm of the factor on each spring's stiffness


class Terms(NamedTuple):
    """The parts of the objective, (1) each; their sum is to be small."""

    velocity: jax.Array
    effort: jax.Array
    posture: jax.Array


class Outcome(NamedTuple):
    """A motion of one world, and what it costs."""

    terms: Terms
    velocity: jax.Array  # [3] (m/s) of the mass center at the end
    states: jaxosim.State  # [time, ...] after each control step

    @property
    def total(self) -> jax.Array:
        """The objective."""
        return self.terms.velocity + self.terms.effort + self.terms.posture


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """From where, to what, and what it may cost.

    Attributes:
      start: one world at rest.
      steps: control steps of 0.01 s.
      velocity: `[3]` (m/s) of the mass center that is wanted at the end, in ground.
      low, high: `[coordinate]` (rad | m) between which the pose is kept.
      tolerance: `[coordinate]` (rad | m), (m/s) what costs 1 if it is missed by so much.
      effort_weight: cost of every muscle being fully active all the time.
    """

    model: jaxosim.Model
    params: jaxosim.Params
    start: jaxosim.State
    steps: int
    velocity: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tolerance: np.ndarray
    velocity_tolerance: float = 0.1
    effort_weight: float = 10.0

    def params_of(self, variables: Variables) -> jaxosim.Params:
        """The numbers of the model with its springs as stiff as the variables say."""
        springs = self.params.springs
        stiffness = springs.stiffness * jnp.exp(variables.log_stiffness)
        changed = dataclasses.replace(springs, stiffness=stiffness)
        return dataclasses.replace(self.params, springs=changed)

    def excitations_of(self, variables: Variables) -> jax.Array:
        """`[time, muscle]` (1) within (0, 1): straight lines between the knots, then a sigmoid."""
        knots = variables.logits
        place = np.linspace(0, len(knots) - 1, self.steps)
        before = np.minimum(place.astype(int), len(knots) - 2)
        share = jnp.asarray((place - before)[:, None], knots.dtype)
        return jax.nn.sigmoid((1 - share) * knots[before] + share * knots[before + 1])

    def judge(self, params: jaxosim.Params, states: jaxosim.State) -> Outcome:
        """What a motion costs, its states after each control step `[time, ...]`."""
        last = jax.tree.map(lambda x: x[-1], states)
        info = jaxosim.describe(self.model, params, last, last.activation)
        velocity = info.mass_center.velocity
        missed = (velocity - self.velocity) / self.velocity_tolerance
        beyond = jax.nn.relu(self.low[None] - states.q) + jax.nn.relu(states.q - self.high[None])
        terms = Terms(
            velocity=jnp.sum(missed**2),
            effort=self.effort_weight * jnp.mean(states.activation**2),
            posture=jnp.mean(jnp.sum((beyond / self.tolerance[None]) ** 2, axis=1)),
        )
        return Outcome(terms, velocity, states)

    def objective(
        self, variables: Variables, options: jaxosim.Options | None = None
    ) -> tuple[jax.Array, Outcome]:
        """The sum of the terms, and what is behind it; options are those of `rollout`."""
        params, excitations = self.params_of(variables), self.excitations_of(variables)
        states = jaxosim.rollout(self.model, params, self.start, excitations, options)
        outcome = self.judge(params, states)
        return outcome.total, outcome


def leaning_walker(lean: float, steps: int, speed: float) -> Task:
    """The prosthetic walker, turned forward about both ankles by `lean` (rad), feet flat.

    The pelvis is to stay above 0.86 m and the trunk nearly as it is, and joints within the limits
    where ligaments begin to pull.
    """
    model, params = jaxosim.load_model("gait14dof22musc_pros")
    at = model.coordinate_names.index
    ankle, tilt, place = model.body_names.index("talus_l"), at("pelvis_tilt"), at("pelvis_tx")

    @jax.jit
    def lean_forward(params: jaxosim.Params) -> jaxosim.State:
        upright = jaxosim.initial_state(model, params)
        info = jaxosim.describe(model, params, upright, upright.activation)
        x, y = (upright.q[place : place + 2] - info.bodies.position[ankle, :2],)[0]
        turned = jnp.stack(
            [x * np.cos(lean) + y * np.sin(lean), y * np.cos(lean) - x * np.sin(lean)]
        )
        q = upright.q.at[place : place + 2].add(turned - jnp.stack([x, y])).at[tilt].add(-lean)
        q = q.at[at("ankle_angle_r")].add(lean).at[at("ankle_angle_l")].add(lean)
        return jaxosim.initial_state(model, params, q)

    low, high = np.full((2, len(model.coordinate_names)), np.inf, np.float32) * [[-1], [1]]
    tolerance = np.full(len(low), 0.05, np.float32)
    stops, limits = model.limits.coordinate, params.limits
    low[stops], high[stops] = limits.lower_limit, limits.upper_limit
    low[at("pelvis_ty")], tolerance[at("pelvis_ty")] = 0.86, 0.02
    low[tilt], high[tilt] = -lean - 0.1, 0.0
    low[at("pelvis_list")], high[at("pelvis_list")] = -0.1, 0.1
    velocity = np.array([speed, 0.0, 0.0], np.float32)
    bounds = (np.float32(low), np.float32(high), tolerance)
    return Task(model, params, lean_forward(params), steps, velocity, *bounds)
