"""Where the surfaces of a contact meet, and in which order Simbody comes to them.

Source: Simbody `ContactTrackerSubsystem`, `HuntCrossleyForceImpl`; see docs/theory/contact.md,
"Geometry" and "Early exit".
"""

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.linalg import constant_matmul, dot, matmul, matvec, scale_rows
from jaxosim.arrays.loops import over_rows
from jaxosim.arrays.safe import safe_divide, safe_norm
from jaxosim.forces.ellipsoid_contact import Ellipsoid, ellipsoid_of, half_space_radius, overlap
from jaxosim.forces.hunt_crossley_records import Instance, Params, Structure

_ENDLESS = 1e30  # a half-space's extent to the left, in the sweep along an axis


class Surfaces(NamedTuple):
    """Contact surfaces of a pose, from the common point."""

    center: jax.Array  # [geometry, 3] (m); the origin of a half-space
    normal: jax.Array  # [geometry, 3] (1) out of a half-space
    ellipsoid_axes: jax.Array  # [ellipsoid, 3, 3] (1) rotation from its axes


def surfaces(structure: Structure, instance: Instance, pose: jax.Array) -> Surfaces:
    """Where all contact surfaces are."""
    own = take(pose, structure.geometry_mobod)
    R, p = own[..., :3], own[..., 3]
    axes = instance.ellipsoid_axes
    if len(axes):
        axes = matmul(take(R, np.flatnonzero(structure.ellipsoid >= 0)), axes)
    return Surfaces(p + matvec(R, instance.location), matvec(R, instance.normal), axes)


def _kinds(structure: Structure) -> list[np.ndarray]:
    """Rows of the four kinds of pairs, in the order of `Structure`."""
    on_half_space, of_spheres = structure.sphere_counts
    flat = structure.half_space_count
    ends = [on_half_space, flat, flat + of_spheres]
    return np.split(np.arange(structure.pair_count), ends)


def _on_half_spaces(structure: Structure, params: Params, placed: Surfaces, pairs: np.ndarray):
    """Depth, normal, mid-depth point and radius of spheres in half-spaces."""
    first, second = structure.first[pairs], structure.second[pairs]
    radius, n = params.radius[second], take(placed.normal, first)
    place = take(placed.center, second)
    height = dot(place - take(placed.center, first), n)
    depth = radius - height
    surface = place - scale_rows(n, height)
    return depth, n, surface - scale_rows(n, depth / 2), radius


def _ellipsoids_on_half_spaces(
    structure: Structure, params: Params, placed: Surfaces, pairs: np.ndarray
):
    """The same of ellipsoids in half-spaces."""
    first, second = structure.first[pairs], structure.second[pairs]
    n, place = take(placed.normal, first), take(placed.center, second)
    row = structure.ellipsoid[second]
    extent = ellipsoid_of(take(placed.ellipsoid_axes, row), take(params.semi_axes, row)).extent
    along = matvec(extent, n)
    reach = jnp.sqrt(dot(n, along))
    depth = reach - dot(place - take(placed.center, first), n)
    deepest = place - scale_rows(along, 1 / reach)
    radius = half_space_radius(reach, take(params.semi_axes, row))
    return depth, n, deepest + scale_rows(n, depth / 2), radius


def _of_spheres(structure: Structure, params: Params, placed: Surfaces, pairs: np.ndarray):
    """Depth, normal, mid-depth point and effective radius of spheres on spheres."""
    first, second = structure.first[pairs], structure.second[pairs]
    r1, r2 = params.radius[first], params.radius[second]
    one = take(placed.center, first)
    apart = take(placed.center, second) - one
    distance = safe_norm(apart)
    n = safe_divide(apart, distance[:, None])
    depth = jnp.where(distance > 0, r1 + r2 - distance, 0.0)
    point = one + scale_rows(n, r1 - depth / 2)
    return depth, n, point, safe_divide(r1 * r2, r1 + r2)


