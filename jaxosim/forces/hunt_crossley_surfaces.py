"""Where the surfaces of a contact meet, and in which order Simbody comes to them.

Source: Simbody `ContactTrackerSubsystem`, `HuntCrossleyForceImpl`; see docs/theory/contact.md,
"Geometry" and "Early exit".
"""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.linalg import constant_matmul, dot, matvec, scale_rows
from jaxosim.arrays.safe import safe_divide, safe_norm
from jaxosim.forces.hunt_crossley_records import Instance, Params, Structure

_ENDLESS = 1e30  # a half-space's extent to the left, in the sweep along an axis


def surfaces(
    structure: Structure, instance: Instance, pose: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Centers (or origins) of all contact surfaces from the common point, and normals."""
    own = take(pose, structure.geometry_mobod)
    R, p = own[..., :3], own[..., 3]
    return p + matvec(R, instance.location), matvec(R, instance.normal)


def _half_space_pairs(structure: Structure, params: Params, center, normal):
    """Depth, normal, mid-depth point and radius of spheres in half-spaces."""
    first, second = (
        side[: structure.half_space_count] for side in (structure.first, structure.second)
    )
    radius, n = params.radius[second], take(normal, first)
    place = take(center, second)
    height = dot(place - take(center, first), n)
    depth = radius - height
    surface = place - scale_rows(n, height)
    return depth, n, surface - scale_rows(n, depth / 2), radius


def _sphere_pairs(structure: Structure, params: Params, center):
    """Depth, normal, mid-depth point and effective radius of spheres on spheres."""
    first, second = (
        side[structure.half_space_count :] for side in (structure.first, structure.second)
    )
    r1, r2 = params.radius[first], params.radius[second]
    one = take(center, first)
    apart = take(center, second) - one
    distance = safe_norm(apart)
    n = safe_divide(apart, distance[:, None])
    depth = jnp.where(distance > 0, r1 + r2 - distance, 0.0)
    point = one + scale_rows(n, r1 - depth / 2)
    return depth, n, point, safe_divide(r1 * r2, r1 + r2)


def overlaps(
    structure: Structure, params: Params, center: jax.Array, normal: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Depth, normal, mid-depth point and effective radius of every pair, touching or not.

    Args:
      structure: static structure.
      params: model parameters.
      center: `[geometry, 3]` (m) from `surfaces`.
      normal: `[geometry, 3]` (1) from `surfaces`.

    Returns:
      `[pair]` (m), `[pair, 3]` (1), `[pair, 3]` (m) from the common point, and `[pair]` (m).
    """
    parts = [_half_space_pairs(structure, params, center, normal)]
    if structure.pair_count > structure.half_space_count:
        parts.append(_sphere_pairs(structure, params, center))
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
    return jnp.where(structure.is_half_space, -order, place - params.radius)
