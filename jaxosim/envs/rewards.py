"""Named reward terms of walkers, and their weighted sum, for `make(..., reward=...)`.

Each term is a function of a `Transition` that returns a scalar; those named after what is unwanted
are not negative and take a negative weight:

    reward = rewards.weighted(velocity=1.0, alive=0.25, tilt=-0.5, effort=-0.5)

A pair of a weight and a function is a term of one's own, or one with other settings:

    reward = rewards.weighted(height=(-5.0, functools.partial(rewards.height, least=0.8)))

Source: terms of depRL (Schumacher et al., arXiv 2309.02976) and of the challenges' winners.
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.safe import clip
from jaxosim.envs import lookup
from jaxosim.envs.endings import heading_miss
from jaxosim.envs.episode import Terms, Transition
from jaxosim.envs.feet import (
    CONTACT_LOAD,
    Feet,
    foot_loads,
    forward_axis,
    left_lead,
    sphere_centers,
    sphere_velocities,
)
from jaxosim.envs.gait_cycle import GaitCycle, distance_to_cycle, textbook_gait
from jaxosim.forces import coordinate_limit_force, hunt_crossley_force
from jaxosim.types import Model

Term = Callable[[Transition], jax.Array]
_SLOWEST = 0.1  # m/s, for steps in place
_KNEES = ("knee_angle_l", "knee_angle_r")


def velocity(step: Transition, speed: float | None = None) -> jax.Array:
    """Tracking of the target velocity: exp(−|v − v*|²), v of the pelvis over the step, level (m/s).

    Args:
      step: the control step.
      speed: (m/s) forward, in place of the task's target.

    Raises:
      ValueError: the task has no target velocity, and no speed is given.
    """
    miss = step_velocity(step) - level_target(step, speed)
    return jnp.exp(-jnp.sum(miss * miss))


def velocity_miss(step: Transition, speed: float | None = None) -> jax.Array:
    """Squared deviation from the target velocity (m²/s²); arguments as of `velocity`."""
    miss = step_velocity(step) - level_target(step, speed)
    return jnp.sum(miss * miss)


def step_velocity(step: Transition) -> jax.Array:
    """Velocity of the pelvis over the step, forward and to the right, `[2]` (m/s)."""
    model = step.env.model
    shift = step.after.state.q - step.before.q
    parts = [shift[lookup.coordinate(model, "pelvis_tx")]]
    has_side = "pelvis_tz" in model.coordinate_names
    side = shift[lookup.coordinate(model, "pelvis_tz")] if has_side else jnp.zeros_like(parts[0])
    return jnp.stack([*parts, side]) / step.env.options.step_size


def level_target(step: Transition, speed: float | None) -> jax.Array:
    """Target velocity, forward and to the right, `[2]` (m/s); arguments as of `velocity`."""
    if speed is not None:
        return jnp.zeros_like(step.before.q, shape=2).at[0].set(speed)
    target = step.env.target_velocity(step.after)
    if target is None:
        raise ValueError(
            f"velocity: {type(step.env).__name__} has no target velocity; expected `speed`, as in "
            "functools.partial(rewards.velocity, speed=1.25)"
        )
    return target[np.array([0, 2])]


def alive(step: Transition) -> jax.Array:
    """1, in every control step."""
    return jnp.ones_like(step.after.state.time)


def task(step: Transition) -> jax.Array:
    """The task's own reward."""
    terms, _ = step.env.reward_terms(step)
    return sum(terms.values(), start=jnp.zeros_like(step.after.state.time))


def tilt(step: Transition) -> jax.Array:
    """Squared lean of the pelvis, forward and to the side (rad²)."""
    return _squares(step, ("pelvis_tilt", "pelvis_list"))


def heading(step: Transition) -> jax.Array:
    """Squared angle of the pelvis about the vertical from the target's heading (rad²)."""
    miss = heading_miss(step.after)
    return miss * miss


def height(step: Transition, least: float = 0.85) -> jax.Array:
    """Square of what the pelvis is too low (m²).

    Args:
      step: the control step.
      least: (m) height from which on it is not too low.
    """
    pelvis = lookup.body(step.env.model, "pelvis")
    lack = clip(least - step.after.description.bodies.position[pelvis, 1], low=0.0)
    return lack * lack


