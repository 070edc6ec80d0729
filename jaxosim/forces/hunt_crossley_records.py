"""The records of `hunt_crossley_force.py`: what contacts are made of, and what they do."""

from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.forces.force import ForceInfo
from jaxosim.pytree import array, pytree


@dataclass(frozen=True, eq=False)
class Structure:
    """Pairs of contact surfaces of Hunt-Crossley forces, one row per pair that can touch.

    The first `half_space_count` pairs are half-space against sphere or ellipsoid, of which those
    with spheres come first; then come spheres on spheres, and last pairs with ellipsoids.
    """

    geometry_names: tuple[str, ...]
    geometry_body: np.ndarray  # [geometry]
    geometry_mobod: np.ndarray  # [geometry] −1 finds ground, the last row of arrays of frames
    is_half_space: np.ndarray  # [geometry]
    ellipsoid: np.ndarray  # [geometry] row among the ellipsoids, or −1
    material: np.ndarray  # [geometry] row of the contact parameters
    element: np.ndarray  # [geometry] the Hunt-Crossley force it belongs to
    first: np.ndarray  # [pair] geometry: the half-space, if there is one
    second: np.ndarray  # [pair] geometry
    pair_element: np.ndarray  # [pair]
    pair_moves: np.ndarray  # [pair, mobility] +1 if it moves the second surface, −1 the first
    half_space_count: int
    sphere_counts: tuple[int, int]  # pairs of a half-space and a sphere; of two spheres
    element_names: tuple[str, ...]
    record_geometry: tuple[tuple[int, ...], ...]  # per element: geometries in the record's order

    @property
    def pair_count(self) -> int:
        """Number of pairs that can touch."""
        return len(self.first)


@pytree
class Params:
    """Contact geometry and the materials of the Hunt-Crossley forces."""

    location: jax.Array = array("geometry", 3, unit="m")  # in the body that owns it
    orientation: jax.Array = array("geometry", 3, unit="rad")
    radius: jax.Array = array("geometry", unit="m")  # of spheres, else 0
    semi_axes: jax.Array = array("ellipsoid", 3, unit="m")
    stiffness: jax.Array = array("material", unit="N/m²")
    dissipation: jax.Array = array("material", unit="s/m")
    static_friction: jax.Array = array("material", unit="1")
    dynamic_friction: jax.Array = array("material", unit="1")
    viscous_friction: jax.Array = array("material", unit="s/m")
    transition_velocity: jax.Array = array("element", unit="m/s")


@pytree
class Instance:
    """Contact geometry in the frames of the mobilized bodies that carry it."""

    location: jax.Array = array("geometry", 3, unit="m")
    normal: jax.Array = array("geometry", 3, unit="1")  # out of a half-space
    ellipsoid_axes: jax.Array = array("ellipsoid", 3, 3, unit="1")  # rotation from its axes


@pytree
class Info(ForceInfo):
    """What each pair of contact surfaces does; forces act on the second surface's body."""

    position: jax.Array = array("pair", 3, unit="m")  # of the contact, from the common point
    normal: jax.Array = array("pair", 3, unit="1")  # from the first surface to the second
    depth: jax.Array = array("pair", unit="m")
    velocity: jax.Array = array("pair", 3, unit="m/s")  # of the first surface over the second
    hertz_force: jax.Array = array("pair", unit="N")  # elastic part, with no early exit
    normal_force: jax.Array = array("pair", unit="N")  # with dissipation, after the early exit
    friction_slope: jax.Array = array("pair", unit="N·s/m")  # friction over slip speed
    sliding_slope: jax.Array = array("pair", unit="N·s/m")  # of friction by slip speed, or zero
    dissipation: jax.Array = array("pair", unit="s/m")
    force: jax.Array = array("pair", 3, unit="N")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")  # about the common point


@pytree
class Outputs:
    """Per contact geometry, the whole effect of its force on the body that owns it."""

    force: jax.Array = array("geometry", 3, unit="N")
    torque: jax.Array = array("geometry", 3, unit="N·m")  # about that body's origin
