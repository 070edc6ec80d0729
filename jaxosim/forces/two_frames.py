"""Forces between two frames: where the frames are, and what equal and opposite forces do.

A force between two bodies is a wrench on the second and its opposite on the first, both about the
common point. Everything it depends on or acts on is one number per *row* of such a pair, e.g. a
distance, or one of six deflections, whose rate is the power of a *unit wrench* at the velocity of
the second body over the first. So a force is its rows' forces times their unit wrenches, and the
stiff part of its Jacobian follows from the same unit wrenches.

Source: OpenSim `TwoFrameLinker`; see docs/theory/two_frame_forces.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import (
    constant_matmul,
    cross,
    matmul,
    matmul_nt,
    matvec,
    weighted_gram,
)
from jaxosim.arrays.spatial import spatial
from jaxosim.forces.force import BodyFrames, Kinematics, MobilityJacobian
from jaxosim.models.lookup import Lookup
from jaxosim.models.spec import FrameSpec
from jaxosim.pytree import array, pytree


@dataclass(frozen=True, eq=False)
class Pairs:
    """The bodies of each pair of frames."""

    body: np.ndarray  # [2, pair] −1 for ground
    mobod: np.ndarray  # [2, pair] that carries the body; −1 finds ground, the last frame
    moves: np.ndarray  # [pair, mobility] +1 if it moves the second body, −1 the first


@pytree
class Placement:
    """Frames fixed on mobilized bodies, in those; or, at an instant, in ground.

    Positions in ground are from the common point.
    """

    rotation: jax.Array = array(2, "pair", 3, 3, unit="1")
    position: jax.Array = array(2, "pair", 3, unit="m")


def pairs(lookup: Lookup, first: Sequence[str], second: Sequence[str]) -> Pairs:
    """The pairs of bodies of these names."""
    body = np.array([lookup.bodies(first), lookup.bodies(second)], int).reshape(2, -1)
    mobod = lookup.carriers(body)
    support = np.append(lookup.support, np.zeros((1, lookup.support.shape[1])), axis=0)
    return Pairs(body=body, mobod=mobod, moves=support[mobod[1]] - support[mobod[0]])


def poses(frames: Sequence[Sequence[FrameSpec]]) -> tuple[np.ndarray, np.ndarray]:
    """Translation (m) and orientation (rad) `[2, pair, 3]` of the frames of each pair."""
    translation = [[pair[side].translation for pair in frames] for side in (0, 1)]
    orientation = [[pair[side].orientation for pair in frames] for side in (0, 1)]
    return (
        np.array(translation, float).reshape(2, -1, 3),
        np.array(orientation, float).reshape(2, -1, 3),
    )


def on_mobods(
    pairs: Pairs, translation: jax.Array, orientation: jax.Array, frames: BodyFrames
) -> Placement:
    """Frames given on bodies, in the mobilized bodies that carry them."""
    return Placement(
        rotation=frames.turned(pairs.body, orientation),
        position=points_on_mobods(pairs, translation, frames),
    )


def points_on_mobods(pairs: Pairs, location: jax.Array, frames: BodyFrames) -> jax.Array:
    """Points `[2, pair, 3]` (m) given on bodies, in the mobilized bodies that carry them."""
    return matvec(frames.rotation[pairs.body], location) + frames.position[pairs.body]


def in_ground(pairs: Pairs, placement: Placement, kinematics: Kinematics) -> Placement:
    """The frames at an instant."""
    own = _of_both(kinematics.pose, pairs)
    return Placement(
        rotation=matmul(own[..., :3], placement.rotation),
        position=points_in_ground(pairs, placement.position, kinematics),
    )


def points_in_ground(pairs: Pairs, location: jax.Array, kinematics: Kinematics) -> jax.Array:
    """Points `[2, pair, 3]` (m) of mobilized bodies, from the common point, in ground."""
    own = _of_both(kinematics.pose, pairs)
    return matvec(own[..., :3], location) + own[..., 3]


def _of_both(rows: jax.Array, pairs: Pairs) -> jax.Array:
    """Rows `[2, pair, …]` of both mobilized bodies of each pair."""
    taken = take(rows, pairs.mobod.reshape(-1))
    return taken.reshape(*pairs.mobod.shape, *rows.shape[1:])


def relative_velocity(pairs: Pairs, velocity: jax.Array) -> jax.Array:
    """Spatial velocity `[pair, 6]` of the second body over the first, about the common point."""
    first, second = _of_both(velocity, pairs)
    return second - first


def on_both(pairs: Pairs, wrench: jax.Array, count: int) -> jax.Array:
    """Wrenches on all mobilized bodies `[mobod, 6]` (N·m, N), about the common point.

    Args:
      pairs: of bodies.
      wrench: `[pair, 6]` on the second body of each.
      count: of the mobilized bodies.
    """
    mobod = np.arange(count)[:, None]
    sign = (mobod == pairs.mobod[1]).astype(float) - (mobod == pairs.mobod[0])
    return constant_matmul(sign, wrench)


def about_origins(pairs: Pairs, wrench: jax.Array, body_position: jax.Array) -> jax.Array:
    """What each pair does to each of its bodies, `[pair, 2, 6]`, torque about the body's origin.

    Args:
      pairs: of bodies.
      wrench: `[pair, 6]` on the second body of each, about the common point.
      body_position: `[body + 1, 3]` (m) origins from the common point, ground's last.
    """
    sides = []
    for body, sign in zip(pairs.body, (-1.0, 1.0), strict=True):
        torque = wrench[:, :3] - cross(body_position[body], wrench[:, 3:])
        sides.append(sign * spatial(torque, wrench[:, 3:]))
    total = jnp.stack(sides, axis=1)
    same = (pairs.body[0] == pairs.body[1])[:, None, None]  # where the two cancel
    return jnp.where(same, 0.0, total) if same.any() else total


def jacobian(
    pairs: Pairs,
    kinematics: Kinematics,
    unit_wrench: jax.Array,
    damping: jax.Array,
    stiffness: jax.Array,
) -> MobilityJacobian:
    """Damping and stiffness on the mobilities; the unit wrenches are held still.

    Pairs between whose bodies the same coordinates lie go together: the others' entries are zero.

    Args:
      pairs: of bodies.
      kinematics: poses.
      unit_wrench: `[pair, row, 6]` on the second body, about the common point.
      damping: `[pair, row]` −∂force/∂rate, never negative.
      stiffness: `[pair, row]` −∂force/∂value, never negative.
    """
    mobility, rows = pairs.moves.shape[1], unit_wrench.shape[1]
    places, parts = [np.zeros(0, int)], ([], [])
    for group, moving, sign in groups(pairs.moves):
        hinge = take(kinematics.hinge, moving)
        wrench = take(unit_wrench, group).reshape(-1, 6)
        signs = np.repeat(sign, rows, axis=0).astype(wrench.dtype)
        moved = _moved(wrench, hinge, signs)
        for values, part in zip((damping, stiffness), parts, strict=True):
            part.append(weighted_gram(moved, take(values, group).reshape(-1)).reshape(-1))
        places.append((moving[:, None] * mobility + moving).reshape(-1))
    return MobilityJacobian(*(placed(part, places, mobility, damping.dtype) for part in parts))


@stage
def _moved(wrench: jax.Array, hinge: jax.Array, signs: np.ndarray) -> jax.Array:
    """Generalized forces `[row, moving]` of wrenches `[row, 6]`."""
    return matmul_nt(wrench, hinge) * signs


def placed(
    parts: Sequence[jax.Array], places: Sequence[np.ndarray], mobility: int, dtype: np.dtype
) -> jax.Array:
    """The matrix `[mobility, mobility]` of entries, those at one place added up.

    Args:
      parts: entries, in several arrays.
      places: for each entry its number in the matrix, row by row.
      mobility: the matrix's size.
      dtype: of the matrix.
    """
    entries = concatenate(parts) if parts else jnp.zeros(0, dtype)
    flat = segment_sum(entries, np.concatenate(places), mobility * mobility)
    return flat.reshape(mobility, mobility)


def groups(moves: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of bodies by the free coordinates that move one over the other.

    Args:
      moves: `[pair, mobility]` +1 if it moves the second body, −1 the first.

    Returns:
      For each group its pairs, those coordinates, and `moves` of the two.
    """
    members: dict[tuple[int, ...], list[int]] = {}
    for pair, row in enumerate(moves):
        members.setdefault(tuple(np.flatnonzero(row).tolist()), []).append(pair)
    return [
        (np.array(pairs), np.array(moving), moves[np.ix_(pairs, moving)])
        for moving, pairs in members.items()
        if moving
    ]
