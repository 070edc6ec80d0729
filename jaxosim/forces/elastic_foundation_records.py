"""The records of `elastic_foundation_force.py`: geometries, springs, and what they do."""

from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.forces.force import ForceInfo
from jaxosim.pytree import array, pytree


@dataclass(frozen=True)
class Pair:
    """A mesh and another surface, by their numbers among the geometries."""

    mesh: int
    other: int
    on_sphere: bool
    springs: slice  # of the mesh
    material: int
    element: int


@dataclass(frozen=True, eq=False)
class Structure:
    """Geometries of the forces, and which of them can touch."""

    names: tuple[str, ...]
    geometry_names: tuple[str, ...]
    geometry_body: np.ndarray  # [foundation_geometry] −1 for ground
    geometry_mobod: np.ndarray  # [foundation_geometry] −1 finds ground, the last frame
    element: np.ndarray  # [foundation_geometry] the force it belongs to
    spring_geometry: np.ndarray  # [foundation_spring] the mesh it belongs to
    pairs: tuple[Pair, ...]
    pair_moves: np.ndarray  # [pair, mobility] +1 if it moves the mesh, −1 the other surface


@pytree
class Params:
    """Contact geometry, the springs on it, and the materials."""

    location: jax.Array = array("foundation_geometry", 3, unit="m")  # in the body that owns it
    orientation: jax.Array = array("foundation_geometry", 3, unit="rad")
    radius: jax.Array = array("foundation_geometry", unit="m")
    position: jax.Array = array("foundation_spring", 3, unit="m")  # in the mesh's frame
    area: jax.Array = array("foundation_spring", unit="m²")
    stiffness: jax.Array = array("foundation_material", unit="N/m³")
    dissipation: jax.Array = array("foundation_material", unit="s/m")
    static_friction: jax.Array = array("foundation_material", unit="1")
    dynamic_friction: jax.Array = array("foundation_material", unit="1")
    viscous_friction: jax.Array = array("foundation_material", unit="s/m")
    transition_velocity: jax.Array = array("elastic_foundation", unit="m/s")


@pytree
class Instance:
    """Geometry in the frames of the mobilized bodies that carry it."""

    pose: jax.Array = array("foundation_geometry", 3, 4, unit="1, m")


@pytree
class Info(ForceInfo):
    """What the springs of each pair do together, about the common point."""

    pair_wrench: jax.Array = array("foundation_pair", 6, unit="N·m, N")  # on the mesh
    # Of it by the velocity and the displacement of the other surface over the mesh.
    pair_damping: jax.Array = array("foundation_pair", 6, 6, unit="mixed")
    pair_stiffness: jax.Array = array("foundation_pair", 6, 6, unit="mixed")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")  # about the common point


@pytree
class Outputs:
    """Per contact geometry, the whole effect of its force on the body that owns it."""

    force: jax.Array = array("foundation_geometry", 3, unit="N")
    torque: jax.Array = array("foundation_geometry", 3, unit="N·m")  # about that body's origin
