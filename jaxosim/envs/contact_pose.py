"""Where the contact surfaces of a pose are, and how deep in each other."""

from typing import NamedTuple

import jax

from jaxosim.forces import hunt_crossley_force
from jaxosim.forces.hunt_crossley_surfaces import overlaps, surfaces
from jaxosim.system import Position
from jaxosim.types import Model, Params


class ContactPose(NamedTuple):
    """Contact surfaces of one pose; centers are from the common point of `position.bodies`."""

    center: jax.Array  # [geometry, 3] (m)
    depth: jax.Array  # [pair] (m), negative where the surfaces do not touch
    normal: jax.Array  # [pair, 3] (1), from the first surface to the second


def contact_pose(model: Model, params: Params, position: Position) -> ContactPose:
    """The contact surfaces of a pose.

    Args:
      model: static structure.
      params: model parameters.
      position: from `realize_position`.
    """
    instance = position.instance.forces[hunt_crossley_force.FIELD]
    placed = surfaces(model.contacts, instance, position.bodies.pose)
    depth, outward, _, _ = overlaps(model.contacts, params.contacts, placed)
    return ContactPose(placed.center, depth, outward)
