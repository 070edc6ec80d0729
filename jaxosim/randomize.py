"""Domain randomization: functions `(params, key) -> params` for `make(..., randomize=...)`.

Each of them draws factors for some of the numbers of one world; `compose` puts several together.
Any other function of that form does as well: every leaf of Params may be drawn.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxosim.types import Model, Params

Randomizer = Callable[[Params, jax.Array], Params]
Range = tuple[float, float]


def compose(*randomizers: Randomizer) -> Randomizer:
    """One after the other, each with a key of its own."""

    def randomize(params: Params, key: jax.Array) -> Params:
        keys = jax.random.split(key, max(len(randomizers), 1))
        for randomizer, own in zip(randomizers, keys, strict=False):
            params = randomizer(params, own)
        return params

    return randomize


def strength(low: float = 0.8, high: float = 1.2) -> Randomizer:
    """Each muscle's `max_isometric_force` times a factor of its own, uniform."""
    return scale("muscles", ("max_isometric_force",), (low, high))


def mass(low: float = 0.8, high: float = 1.2) -> Randomizer:
    """Each body's mass, and with it its inertia, times a factor of its own, uniform."""
    return scale("bodies", ("mass", "inertia"), (low, high))


def contact(
    stiffness: Range = (0.5, 2.0),
    dissipation: Range = (0.5, 2.0),
    friction: Range = (0.7, 1.3),
) -> Randomizer:
    """The ground's stiffness, dissipation and friction, each times one factor for all contacts."""
    friction_names = ("static_friction", "dynamic_friction", "viscous_friction")
    return compose(
        scale("contacts", ("stiffness",), stiffness, together=True),
        scale("contacts", ("dissipation",), dissipation, together=True),
        scale("contacts", friction_names, friction, together=True),
    )


def prosthesis(stiffness: Range = (0.7, 1.3), viscosity: Range = (0.7, 1.3)) -> Randomizer:
    """Stiffness and viscosity of every spring on a coordinate, the prosthetic ankle among them."""
    return compose(
        scale("springs", ("stiffness",), stiffness), scale("springs", ("viscosity",), viscosity)
    )


def scale(
    record: str, names: Sequence[str], factors: Range, *, together: bool = False
) -> Randomizer:
    """Multiply numbers of one record of Params.

    Args:
      record: field of Params, such as "muscles".
      names: fields of that record; all are multiplied by the same factors.
      factors: (1) least and largest factor; uniform between them.
      together: one factor for the whole record, instead of one for each of its elements.

    Raises:
      ValueError: the factors are not in order.
    """
    low, high = factors
    if not low <= high:
        raise ValueError(f"{record}.{names[0]}: expected low <= high, got {low} and {high}")

    def randomize(params: Params, key: jax.Array) -> Params:
        old: Any = getattr(params, record)
        first = getattr(old, names[0])
        shape = () if together else first.shape[:1]
        factor = jax.random.uniform(key, shape, first.dtype, low, high)

        def scaled(values: jax.Array) -> jax.Array:
            return values * factor.reshape(shape + (1,) * (values.ndim - len(shape)))

        new = dataclasses.replace(old, **{name: scaled(getattr(old, name)) for name in names})
        return dataclasses.replace(params, **{record: new})

    return randomize


def pose(
    angle: float = 0.05, speed: float = 0.1
) -> Callable[[Model, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """An initial pose near the given one, for `make(..., randomize_pose=...)`.

    Args:
      angle: (rad) largest change of each coordinate that is an angle.
      speed: (rad/s | m/s) largest change of each speed.
    """

    def vary(
        model: Model, q: jax.Array, u: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        angle_key, speed_key = jax.random.split(key)
        turned = q + jax.random.uniform(angle_key, q.shape, q.dtype, -angle, angle)
        pushed = u + jax.random.uniform(speed_key, u.shape, u.dtype, -speed, speed)
        return jnp.where(model.rotational, turned, q), pushed

    return vary