def joint_limit(step: Transition, most: float = 4.0) -> jax.Array:
    """Sum of the forces of joint limits (100 N·m).

    Args:
      step: the control step.
      most: (100 N·m) bound of the sum.

    Raises:
      ValueError: the model has no forces at joint limits.
    """
    forces = step.after.description.forces
    if coordinate_limit_force.FIELD not in forces:
        raise ValueError(f"joint_limit: expected forces at joint limits in {step.env.model.source}")
    force = forces[coordinate_limit_force.FIELD].force
    return clip(jnp.sum(jnp.abs(force)) / 100.0, high=most)


def knee_hyperextension(step: Transition, free: float = 0.05) -> jax.Array:
    """How far the knees are beyond straight (rad), both together.

    Args:
      step: the control step.
      free: (rad) that do not count.
    """
    q, model = step.after.state.q, step.env.model
    return sum(
        (clip(q[lookup.coordinate(model, name)] - free, low=0.0) for name in _KNEES),
        start=jnp.zeros_like(step.after.state.time),
    )


def effort(step: Transition) -> jax.Array:
    """Mean squared control (1)."""
    return jnp.mean(step.controls * step.controls)


def activation(step: Transition) -> jax.Array:
    """Mean squared activation (1)."""
    own = step.after.description.muscles.activation
    return jnp.mean(own * own)


def control_change(step: Transition) -> jax.Array:
    """Mean squared change of the controls since the control step before (1)."""
    change = step.controls - step.previous_controls
    return jnp.mean(change * change)


def feet_passing(step: Transition, most: float = 0.3) -> jax.Array:
    """How far a foot that has just touched down is ahead of the other one (m), 0 at other times.

    Negative where it lands behind, as in a limp in which one leg stays ahead.

    Args:
      step: the control step.
      most: (m) bound of the distance, either way.
    """
    landed, leads = _landings(step)
    return jnp.sum(jnp.where(landed, clip(leads, -most, most), 0.0))


def landing_behind(step: Transition, least: float = 0.0) -> jax.Array:
    """How far behind the other one a foot lands that has just touched down (m), 0 at other times.

    Args:
      step: the control step.
      least: (m) ahead of the other foot, short of which a foot is behind.
    """
    landed, leads = _landings(step)
    return jnp.sum(jnp.where(landed, clip(least - leads, low=0.0), 0.0))


def step_length(step: Transition, speed: float | None = None, bonus: float = 1.0) -> jax.Array:
    """For a foot that has just touched down b − min(((l − l*)/l*)², 2); 0 at other times.

    l is how far it is ahead of the other one, and l* that of the textbook gait at the target speed.
    Of two steps that make one stride, equal ones have the largest sum.

    Args:
      step: the control step.
      speed: (m/s) in place of that of the task's target velocity.
      bonus: (1) b, for a step of length l*. A small one does not pay for steps that are short and
        quick.

    Raises:
      ValueError: the task has no target velocity, and no speed is given.
    """
    usual = textbook_gait(step.env.model)
    pace = jnp.sqrt(_target_size(step, speed) / usual.speed)
    expected = usual.speed * usual.period / 2 * pace
    landed, leads = _landings(step)
    miss = leads / expected - 1.0
    return jnp.sum(jnp.where(landed, bonus - clip(miss * miss, high=2.0), 0.0))


def _target_size(step: Transition, speed: float | None) -> jax.Array:
    """Size of the target velocity (m/s), not 0; arguments as of `velocity`."""
    target = level_target(step, speed)
    return jnp.sqrt(jnp.sum(target * target) + _SLOWEST**2)


def _landings(step: Transition) -> tuple[jax.Array, jax.Array]:
    """Which feet have just touched down, and how far each is ahead of the other (m), `[2]`."""
    model, now = step.env.model, step.after.description
    feet = Feet.of(model)
    landed = (foot_loads(feet, now) > CONTACT_LOAD) & (
        foot_loads(feet, step.description_before) <= CONTACT_LOAD
    )
    centers = sphere_centers(feet, step.env.params, now)
    lead = left_lead(feet, centers, forward_axis(model, now))
    return landed, jnp.stack([lead, -lead])


