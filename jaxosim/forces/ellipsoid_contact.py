"""Where ellipsoids and spheres are deepest in each other.

The points are those whose normals are opposite and on whose common line both lie. Their normal is a
stationary point, over directions, of what both surfaces extend along it less the distance of their
centers. That is found by bisection as the direction in which both, shrunk or grown about their
centers by one factor, touch, and from there by Newton's method.

Source: OpenSim `ContactEllipsoid`; Simbody `CollisionDetectionAlgorithm::ConvexConvex`; Perram and
Wertheim, J. Comput. Phys. 58 (1985); see docs/theory/contact.md, "Ellipsoids".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.arrays.indexing import stack
from jaxosim.arrays.linalg import cross, dot, matmul_nt, matvec, outer
from jaxosim.arrays.safe import safe_divide, unit

_HALVINGS, _NEWTON_STEPS = 12, 6


class Ellipsoid(NamedTuple):
    """A surface by its matrices, in the frame of ground: x is on it where xᵀ `curved` x = 1."""

    extent: jax.Array  # [3, 3] (m²), whose square root nᵀ extent n is how far it reaches along n
    curved: jax.Array  # [3, 3] (1/m²), the inverse


class Overlap(NamedTuple):
    """Of two surfaces, touching or not."""

    depth: jax.Array  # [] (m), negative between surfaces that do not touch
    normal: jax.Array  # [3] (1) from the first to the second
    middle: jax.Array  # [3] (m) between the two points, from the first center
    radius: jax.Array  # [] (m) of relative curvature, the geometric mean of both principal ones


def ellipsoid_of(rotation: jax.Array, semi_axes: jax.Array) -> Ellipsoid:
    """The matrices of a surface.

    Args:
      rotation: `[..., 3, 3]` (1) from its axes to ground.
      semi_axes: `[..., 3]` (m).
    """
    squared = (semi_axes * semi_axes)[..., None, :]
    return Ellipsoid(
        matmul_nt(rotation * squared, rotation), matmul_nt(rotation / squared, rotation)
    )


def half_space_radius(reach: jax.Array, semi_axes: jax.Array) -> jax.Array:
    """Radius `[...]` (m) that OpenSim gives the contact of an ellipsoid with a half-space.

    It is the geometric mean of the semi-axes of the section through the center, parallel to the
    plane, where Hertz asks for the radii of curvature at the point of contact.

    Args:
      reach: `[...]` (m) of the ellipsoid along the normal.
      semi_axes: `[..., 3]` (m).
    """
    x, y, z = (semi_axes[..., axis] for axis in range(3))
    return jnp.sqrt(x * y * z / reach)


def overlap(first: Ellipsoid, second: Ellipsoid, apart: jax.Array) -> Overlap:
    """Where two surfaces are deepest in each other, or nearest.

    Args:
      first: surface.
      second: surface.
      apart: `[3]` (m) from the center of the first to that of the second; where it is zero, so are
        all results.
    """
    found = jax.lax.stop_gradient((first, second, apart))
    n = _refined(*found, _touching_direction(*found))
    # One more step, which moves nothing, but has the derivative of the direction.
    n = _newton_step(first, second, apart, jax.lax.stop_gradient(n))
    reach1, reach2 = (_reach(surface, n) for surface in (first, second))
    point1 = safe_divide(matvec(first.extent, n), reach1)
    point2 = apart - safe_divide(matvec(second.extent, n), reach2)
    curvature = dot(n, matvec(_adjugate(reach1 * first.curved + reach2 * second.curved), n))
    return Overlap(
        depth=reach1 + reach2 - dot(n, apart),
        normal=n,
        middle=(point1 + point2) / 2,
        radius=1 / jnp.sqrt(jnp.where(curvature > 0, curvature, 1.0)),
    )


def _reach(surface: Ellipsoid, n: jax.Array) -> jax.Array:
    """How far a surface reaches along a direction (m); zero along none."""
    squared = dot(n, matvec(surface.extent, n))
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def _trace(matrix: jax.Array) -> jax.Array:
    return matrix[0, 0] + matrix[1, 1] + matrix[2, 2]


def _adjugate(matrix: jax.Array) -> jax.Array:
    """The inverse of a symmetric `[3, 3]` matrix times its determinant."""
    a, b, c = matrix[0], matrix[1], matrix[2]
    return stack([cross(b, c), cross(c, a), cross(a, b)])


def _touching_direction(first: Ellipsoid, second: Ellipsoid, apart: jax.Array) -> jax.Array:
    """Normal where both surfaces touch, scaled about their centers by one factor.

    It is that of (1 − s) extent₁ + s extent₂, inverted, times the distance of the centers, at the
    share s at which the extents of both along it are as s to 1 − s.
    """

    def direction(share: jax.Array) -> jax.Array:
        mixed = (1 - share) * first.extent + share * second.extent
        return unit(matvec(_adjugate(mixed / _trace(mixed)), apart))

    def halve(share: jax.Array, width: jax.Array) -> tuple[jax.Array, None]:
        n = direction(share)
        low = share * _reach(second, n) < (1 - share) * _reach(first, n)
        return share + jnp.where(low, width, -width), None

    widths = 0.5 ** jnp.arange(2, _HALVINGS + 2, dtype=apart.dtype)
    share, _ = jax.lax.scan(halve, jnp.full((), 0.5, apart.dtype), widths)
    return direction(share)


def _newton_step(first: Ellipsoid, second: Ellipsoid, apart: jax.Array, n: jax.Array) -> jax.Array:
    """A direction that is nearer to where the slope of the depth over directions is zero."""
    slope, change = -apart, jnp.zeros_like(first.extent)
    for surface in (first, second):
        reach = _reach(surface, n)
        point = safe_divide(matvec(surface.extent, n), reach)
        slope = slope + point
        change = change + safe_divide(surface.extent - outer(point, point), reach)
    along = dot(slope, n)  # the depth
    # Symmetric, and n is an eigenvector: the step has no part along it.
    matrix = change - along * jnp.eye(3, dtype=n.dtype)
    matrix = matrix + (along + _trace(change)) * outer(n, n)
    inverse = _adjugate(matrix)
    determinant = dot(matrix[0], inverse[0])
    step = safe_divide(matvec(inverse, slope - along * n), determinant)
    return unit(n - step)


def _refined(first: Ellipsoid, second: Ellipsoid, apart: jax.Array, n: jax.Array) -> jax.Array:
    """The direction by Newton's method."""

    def step(n: jax.Array, _: None) -> tuple[jax.Array, None]:
        return _newton_step(first, second, apart, n), None

    return jax.lax.scan(step, n, None, length=_NEWTON_STEPS)[0]