def _with_ellipsoids(structure: Structure, params: Params, placed: Surfaces, pairs: np.ndarray):
    """The same of ellipsoids on spheres and on each other."""
    first, second = structure.first[pairs], structure.second[pairs]
    one = take(placed.center, first)
    apart = take(placed.center, second) - one
    sides = [_as_ellipsoids(structure, params, placed, side) for side in (first, second)]
    found = over_rows(lambda row: overlap(row[0], row[1], row[2]), (sides[0], sides[1], apart))
    return found.depth, found.normal, one + found.middle, found.radius


def _as_ellipsoids(
    structure: Structure, params: Params, placed: Surfaces, geometry: np.ndarray
) -> Ellipsoid:
    """Spheres and ellipsoids alike."""
    row = structure.ellipsoid[geometry]
    axes = take(placed.ellipsoid_axes, np.maximum(row, 0))
    radii = take(params.semi_axes, np.maximum(row, 0))
    radius = take(params.radius, geometry)[:, None]
    return ellipsoid_of(axes, jnp.where((row < 0)[:, None], radius, radii))


def overlaps(
    structure: Structure, params: Params, placed: Surfaces
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Depth, normal, mid-depth point and effective radius of every pair, touching or not.

    Args:
      structure: static structure.
      params: model parameters.
      placed: from `surfaces`.

    Returns:
      `[pair]` (m), `[pair, 3]` (1), `[pair, 3]` (m) from the common point, and `[pair]` (m).
    """
    laws = (_on_half_spaces, _ellipsoids_on_half_spaces, _of_spheres, _with_ellipsoids)
    kinds = list(zip(laws, _kinds(structure), strict=True))
    parts = [
        law(structure, params, placed, pairs)
        for law, pairs in kinds
        if len(pairs) or law is _on_half_spaces  # which gives a model without pairs its arrays
    ]
    depth, n, middle, radius = (concatenate(column) for column in zip(*parts, strict=True))
    return depth, n, middle, radius


def stopped(structure: Structure, params: Params, center: jax.Array, fails: jax.Array) -> jax.Array:
    """Pairs that OpenSim never reaches because an earlier pair of the element pulled.

    Simbody walks the contacts of an element in the order of its sweep along the axis in which the
    surfaces are spread most, and leaves the loop at the first whose normal force is not positive.
    That pair and all later ones of the element apply no force.
    """
    start = _sweep_start(structure, params, center)
    a, b = take(start, structure.first), take(start, structure.second)
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    index = np.arange(structure.pair_count)
    ties = (low[:, None] == low[None, :]) & (
        (high[:, None] < high[None, :])
        | ((high[:, None] == high[None, :]) & (index[:, None] <= index[None, :]))
    )
    earlier = (low[:, None] < low[None, :]) | ties  # [j, i]: pair j is reached before i, or is i
    same = structure.pair_element[:, None] == structure.pair_element[None, :]
    blocks = earlier & same & fails[:, None]
    return functools.reduce(
        operator.or_, [blocks[j] for j in range(len(blocks))], jnp.zeros_like(fails)
    )


def _sweep_start(structure: Structure, params: Params, center: jax.Array) -> jax.Array:
    """Left end of each surface along its element's sweep axis; half-spaces come first."""
    count = len(structure.element_names)
    belongs = structure.element[None, :] == np.arange(count)[:, None]
    mean = constant_matmul(belongs / belongs.sum(axis=1, keepdims=True), center)
    spread = constant_matmul(belongs, jnp.abs(center - take(mean, structure.element)))
    axis = jnp.where(spread[:, 0] > spread[:, 1], 0, 1)
    along = jnp.where(axis == 0, spread[:, 0], spread[:, 1])
    axis = take(jnp.where(spread[:, 2] > along, 2, axis), structure.element)
    x, y, z = (center[:, i] for i in range(3))
    place = jnp.where(axis == 0, x, jnp.where(axis == 1, y, z))
    order = jnp.asarray(np.arange(len(structure.element), 0, -1) * _ENDLESS, center.dtype)
    reach = params.radius
    if len(params.semi_axes):  # OpenSim takes a sphere around an ellipsoid
        longest = take(params.semi_axes, np.maximum(structure.ellipsoid, 0)).max(axis=-1)
        reach = jnp.where(structure.ellipsoid < 0, reach, longest)
    return jnp.where(structure.is_half_space, -order, place - reach)
