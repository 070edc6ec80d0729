"""ScapulothoracicJoint: an EllipsoidJoint on the thorax, and a hinge in the scapula's plane on it.

Abduction, elevation and upward rotation turn the scapula as an EllipsoidJoint does whose frame F is
the parent frame turned by 90° about z; winging turns it about an axis of the plane that touches the
ellipsoid.

Source: OpenSim `ScapulothoracicJoint`; see docs/theory/joints.md, "Scapulothoracic joints".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import cross, matmul, matvec, scale_rows
from jaxosim.arrays.spatial import axis_angle_rotation, spatial
from jaxosim.joints.ellipsoid_joint import on_surface, surface_bias
from jaxosim.joints.joint import built_in_axes, required_numbers, with_coordinates
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec, JointSpec, TransformAxisSpec
from jaxosim.pytree import array, pytree

KIND = "ScapulothoracicJoint"
COUNT = 4
ANGULAR_VELOCITY = True  # the first three speeds are the angular velocity
FIELD = "scapulothoracic_joint"
REVERSIBLE = False
_QUARTER = np.pi / 2
_BACK = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # by -90° about z


@dataclass(frozen=True)
class Properties:
    """What only this class has, in m and rad."""

    thoracic_ellipsoid_radii_x_y_z: tuple[float, ...]
    scapula_winging_axis_origin: tuple[float, ...]
    scapula_winging_axis_direction: float


@pytree
class Params:
    """Semi-axes along the axes of the parent frame, and the winging axes in the child frames."""

    radii: jax.Array = array("scapulothoracic_joint", 3, unit="m")
    winging_origin: jax.Array = array("scapulothoracic_joint", 2, unit="m")
    winging_direction: jax.Array = array("scapulothoracic_joint", unit="rad")


@pytree
class Info:
    """Poses and hinge columns, and what their rates need; all in F."""

    rotation: jax.Array = array("scapulothoracic_joint", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("scapulothoracic_joint", 3, unit="m")  # p_FM
    hinge: jax.Array = array("scapulothoracic_joint", 4, 6, unit="1 | m")
    radii: jax.Array = array("scapulothoracic_joint", 3, unit="m")  # along the axes of F
    normal: jax.Array = array("scapulothoracic_joint", 3, unit="1")
    axis: jax.Array = array("scapulothoracic_joint", 3, unit="1")  # of winging
    center: jax.Array = array("scapulothoracic_joint", 3, unit="m")  # of winging, from the surface
    arm: jax.Array = array("scapulothoracic_joint", 3, unit="m")  # M's origin from that center


def read(context: Context, element: Element, joint: JointSpec) -> JointSpec:
    """The joint with its ellipsoid and its winging axis."""
    radii = required_numbers(context, element, "thoracic_ellipsoid_radii_x_y_z", 3)
    origin = context.property(element, "scapula_winging_axis_origin")
    properties = Properties(
        radii,
        numbers(origin, 2) if origin else (0.0, 0.0),
        context.number(element, "scapula_winging_axis_direction", 0.0),
    )
    return replace(with_coordinates(element, joint, COUNT), properties=properties)


def transform_axes(joint: JointSpec) -> tuple[TransformAxisSpec, ...]:
    """Its six axes, of which winging drives none: the law adds it."""
    return built_in_axes(joint, (0, 1, 2))


def rotational(joint: JointSpec, coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational: all of them."""
    return True


def inboard_frame(frame: FrameSpec) -> FrameSpec:
    """The frame F, given the joint's parent frame: turned by 90° about its z."""
    x, y, z = frame.orientation
    return replace(frame, orientation=(x, y, z + _QUARTER))


def build(properties: Sequence[Properties]) -> Params:
    """Numbers of the joints."""
    radii = [one.thoracic_ellipsoid_radii_x_y_z for one in properties]
    origin = [one.scapula_winging_axis_origin for one in properties]
    return Params(
        radii=np.array(radii, float).reshape(-1, 3),
        winging_origin=np.array(origin, float).reshape(-1, 2),
        winging_direction=np.array([o.scapula_winging_axis_direction for o in properties], float),
    )


def realize(params: Params, q: jax.Array, rotation: jax.Array) -> Info:
    """Poses and hinge columns.

    Args:
      params: of the joints.
      q: `[joint, 4]` (rad).
      rotation: `[joint, 3, 3]` that of the first three angles.
    """
    x, y, z = (params.radii[:, axis] for axis in range(3))
    radii = stack([y, x, z], axis=-1)
    normal, place, surface = on_surface(radii, rotation)
    before = matmul(rotation, jnp.broadcast_to(jnp.asarray(_BACK, q.dtype), rotation.shape))
    direction = params.winging_direction
    own_axis = stack([-jnp.sin(direction), jnp.cos(direction), jnp.zeros_like(direction)], axis=-1)
    own_center = concatenate([params.winging_origin, jnp.zeros_like(direction)[:, None]], axis=-1)
    whole = matmul(before, axis_angle_rotation(own_axis, q[:, 3]))
    axis, center, arm = (
        matvec(before, own_axis),
        matvec(before, own_center),
        -matvec(whole, own_center),
    )
    beyond = center + arm
    turning, moving = surface[..., :3], surface[..., 3:]
    moving = moving + cross(turning, jnp.broadcast_to(beyond[:, None], turning.shape))
    winging = spatial(axis, cross(axis, arm))[:, None]
    return Info(
        rotation=whole,
        position=place + beyond,
        hinge=concatenate([spatial(turning, moving), winging], axis=1),
        radii=radii,
        normal=normal,
        axis=axis,
        center=center,
        arm=arm,
    )


def bias(info: Info, u: jax.Array) -> jax.Array:
    """The part of the acceleration of M in F that the speeds u `[joint, 4]` alone cause."""
    spin, rate = u[:, :3], u[:, 3]
    winging = scale_rows(info.axis, rate)
    whole, turning = spin + winging, cross(spin, winging)
    linear = (
        surface_bias(info.radii, info.normal, spin)
        + cross(spin, cross(spin, info.center))
        + cross(turning, info.arm)
        + cross(whole, cross(whole, info.arm))
    )
    return spatial(turning, linear)


def realize_on_host(
    params: Params, row: int, q: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation, position and hinge columns `[4, 6]` of one joint, with NumPy."""
    radii = np.asarray(params.radii)[row][[1, 0, 2]]
    normal, before = rotation[:, 2], rotation @ _BACK
    direction = np.asarray(params.winging_direction)[row]
    own_axis = np.array([-np.sin(direction), np.cos(direction), 0.0])
    own_center = np.append(np.asarray(params.winging_origin)[row], 0.0)
    x, y, z = own_axis
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    whole = before @ (np.eye(3) + np.sin(q[3]) * skew + (1 - np.cos(q[3])) * skew @ skew)
    axis, arm = before @ own_axis, -whole @ own_center
    beyond = before @ own_center + arm
    linear = radii * np.cross(np.eye(3), normal) + np.cross(np.eye(3), beyond)
    columns = np.concatenate([np.eye(3), linear], axis=1)
    winging = np.concatenate([axis, np.cross(axis, arm)])
    return whole, radii * normal + beyond, np.concatenate([columns, winging[None]])
