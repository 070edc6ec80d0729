"""Rotations and spatial vectors; the one home of safe norms, divisions and bounds.

A spatial vector is `[..., 6]`: angular part first, then linear, both expressed in one frame. A
motion's linear part is the velocity of the point of the body that passes through the common point;
a force's angular part is its moment about that point.

Source: Featherstone, Rigid Body Dynamics Algorithms (2008), chapter 2; angle conventions of
Simbody's `Rotation`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.placement import joined, settled, stacked
from jaxosim.products import cross, row_products, scaled, total


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Scalar product over the last axis."""
    return total(jnp.moveaxis(a * b, -1, 0))


def weighted_gram(rows: jax.Array, weight: jax.Array) -> jax.Array:
    """Sum over i of weight[i] rows[i] rows[i]ᵀ: `[n, k]` and `[n]` to `[k, k]`."""
    rows, weighted = settled((rows, scaled(rows, weight)))
    return settled(row_products(weighted.T, rows.T))


def safe_norm(v: jax.Array) -> jax.Array:
    """Euclidean norm over the last axis, with gradient zero (not NaN) at the zero vector."""
    squared = dot(v, v)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def safe_divide(a: jax.Array, b: jax.Array) -> jax.Array:
    """Quotient a / b where b is not zero, else 0, with finite gradients."""
    nonzero = b != 0
    return jnp.where(nonzero, a / jnp.where(nonzero, b, 1.0), 0.0)


def clip(
    x: jax.Array,
    low: jax.Array | float | None = None,
    high: jax.Array | float | None = None,
) -> jax.Array:
    """X within [low, high], whose derivative at a bound is the one-sided one, into the range: 1.

    `jnp.clip`, `jnp.maximum` and `jnp.minimum` share a tie and have half of it there, which is no
    slope of either side; and a bound is where many values are: activations at their minimum,
    actions of 0 and 1.
    """
    if low is not None:
        x = jnp.where(x < low, low, x)
    return x if high is None else jnp.where(x > high, high, x)


def matvec(matrix: jax.Array, v: jax.Array) -> jax.Array:
    """Matrix `[..., n, m]` times vector `[..., m]`."""
    # By reshaping: an index would be transposed to a reduction, or to an array of zeros.
    row = v.reshape((*v.shape[:-1], 1, v.shape[-1]))
    product = row_products(matrix, row)
    return product.reshape(product.shape[:-1])


def matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    """Matrix product of `[..., n, m]` with `[..., m, k]`."""
    return row_products(a, transpose(b))


def outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """Matrix `[..., n, m]` of the products of entries of `[..., n]` with those of `[..., m]`."""
    return row_products(a.reshape(*a.shape, 1), b.reshape(*b.shape, 1))


def transpose(matrix: jax.Array) -> jax.Array:
    """Transpose of the last two axes."""
    return jnp.swapaxes(matrix, -1, -2)


def matrices(rows: Sequence[Sequence[jax.Array]]) -> jax.Array:
    """Matrices `[..., n, m]` from their entries `[...]`, row by row."""
    entries = [entry for row in rows for entry in row]
    flat = stacked(entries, axis=-1)
    return flat.reshape(flat.shape[:-1] + (len(rows), len(rows[0])))


