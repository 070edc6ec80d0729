"""The two feet of a walker: their loads, and which of them is ahead."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import cross, matvec
from jaxosim.envs import lookup
from jaxosim.envs.sides import SIDES
from jaxosim.forces import hunt_crossley_force
from jaxosim.outputs import StateDescription
from jaxosim.types import Model, Params

CONTACT_LOAD = 20.0  # N, from which on a foot is on the ground
_PELVIS = "pelvis"


class Feet(NamedTuple):
    """The spheres under each foot, the left one first; arrays of each are `[sphere]`."""

    spheres: tuple[np.ndarray, ...]  # places in `[geometry]` arrays
    bodies: tuple[np.ndarray, ...]  # that carry them, places in `[body]` arrays
    shares: tuple[np.ndarray, ...]  # (1) of each sphere in the middle of the foot

    @classmethod
    def of(cls, model: Model) -> "Feet":
        """The feet of a model, by the ends of the names of the bodies that carry spheres.

        The middle of a foot is that of the middles of its bodies' spheres: two spheres under the
        toes count as one, so the middle is as far ahead of the ankle as that of a prosthetic foot.

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
        shares = []
        for spheres in of_side:
            _, place, count = np.unique(owner[spheres], return_inverse=True, return_counts=True)
            shares.append(1.0 / (len(count) * count[place]))
        return cls(
            tuple(lookup.places(spheres) for spheres in of_side),
            tuple(lookup.places(owner[spheres]) for spheres in of_side),
            tuple(shares),
        )


def foot_loads(feet: Feet, description: StateDescription) -> jax.Array:
    """Vertical force of the ground on each foot, `[2]` (N), the left one first."""
    force = description.forces[hunt_crossley_force.FIELD].force
    return jnp.stack([jnp.sum(force[places, 1]) for places in feet.spheres])


def forward_axis(model: Model, description: StateDescription) -> jax.Array:
    """The pelvis's forward axis `[3]` (1) in ground; level when the pelvis is upright."""
    return description.bodies.rotation[lookup.body(model, _PELVIS), :, 0]


def sphere_centers(
    feet: Feet, params: Params, description: StateDescription
) -> tuple[jax.Array, ...]:
    """Centers of each foot's spheres in ground, `[sphere, 3]` (m), the left foot first."""
    bodies = description.bodies
    return tuple(
        bodies.position[carriers]
        + matvec(bodies.rotation[carriers], params.contacts.location[places])
        for places, carriers in zip(feet.spheres, feet.bodies, strict=True)
    )


def sphere_velocities(
    feet: Feet, params: Params, description: StateDescription
) -> tuple[jax.Array, ...]:
    """Velocities of each foot's spheres' centers in ground, `[sphere, 3]` (m/s), the left first."""
    bodies = description.bodies
    arms = (
        matvec(bodies.rotation[carriers], params.contacts.location[places])
        for places, carriers in zip(feet.spheres, feet.bodies, strict=True)
    )
    return tuple(
        bodies.velocity[carriers] + cross(bodies.angular_velocity[carriers], arm)
        for carriers, arm in zip(feet.bodies, arms, strict=True)
    )


def left_lead(feet: Feet, centers: Sequence[jax.Array], forward: jax.Array) -> jax.Array:
    """How far the middle of the left foot is ahead of that of the right one (m).

    Args:
      feet: of the model.
      centers: of each foot's spheres, `[sphere, 3]` (m) in ground, the left foot first.
      forward: `[3]` (1) in ground, the direction ahead.
    """
    left, right = (
        jnp.sum(center * jnp.asarray(share, center.dtype)[:, None], axis=0)
        for center, share in zip(centers, feet.shares, strict=True)
    )
    return jnp.sum((left - right) * forward)
