"""How the forces of contacts change with pose and speed: what makes standing and sliding stiff.

Geometry is held still; what is left are normal stiffness, normal damping and friction. Friction
that slides resists a change of slip only sideways, friction that sticks in every direction. A
matrix of the former kind is exact while a slip goes on, but does not see that it may end within the
step, and then the step overshoots; one of the latter kind, with the secant of friction over slip,
is safe, and wrong by a stiff term as long as the slip goes on. Between them decides how far
friction could turn the slip around within the step.

Source: derived in docs/theory/contact.md, "Jacobian".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import cross, dot, matvec, scale_rows, sum_leading, weighted_gram
from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.forces.force import Kinematics, MobilityJacobian
from jaxosim.forces.hunt_crossley_records import Info, Params, Structure
from jaxosim.forces.two_frames import groups, placed

# Times its own size that friction could change a slip in a step, at which sliding counts half. It
# is ten and not one, since muscles and springs mostly balance friction; a hundred is not safe.
_TURNS = 10.0


class _Slopes(NamedTuple):
    """Of the forces of contacts, `[pair]`."""

    direction: jax.Array  # [pair, 3] of the slip
    slip: jax.Array  # N·s/m, of friction across the slip
    slide: jax.Array  # N·s/m, of friction along the slip, where it goes on
    press: jax.Array  # N·s/m, of the normal force by approach
    spring: jax.Array  # N/m, of the normal force by depth


@stage
def _slopes(contact: Info) -> _Slopes:
    pressing = contact.normal_force > 0
    approach = dot(contact.velocity, contact.normal)
    tangential = contact.velocity - scale_rows(contact.normal, approach)
    press = 1.5 * contact.dissipation * contact.hertz_force
    spring = 1.5 * safe_divide(contact.normal_force, clip(contact.depth, low=0.0))
    return _Slopes(
        direction=safe_divide(tangential, safe_norm(tangential)[:, None]),
        slip=contact.friction_slope,
        slide=contact.sliding_slope,
        press=jnp.where(pressing, press, 0.0),
        spring=jnp.where(pressing, spring, 0.0),
    )


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Damping −∂force/∂u and stiffness −∂force/∂q of all contacts, for a step of h.

    Contacts that the same coordinates move go together: the others' entries are zero.

    Args:
      structure: static structure.
      params: model parameters.
      kinematics: poses.
      info: forces.
      inertia: `[mobility]` diagonal of the mass matrix.
      h: (s) the step.
    """
    mobility, slopes = structure.pair_moves.shape[1], _slopes(info)
    places, damping, stiffness = [np.zeros(0, int)], [], []
    for pairs, moving, sign in groups(structure.pair_moves):
        jacobian = _point_jacobian(kinematics.hinge, info.position, pairs, moving, sign)
        own = _Slopes(*(take(slope, pairs) for slope in slopes))
        normal, along = _components(jacobian, take(info.normal, pairs), own.direction)
        rows = jnp.moveaxis(jacobian, -1, 0).reshape(-1, len(moving))
        friction = weighted_gram(rows, jnp.tile(own.slip, 3))
        less = _sliding(own, along, take(inertia, moving), h)
        straight = concatenate([normal, along]), concatenate([own.press - own.slip, -less])
        damping.append((friction + weighted_gram(*straight)).reshape(-1))
        stiffness.append(weighted_gram(normal, own.spring).reshape(-1))
        places.append((moving[:, None] * mobility + moving).reshape(-1))

    dtype = info.depth.dtype
    return MobilityJacobian(
        *(placed(part, places, mobility, dtype) for part in (damping, stiffness))
    )


@stage
def _point_jacobian(
    hinge: jax.Array, position: jax.Array, pairs: np.ndarray, moving: np.ndarray, sign: np.ndarray
) -> jax.Array:
    """Velocity of the points of contact by the coordinates' speeds, `[pair, moving, 3]`."""
    # By repeated rows: a broadcast would be transposed to a reduction.
    axis = take(hinge, np.tile(moving, len(pairs)))
    point = take(position, np.repeat(pairs, len(moving)))
    moved = (axis[:, 3:] + cross(axis[:, :3], point)).reshape(*sign.shape, 3)
    return moved * sign.astype(moved.dtype)[..., None]


@stage
def _components(
    jacobian: jax.Array, normal: jax.Array, direction: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Of these velocities, `[pair, moving]` each: along the normals and along the slips."""
    return matvec(jacobian, normal), matvec(jacobian, direction)


def _sliding(
    slopes: _Slopes, along: jax.Array, inertia: jax.Array, h: float | jax.Array
) -> jax.Array:
    """What friction's damping is less along the slip than across, `[pair]` (N·s/m).

    Friction alone takes of the slip, in a step, the part h · slope / mass at the contact, which is
    estimated as if every coordinate moved alone. Where that is much, the slip may stop.

    Args:
      slopes: of these pairs.
      along: `[pair, moving]` velocity along the slip by the coordinates' speeds.
      inertia: `[moving]` diagonal of the mass matrix.
      h: (s) the step.
    """
    mobility = sum_leading(jnp.moveaxis(along * along / inertia[None, :], 1, 0))
    part = (h * slopes.slip * mobility / _TURNS) ** 2
    return (slopes.slip - slopes.slide) / (1 + part)