def skew(v: jax.Array) -> jax.Array:
    """Matrix `[..., 3, 3]` of the map x -> v × x."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = jnp.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return matrices(rows)


def axis_angle_rotation(axis: jax.Array, angle: jax.Array) -> jax.Array:
    """Rotation `[..., 3, 3]` by `angle` `[...]` (rad) about the unit vector `axis` `[..., 3]`."""
    sine, cosine = settled((jnp.sin(angle), jnp.cos(angle)))
    along = outer(axis, axis)
    across = jnp.broadcast_to(jnp.eye(3, dtype=angle.dtype), along.shape) - along

    def flat(matrix: jax.Array) -> jax.Array:
        return matrix.reshape(*matrix.shape[:-2], 9)

    turned = scaled(flat(across), cosine) + scaled(flat(skew(axis)), sine)
    return turned.reshape(along.shape) + along


def body_xyz_rotation(angles: jax.Array) -> jax.Array:
    """Rotation Rx(a) Ry(b) Rz(c) `[..., 3, 3]` of body-fixed angles `[..., 3]` (rad)."""
    (sa, sb, sc), (ca, cb, cc) = (tuple(jnp.moveaxis(f(angles), -1, 0)) for f in (jnp.sin, jnp.cos))
    rows = [
        [cb * cc, -cb * sc, sb],
        [ca * sc + sa * sb * cc, ca * cc - sa * sb * sc, -sa * cb],
        [sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb],
    ]
    return matrices(rows)


def body_xyz_angles(rotation: jax.Array) -> jax.Array:
    """Body-fixed XYZ angles `[..., 3]` (rad) of rotations `[..., 3, 3]`; inverse of the above.

    Source: Simbody `Rotation::convertRotationToBodyFixedXYZ`, with its rule at b = ±90°.
    """
    r = rotation
    r00, r01, r02 = r[..., 0, 0], r[..., 0, 1], r[..., 0, 2]
    r10, r11, r12 = r[..., 1, 0], r[..., 1, 1], r[..., 1, 2]
    r20, r21, r22 = r[..., 2, 0], r[..., 2, 1], r[..., 2, 2]
    cosine = jnp.sqrt((r00**2 + r01**2 + r12**2 + r22**2) / 2)
    regular = cosine > 4 * jnp.finfo(rotation.dtype).eps
    degenerate_a = jnp.where(
        r02 > 0, jnp.arctan2(r10 + r21, r11 - r20), jnp.arctan2(r21 - r10, r11 + r20)
    )
    a = jnp.where(regular, jnp.arctan2(-r12, r22), degenerate_a)
    b = jnp.arctan2(r02, cosine)
    c = jnp.where(regular, jnp.arctan2(-r01, r00), 0.0)
    return stacked([a, b, c], axis=-1)


def composed(outer_pose: jax.Array, inner_pose: jax.Array) -> jax.Array:
    """The pose `[..., 3, 4]`, a rotation beside a position, of what has one pose in another."""
    return matmul(outer_pose[..., :3], inner_pose) + position_alone(outer_pose)


def position_alone(pose: jax.Array) -> jax.Array:
    """A pose `[..., 3, 4]` with zeros for its rotation."""
    last = np.zeros(pose.shape, pose.dtype)
    last[..., 3] = 1
    return pose * last


def spatial(angular: jax.Array, linear: jax.Array) -> jax.Array:
    """Spatial vector `[..., 6]` from its two halves."""
    return joined([angular, linear], axis=-1)


def turned(rotation: jax.Array, vectors: jax.Array) -> jax.Array:
    """Vectors `[..., 3 k]`, k of three components each, turned by a rotation `[..., 3, 3]`."""
    rows = vectors.reshape(*vectors.shape[:-1], vectors.shape[-1] // 3, 3)
    return row_products(rows, rotation).reshape(vectors.shape)


def motion_cross(a: jax.Array, b: jax.Array) -> jax.Array:
    """Rate of the motion vector b when it is carried along with the motion a (both `[..., 6]`)."""
    aw, av, bw, bv = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    return spatial(cross(aw, bw), cross(aw, bv) + cross(av, bw))


def force_cross(a: jax.Array, f: jax.Array) -> jax.Array:
    """Rate of the force or momentum vector f when it is carried along with the motion a."""
    aw, av, fm, ff = a[..., :3], a[..., 3:], f[..., :3], f[..., 3:]
    return spatial(cross(aw, fm) + cross(av, ff), cross(aw, ff))


def apply_inertia(
    mass: jax.Array, first_moment: jax.Array, inertia: jax.Array, motion: jax.Array
) -> jax.Array:
    """Spatial momentum `[..., 6]` of bodies that move with `motion` `[..., 6]`.

    Args:
      mass: `[...]` (kg).
      first_moment: `[..., 3]` (kg·m) mass times mass center, from the common point.
      inertia: `[..., 3, 3]` (kg·m²) about the common point.
      motion: `[..., 6]` about the common point.

    Returns:
      `[..., 6]` angular momentum about the common point, then linear momentum.
    """
    w, v = motion[..., :3], motion[..., 3:]
    angular = matvec(inertia, w) + cross(first_moment, v)
    linear = mass[..., None] * v + cross(w, first_moment)
    return spatial(angular, linear)
