"""Rotations, poses and spatial vectors.

A spatial vector is `[..., 6]`: angular part first, then linear, both expressed in one frame. A
motion's linear part is the velocity of the point of the body that passes through the reference
point; a force's angular part is its moment about that point. A pose is `[..., 3, 4]`: a rotation
beside a position.

Source: Featherstone, Rigid Body Dynamics Algorithms (2008), chapter 2; angle conventions of
Simbody's `Rotation`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import cross, matmul, matmul_nt, matrices, matvec, outer, scale_rows


def skew(v: jax.Array) -> jax.Array:
    """Matrix `[..., 3, 3]` of the map x -> v × x."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = jnp.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return matrices(rows)


def axis_angle_rotation(axis: jax.Array, angle: jax.Array) -> jax.Array:
    """Rotation `[..., 3, 3]` by `angle` `[...]` (rad) about the unit vector `axis` `[..., 3]`."""
    sine, cosine = materialize((jnp.sin(angle), jnp.cos(angle)))
    along = outer(axis, axis)
    across = jnp.broadcast_to(jnp.eye(3, dtype=angle.dtype), along.shape) - along

    def flat(matrix: jax.Array) -> jax.Array:
        return matrix.reshape(*matrix.shape[:-2], 9)

    turned = scale_rows(flat(across), cosine) + scale_rows(flat(skew(axis)), sine)
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
    squared = (r00**2 + r01**2 + r12**2 + r22**2) / 2
    regular = squared > (4 * jnp.finfo(rotation.dtype).eps) ** 2
    # In both branches finite derivatives, also at b = ±90°, where the angles have none.
    cosine = jnp.where(regular, jnp.sqrt(jnp.where(regular, squared, 1.0)), 0.0)

    def arctan2(choose: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.arctan2(jnp.where(choose, y, 0.0), jnp.where(choose, x, 1.0))

    upwards, downwards = ~regular & (r02 > 0), ~regular & (r02 <= 0)
    a = arctan2(regular, -r12, r22) + arctan2(upwards, r10 + r21, r11 - r20)
    a = a + arctan2(downwards, r21 - r10, r11 + r20)
    b = jnp.arctan2(r02, cosine)
    c = arctan2(regular, -r01, r00)
    return stack([a, b, c], axis=-1)


def compose(outer_pose: jax.Array, inner_pose: jax.Array) -> jax.Array:
    """The pose `[..., 3, 4]`, a rotation beside a position, of what has one pose in another."""
    return matmul(outer_pose[..., :3], inner_pose) + translation_only(outer_pose)


def translation_only(pose: jax.Array) -> jax.Array:
    """A pose `[..., 3, 4]` with zeros for its rotation."""
    last = np.zeros(pose.shape, pose.dtype)
    last[..., 3] = 1
    return pose * last


def spatial(angular: jax.Array, linear: jax.Array) -> jax.Array:
    """Spatial vector `[..., 6]` from its two halves."""
    return concatenate([angular, linear], axis=-1)


def rotate(rotation: jax.Array, vectors: jax.Array) -> jax.Array:
    """Vectors `[..., 3 k]`, k of three components each, turned by a rotation `[..., 3, 3]`."""
    rows = vectors.reshape(*vectors.shape[:-1], vectors.shape[-1] // 3, 3)
    return matmul_nt(rows, rotation).reshape(vectors.shape)


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


def point_velocity(V: jax.Array, p: jax.Array) -> jax.Array:
    """Velocity `[..., 3]` (m/s) of the point p of a body with spatial velocity V."""
    return V[..., 3:] + cross(V[..., :3], p)


def point_acceleration(V: jax.Array, A: jax.Array, p: jax.Array) -> jax.Array:
    """Acceleration `[..., 3]` (m/s²) of the material point p of a body; p from the common point.

    The linear part of A is the rate of the velocity of whatever passes the common point; the
    material point there accelerates by ω × v more.
    """
    w, velocity = V[..., :3], point_velocity(V, p)
    return A[..., 3:] + cross(A[..., :3], p) + cross(w, velocity)
