"""What the modules of all constraint classes share: arguments, equations and their two forms.

An equation e(q, t) = 0 has a row g of the constraint Jacobian G with ė = g·u + ∂e/∂t, and a bias,
so that ë = g·u_dot + bias. A row is sparse in the coordinates, or is the power of one wrench that
acts on one body and, reversed, on another.

Source: Simbody `Constraint`; see docs/theory/constraints.md, "Equations".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import matvec, transpose
from jaxosim.arrays.spatial import skew, spatial
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.spec import ZERO, Vec3
from jaxosim.pytree import array, pytree


@pytree
class Placement:
    """What an equation may depend on; ground is the last of the frames."""

    time: jax.Array = array(unit="s")
    q: jax.Array = array("coordinate", unit="rad | m")
    pose: jax.Array = array("frame", 3, 4, unit="1, m")  # from the common point


@pytree
class Motion:
    """What the bias of an equation may depend on besides; ground is the last of the frames."""

    q_dot: jax.Array = array("coordinate", unit="rad/s | m/s")
    velocity: jax.Array = array("frame", 6, unit="rad/s, m/s")  # V, about the common point
    acceleration: jax.Array = array("frame", 6, unit="rad/s², m/s²")  # A when u_dot = 0


class CoordinateRows(NamedTuple):
    """Entries of G by coordinate; several entries of one place add up."""

    equation: np.ndarray  # [entry]
    coordinate: np.ndarray  # [entry]
    value: jax.Array  # [entry]


class BodyRows(NamedTuple):
    """Rows of G as wrenches on frames, `[equation]`, GROUND (−1) for ground."""

    first: np.ndarray  # that the wrench acts on reversed
    second: np.ndarray  # that it acts on
    wrench: jax.Array  # [equation, 6] about the common point


class Equations(NamedTuple):
    """The equations of one class of constraints, `[equation]`."""

    error: jax.Array  # (rad | m) e
    rows: CoordinateRows | BodyRows  # of G
    error_rate: jax.Array | None = None  # (rad/s | m/s) ∂e/∂t, where time occurs


class Description(NamedTuple):
    """The constraints of one class, for `jaxosim info`."""

    summary: str
    rows: Sequence[tuple[str, str]]  # name, and what it holds


@dataclass(frozen=True, eq=False)
class PairStructure:
    """Constraints between two bodies: the mobilized bodies that carry them, GROUND for ground."""

    names: tuple[str, ...]
    first_body: np.ndarray  # [constraint]
    second_body: np.ndarray
    first: np.ndarray  # [constraint]
    second: np.ndarray


@pytree
class PairInfo:
    """A point of each of the two bodies, in the frames of the mobilized bodies that carry them."""

    first: jax.Array = array("constraint", 3, unit="m")
    second: jax.Array = array("constraint", 3, unit="m")


def read_point(context: Context, component: Component, socket: str, tag: str) -> tuple[str, Vec3]:
    """Body and location (m) of a point that a constraint holds.

    As in OpenSim, the location is in the body, also where the socket names a frame offset from it.
    """
    element = component.element
    assert element is not None
    return resolve_frame(context, component, socket).body, context.vector(element, tag, ZERO)


def placed(pose: jax.Array, owner: np.ndarray, location: jax.Array) -> jax.Array:
    """Points `[n, 3]` (m) of frames, from the common point."""
    at = take(pose, owner)
    return matvec(at[..., :3], location) + at[..., 3]


def unit_forces(point: jax.Array) -> jax.Array:
    """Wrenches `[n, 3, 6]` of unit forces along ground's axes at points `[n, 3]` (m)."""
    along = jnp.broadcast_to(jnp.eye(3, dtype=point.dtype), (len(point), 3, 3))
    return spatial(transpose(skew(point)), along)
