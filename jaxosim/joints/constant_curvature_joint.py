"""ConstantCurvatureJoint: an arc of fixed length, bent about x and z of F and twisted about y.

M stands at the end of the arc, y of M along it. Angles are beyond those of the neutral pose; where
the sum leaves ±(90° - 0.01 rad), OpenSim takes the bound. An arc that is nearly straight, or bent
by nearly 90°, is taken for a straight one along y of M.

OpenSim's velocities are not the rates of these poses: its hinge columns are along the axes of M,
used as if along F, and do not change with the pose when it works out accelerations.

Source: OpenSim `ConstantCurvatureJoint`; see docs/theory/joints.md, "Constant curvature joints".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import stack
from jaxosim.arrays.safe import clip
from jaxosim.joints.joint import X, Y, Z, built_in_axes, with_coordinates
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec, JointSpec, TransformAxisSpec
from jaxosim.pytree import array, pytree

KIND = "ConstantCurvatureJoint"
COUNT = 3
ANGULAR_VELOCITY = False
FIELD = "constant_curvature_joint"
REVERSIBLE = True
BOUND = np.pi / 2 - 0.01  # (rad) of each angle
STRAIGHT, RIGHT = 0.001, 0.999  # sines of the bend, beyond which the arc counts as straight


@dataclass(frozen=True)
class Properties:
    """What only this class has, in rad and m."""

    neutral_angle_x_z_y: tuple[float, ...]
    length: float


@pytree
class Params:
    """Neutral angles about x, z and y, and lengths of the arcs."""

    neutral: jax.Array = array("constant_curvature_joint", 3, unit="rad")
    length: jax.Array = array("constant_curvature_joint", unit="m")


@pytree
class Info:
    """Poses in F, and OpenSim's hinge columns."""

    rotation: jax.Array = array("constant_curvature_joint", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("constant_curvature_joint", 3, unit="m")  # p_FM
    hinge: jax.Array = array("constant_curvature_joint", 3, 6, unit="1 | m")


def read(context: Context, element: Element, joint: JointSpec) -> JointSpec:
    """The joint with its neutral angles and its length."""
    neutral = context.property(element, "neutral_angle_x_z_y")
    properties = Properties(
        numbers(neutral, 3) if neutral else (0.0, 0.0, 0.0),
        context.number(element, "length", 1.0),
    )
    return replace(with_coordinates(element, joint, COUNT), properties=properties)


def transform_axes(joint: JointSpec) -> tuple[TransformAxisSpec, ...]:
    """Its six axes, without the neutral angles and the translation: those are the law's."""
    return built_in_axes(joint, (0, 1, 2), (X, Z, Y))


def rotational(joint: JointSpec, coordinate: str) -> bool:
    """Whether OpenSim calls a coordinate Rotational: all of them."""
    return True


def inboard_frame(frame: FrameSpec) -> FrameSpec:
    """The frame F, given the joint's parent frame: the same."""
    return frame


def build(properties: Sequence[Properties]) -> Params:
    """Numbers of the joints."""
    neutral = [one.neutral_angle_x_z_y for one in properties]
    return Params(
        neutral=np.array(neutral, float).reshape(-1, 3),
        length=np.array([one.length for one in properties], float),
    )


def realize(params: Params, q: jax.Array, rotation: jax.Array) -> Info:
    """Poses and hinge columns.

    Args:
      params: of the joints.
      q: `[joint, 3]` (rad) beyond the neutral angles.
      rotation: `[joint, 3, 3]` that of q, of no use here.
    """
    angles = clip(q + params.neutral, -BOUND, BOUND)
    R, p, hinge = _arc(jnp, [angles[:, i] for i in range(3)], params.length)
    return Info(
        rotation=stack([stack(row, axis=-1) for row in R], axis=-2),
        position=stack(p, axis=-1),
        hinge=stack([stack(column, axis=-1) for column in hinge], axis=-2),
    )


def _arc(
    xp: ModuleType, angles: Sequence[Any], length: Any
) -> tuple[list[list[Any]], list[Any], list[list[Any]]]:
    """Rotation, position and hinge columns, number by number.

    Args:
      xp: NumPy or jax.numpy.
      angles: about x, z and y (rad), within the bounds.
      length: of the arc (m).
    """
    (sx, cx), (sz, cz), (sy, cy) = ((xp.sin(angle), xp.cos(angle)) for angle in angles)
    zero, one = xp.zeros_like(sx), xp.ones_like(sx)
    R = [
        [cy * cz, -sz, cz * sy],
        [sx * sy + cx * cy * sz, cx * cz, cx * sy * sz - cy * sx],
        [cy * sx * sz - cx * sy, cz * sx, cx * cy + sx * sy * sz],
    ]
    spin = [[cz * cy, -sz, cz * sy], [-sy, zero, cy], [zero, one, zero]]  # per rate, along M
    v = [row[1] for row in R]  # y of M, whose slopes are the next
    slope = [[zero, -sx * cz, cx * cz], [-cz, -cx * sz, -sx * sz], [zero, zero, zero]]

    squared = v[0] * v[0] + v[2] * v[2]
    bent = (squared >= STRAIGHT**2) & (squared <= RIGHT**2)
    sine = xp.sqrt(xp.where(bent, squared, 0.5))
    cosine = xp.where(bent, v[1], 0.5**0.5)
    bend = xp.arctan2(sine, cosine)
    # The end lies f·v to the side and g along y, times the length.
    f, g = sine / ((1 + cosine) * bend), sine / bend
    f_slope, g_slope = (1 / (1 + cosine) - f) / bend, (cosine - g) / bend
    position = [
        length * xp.where(bent, part, along)
        for part, along in zip((f * v[0], g, f * v[2]), v, strict=True)
    ]
    hinge = []
    for turning, rate in zip(spin, slope, strict=True):
        by_bend = -rate[1] / sine
        side = [f_slope * by_bend * v[i] + f * rate[i] for i in (0, 2)]
        moving = [side[0], g_slope * by_bend, side[1]]
        straight = _cross(turning, v)
        linear = [
            length * xp.where(bent, sum(R[j][i] * moving[j] for j in range(3)), straight[i] / 2)
            for i in range(3)
        ]
        hinge.append([*turning, *linear])
    return R, position, hinge


def _cross(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
    """Cross product, number by number."""
    return [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]


def bias(info: Info, u: jax.Array) -> jax.Array:
    """OpenSim's rate of the hinge map times the speeds u `[joint, 3]`: none."""
    return jnp.zeros((len(u), 6), u.dtype)


def realize_on_host(
    params: Params, row: int, q: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation, position and hinge columns `[3, 6]` of one joint, with NumPy."""
    angles = np.clip(q + np.asarray(params.neutral)[row], -BOUND, BOUND)
    R, p, hinge = _arc(np, list(angles), np.asarray(params.length)[row])
    return np.array(R), np.array(p), np.array(hinge)
