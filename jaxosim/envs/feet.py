"""The two feet of a walker: their loads, and which of them is ahead."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs import lookup
from jaxosim.forces import hunt_crossley_force
from jaxosim.outputs import StateDescription
from jaxosim.types import Model

CONTACT_LOAD = 20.0  # N, from which on a foot is on the ground
SIDES = ("l", "r")
_PELVIS = "pelvis"


class Feet(NamedTuple):
    """The spheres under each foot, the left one first."""

    spheres: tuple[np.ndarray, np.ndarray]  # places in `[geometry]` arrays
    bodies: tuple[np.ndarray, np.ndarray]  # that carry them, places in `[body]` arrays

    @classmethod
    def of(cls, model: Model) -> "Feet":
        """The feet of a model, by the ends of the names of the bodies that carry spheres.

        Raises:
          ValueError: a side has no spheres.
        """
        contacts = model.contacts
        round_ = np.flatnonzero(~np.asarray(contacts.is_half_space, bool))
        owner = np.asarray(contacts.geometry_body, int)
        of_side = [
            [int(p) for p in round_ if model.body_names[owner[p]].endswith(f"_{side}")]
            for side in SIDES
        ]
        if not all(of_side):
            raise ValueError(
                f"{model.source}: expected contact spheres on bodies whose names end in _l and _r"
            )
        left, right = (lookup.places(places) for places in of_side)
        bodies = [lookup.places(sorted({int(owner[p]) for p in side})) for side in (left, right)]
        return cls((left, right), (bodies[0], bodies[1]))


def foot_loads(feet: Feet, description: StateDescription) -> jax.Array:
    """Vertical force of the ground on each foot, `[2]` (N), the left one first."""
    force = description.forces[hunt_crossley_force.FIELD].force
    return jnp.stack([jnp.sum(force[places, 1]) for places in feet.spheres])


def forward_axis(model: Model, description: StateDescription) -> jax.Array:
    """The pelvis's forward axis `[3]` (1) in ground; level when the pelvis is upright."""
    return description.bodies.rotation[lookup.body(model, _PELVIS), :, 0]


def left_lead(model: Model, feet: Feet, description: StateDescription) -> jax.Array:
    """How far the left foot is ahead of the right one, along the pelvis's forward axis (m)."""
    position = description.bodies.position
    left, right = (jnp.mean(position[places], axis=0) for places in feet.bodies)
    return jnp.sum((left - right) * forward_axis(model, description))
