"""EllipsoidJoint: a ball whose center slides on an ellipsoid, z of M along the surface's normal.

The angles and speeds are those of a BallJoint; the origin of M is where the normal of the
ellipsoid, fixed in F, is z of M: p = r n, v = r (ω × n), with n = R z and products by component.

Source: OpenSim `EllipsoidJoint`, Simbody `MobilizedBody::Ellipsoid`; see docs/theory/joints.md,
"Ellipsoid joints".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import cross
from jaxosim.arrays.spatial import spatial
from jaxosim.joints.joint import (
    built_in_axes,
    is_rotational,
    required_numbers,
    with_coordinates,
)
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec, JointSpec, TransformAxisSpec
from jaxosim.pytree import array, pytree

KIND = "EllipsoidJoint"
COUNT = 3
ANGULAR_VELOCITY = True  # the first three speeds are the angular velocity
FIELD = "ellipsoid_joint"
REVERSIBLE = True


@dataclass(frozen=True)
class Properties:
    """What only this class has, in m."""

    radii_x_y_z: tuple[float, ...]


@pytree
class Params:
    """Semi-axes of the ellipsoids, along the axes of F."""

    radii: jax.Array = array("ellipsoid_joint", 3, unit="m")


@pytree
class Info:
    """Poses and hinge columns, and what their rates need; all in F."""

    rotation: jax.Array = array("ellipsoid_joint", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("ellipsoid_joint", 3, unit="m")  # p_FM
    hinge: jax.Array = array("ellipsoid_joint", 3, 6, unit="1 | m")
    radii: jax.Array = array("ellipsoid_joint", 3, unit="m")
    normal: jax.Array = array("ellipsoid_joint", 3, unit="1")


def read(context: Context, element: Element, joint: JointSpec) -> JointSpec:
    """The joint with its semi-axes."""
    radii = required_numbers(context, element, "radii_x_y_z", 3)
    return replace(with_coordinates(element, joint, COUNT), properties=Properties(radii))


def transform_axes(joint: JointSpec) -> tuple[TransformAxisSpec, ...]:
    """Its six axes, of which the translations stand still: the law adds to them."""
    return built_in_axes(joint, (0, 1, 2))


def rotational(joint: JointSpec, coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational."""
    return is_rotational(transform_axes(joint), coordinate)


def inboard_frame(frame: FrameSpec) -> FrameSpec:
    """The frame F, given the joint's parent frame: the same."""
    return frame


def build(properties: Sequence[Properties]) -> Params:
    """Numbers of the joints."""
    return Params(radii=np.array([one.radii_x_y_z for one in properties], float).reshape(-1, 3))


def realize(params: Params, q: jax.Array, rotation: jax.Array) -> Info:
    """Poses and hinge columns.

    Args:
      params: of the joints.
      q: `[joint, 3]` (rad).
      rotation: `[joint, 3, 3]` that of the three angles.
    """
    normal, position, hinge = on_surface(params.radii, rotation)
    return Info(
        rotation=rotation, position=position, hinge=hinge, radii=params.radii, normal=normal
    )


def on_surface(radii: jax.Array, rotation: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normals and places `[joint, 3]`, and hinge columns `[joint, 3, 6]`."""
    normal = rotation[..., 2]
    unit = jnp.broadcast_to(jnp.eye(3, dtype=normal.dtype), (*normal.shape, 3))
    linear = radii[..., None, :] * cross(unit, normal[..., None, :])
    return normal, radii * normal, spatial(unit, linear)


def surface_bias(radii: jax.Array, normal: jax.Array, spin: jax.Array) -> jax.Array:
    """Acceleration `[joint, 3]` (m/s²) of the place, at a constant angular velocity."""
    return radii * cross(spin, cross(spin, normal))


def bias(info: Info, u: jax.Array) -> jax.Array:
    """The part of the acceleration of M in F that the speeds u `[joint, 3]` alone cause."""
    return spatial(jnp.zeros_like(u), surface_bias(info.radii, info.normal, u))


def realize_on_host(
    params: Params, row: int, q: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation, position and hinge columns `[3, 6]` of one joint, with NumPy."""
    radii, normal = np.asarray(params.radii)[row], rotation[:, 2]
    linear = radii * np.cross(np.eye(3), normal)
    return rotation, radii * normal, np.concatenate([np.eye(3), linear], axis=1)
