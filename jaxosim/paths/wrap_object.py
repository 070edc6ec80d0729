"""What all wrap objects share: their pose and quadrant, and what wrapping one straight piece gives.

Source: OpenSim `WrapObject`, `WrapResult`; see docs/theory/paths.md, "Wrapping".
"""

# pyright: reportArgumentType=false
# (Sides are declared as JAX arrays; from `sides_of` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import dot
from jaxosim.errors import quote
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import FrameSpec

_ALL = ("all", "All", "ALL", "Unassigned", "")
_AXES = "xyz"

NEVER = 1e9  # beyond all places on a path (1) and all lengths (m)


@dataclass(frozen=True)
class WrapObjectSpec:
    """A wrap object on a body; `frame` is its pose there.

    A quadrant is the number of an axis and a sign, 0 if wrapping is not limited to one side.
    """

    name: str
    frame: FrameSpec
    active: bool
    quadrant: tuple[int, int]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Sides:
    """What is static about a wrap that a law is evaluated for; with a leading axis, about many."""

    direction: jax.Array  # [3] of the axis of the quadrant; zero if there is none
    is_axial: jax.Array  # bool: the method of the PathWrap, as the next
    is_midpoint: jax.Array  # bool

    @property
    def limited(self) -> jax.Array:
        """Whether wrapping is limited to a quadrant."""
        return jnp.any(self.direction != 0)


def sides_of(quadrants: Sequence[tuple[int, int]], methods: Sequence[str]) -> Sides:
    """Quadrants and methods of wraps `[wrap]`, as arrays with that axis in front."""
    return Sides(
        direction=np.array([sign * np.eye(3)[axis] for axis, sign in quadrants]),
        is_axial=np.array([method == "axial" for method in methods]),
        is_midpoint=np.array([method == "midpoint" for method in methods]),
    )


class WrapLine(NamedTuple):
    """What becomes of one straight piece at a wrap object, in the frame of that object."""

    inside: jax.Array  # bool: an end lies within the object
    possible: jax.Array  # bool: a wrap, to be compared with those of the other pieces
    mandatory: jax.Array  # bool: a wrap that excludes those of later pieces
    r1: jax.Array  # [3] (m) point at which the path meets the surface
    r2: jax.Array  # [3] (m) point at which it leaves the surface
    length: jax.Array  # (m) of the path on the surface


def read_quadrant(context: Context, element: Element) -> tuple[int, int]:
    """The side to which wrapping is limited.

    Raises:
      OsimFormatError: it is none that OpenSim knows.
    """
    text = context.word(element, "quadrant")
    if text in _ALL:
        return 0, 0
    name, sign = text.lower(), 1
    if name[0] in "+-":
        name, sign = name[1:], -1 if name[0] == "-" else 1
    if name not in tuple(_AXES):
        raise element.error(f"expected a quadrant such as all, x or -y, found {quote(text)}")
    return _AXES.index(name), sign


def on_active_side(point: jax.Array, sides: Sides) -> jax.Array:
    """Whether a point `[3]` lies on the side of the quadrant; as in OpenSim, 0 is positive."""
    along = dot(point, sides.direction)
    return (along > 0) | ((along == 0) & jnp.any(sides.direction > 0))


def sqrt_or_zero(x: jax.Array) -> jax.Array:
    """Square root where x is positive, else 0, with a finite gradient."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def nearest_pair(
    a1: jax.Array, b1: jax.Array, a2: jax.Array, b2: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Which tangent points of both ends are nearest to each other, in OpenSim's order.

    Args:
      a1: `[3]` from the center, as all.
      b1: the other of the same end.
      a2: of the other end.
      b2: the other of that end.

    Returns:
      Whether it is a of the first, and a of the second end.
    """
    aa, ab, ba, bb = (dot(x, y) for x in (a1, b1) for y in (a2, b2))
    is_aa = (aa > ab) & (aa > ba) & (aa > bb)
    is_ab = ~is_aa & (ab > ba) & (ab > bb)
    is_ba = ~is_aa & ~is_ab & (ba > bb)
    return is_aa | is_ab, is_aa | is_ba