def foot_slip(step: Transition, most: float = 4.0) -> jax.Array:
    """Load on the feet times the square of their speed along the ground (100 N·m²/s²).

    It shows a foot that is dragged, or that scuffs the ground in its swing.

    Args:
      step: the control step.
      most: (100 N·m²/s²) bound.
    """
    feet, now = Feet.of(step.env.model), step.after.description
    load = now.forces[hunt_crossley_force.FIELD].force[:, 1]
    slip = jnp.zeros_like(step.after.state.time)
    for places, velocity in zip(
        feet.spheres, sphere_velocities(feet, step.env.params, now), strict=True
    ):
        slip = slip + jnp.sum(load[places] * (velocity[:, 0] ** 2 + velocity[:, 2] ** 2))
    return clip(slip / 100.0, high=most)


def tracking(
    step: Transition,
    cycle: GaitCycle | None = None,
    width: float = 2.0,
    duration: float = 0.0,
) -> jax.Array:
    """Nearness to a reference gait: exp(−width · squared distance from its nearest phase).

    Args:
      step: the control step.
      cycle: the reference; hips, knees and ankles of `textbook_gait` if None.
      width: (1/rad²).
      duration: (s) by which deviations of the speeds are multiplied, those of the reference at the
        pace of the task's target speed (`GaitCycle.at_speed`); 0 for the poses alone.
    """
    cycle = textbook_gait(step.env.model) if cycle is None else cycle
    places, now = cycle.places(step.env.model), step.after.state
    if duration == 0.0:
        return jnp.exp(-width * distance_to_cycle(cycle, places, now.q))
    pace = jnp.ones_like(now.time)
    if step.env.target_velocity(step.after) is not None:
        pace = jnp.sqrt(_target_size(step, None) / cycle.speed)
    distance = distance_to_cycle(cycle, places, now.q, now.u, duration=duration, pace=pace)
    return jnp.exp(-width * distance)


def _squares(step: Transition, names: tuple[str, ...]) -> jax.Array:
    """Sum of the squares of those coordinates that the model has."""
    model: Model = step.env.model
    own = [lookup.coordinate(model, name) for name in names if name in model.coordinate_names]
    values = step.after.state.q[lookup.places(own)]
    return jnp.sum(values * values)


TERMS: dict[str, Term] = {
    function.__name__: function
    for function in (
        *(velocity, velocity_miss, alive, task, tilt, heading, height, joint_limit),
        *(knee_hyperextension, effort, activation, control_change, feet_passing),
        *(landing_behind, step_length, foot_slip, tracking),
    )
}
"""The terms by name."""


@dataclasses.dataclass(frozen=True)
class WeightedReward:
    """A sum of named terms, each with its weight; `weighted` makes one.

    Attributes:
      terms: name, weight (1) and function of each.
      scale: (1) of all, such as 1 − γ for returns of order one.
    """

    terms: tuple[tuple[str, float, Term], ...]
    scale: float = 1.0

    def __call__(self, step: Transition) -> Terms:
        """The weighted terms by name."""
        return {name: self.scale * weight * term(step) for name, weight, term in self.terms}


def weighted(
    terms: Mapping[str, float | tuple[float, Term]] | None = None,
    /,
    scale: float = 1.0,
    **more: float | tuple[float, Term],
) -> WeightedReward:
    """A reward of named terms.

    Args:
      terms: weight of each term of `TERMS`, or a pair of weight and function for any name.
      scale: (1) of all.
      **more: further terms.

    Raises:
      ValueError: there is no term of a name that has a weight alone, or there are no terms.
    """
    given = {**(terms or {}), **more}
    if not given:
        raise ValueError(f"expected one term at least, of {', '.join(TERMS)}")
    found = []
    for name, value in given.items():
        if isinstance(value, tuple):
            weight, function = value
        else:
            weight, function = value, TERMS.get(name)
        if function is None:
            close = difflib.get_close_matches(name, TERMS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"no reward term {name!r}: expected one of {', '.join(TERMS)}{hint}")
        found.append((name, float(weight), function))
    return WeightedReward(tuple(found), scale)
