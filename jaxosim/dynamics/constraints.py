"""Constraint equations of a model: errors, Jacobian and bias, all classes together.

Source: Simbody `SimbodyMatterSubsystem`, constraint equations; see docs/theory/constraints.md.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.constrained import constrained_system, solve_constrained_refined
from jaxosim.arrays.indexing import concatenate, segment_sum, stack, take
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import cross, matmul_nt, matvec, scale_rows
from jaxosim.arrays.positive_definite import inverse_positive, solve_refined
from jaxosim.constraints import present
from jaxosim.constraints.constraint import (
    BodyRows,
    CoordinateRows,
    Equations,
    Motion,
    PairStructure,
    Placement,
)
from jaxosim.dynamics.angles import angle_bias, angles_by_spin, by_speeds
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.joints import JointInfo, coordinate_rates
from jaxosim.dynamics.kinematics import PositionInfo, VelocityInfo
from jaxosim.dynamics.multibody import InertiaInfo, NetForce, missing_force
from jaxosim.pytree import array, pytree
from jaxosim.types import Model, Params, State


@pytree
class CoordinateReactions:
    """What constraints between coordinates do."""

    force: jax.Array = array("constraint", "coordinate", unit="N·m | N")


@pytree
class BodyReactions:
    """What constraints do to their first and second body, about its origin, in ground."""

    force: jax.Array = array("constraint", 2, 3, unit="N")
    torque: jax.Array = array("constraint", 2, 3, unit="N·m")


@pytree
class ConstraintInfo:
    """Constraint equations at the position stage."""

    placement: Placement
    error: jax.Array = array("equation", unit="rad | m | 1")  # e
    jacobian: jax.Array = array("equation", "mobility", unit="mixed")  # G: ė = G u + error_rate
    error_rate: jax.Array = array("equation", unit="mixed")  # ∂e/∂t
    # ∂e/∂q of the angles whose rates are no speeds; None where there is none in an equation
    by_angles: jax.Array | None = array("equation", "angle", unit="mixed")


def is_constrained(model: Model) -> bool:
    """Whether there is any equation; if not, nothing of this is traced."""
    return model.sizes["equation"] > 0


@stage
def realize_constraints(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    joints: JointInfo,
    position: PositionInfo,
    state: State,
) -> ConstraintInfo | None:
    """Errors of the equations and their Jacobian; None where there is no constraint."""
    if not is_constrained(model):
        return None
    placement = Placement(time=state.time, q=state.q, pose=position.pose)
    parts: list[Equations] = [
        one.evaluate(
            getattr(model, one.FIELD),
            getattr(params, one.FIELD),
            instance.constraints.get(one.FIELD),
            placement,
        )
        for one in present(model)
    ]
    jacobian = [_mobility_rows(model, joints, position, part) for part in parts]
    rates = [
        jnp.zeros_like(part.error) if part.error_rate is None else part.error_rate for part in parts
    ]
    return ConstraintInfo(
        placement=placement,
        error=concatenate([part.error for part in parts]),
        jacobian=concatenate(jacobian),
        error_rate=concatenate(rates),
        by_angles=_angle_columns(model, parts),
    )


def _angle_columns(model: Model, parts: Sequence[Equations]) -> jax.Array | None:
    """Derivatives of the errors by the angles whose rates are no speeds, `[equation, angle]`."""
    angles = angles_by_spin(model)
    on_coordinates = [part.rows for part in parts if isinstance(part.rows, CoordinateRows)]
    if not any(np.isin(rows.coordinate, angles).any() for rows in on_coordinates):
        return None
    return concatenate(
        [
            _columns(part.rows, angles, len(part.error))
            if isinstance(part.rows, CoordinateRows)
            else jnp.zeros((len(part.error), len(angles)), part.error.dtype)
            for part in parts
        ]
    )


def _columns(rows: CoordinateRows, coordinates: np.ndarray, count: int) -> jax.Array:
    """The entries of these coordinates as a matrix `[equation, coordinate]` of count rows."""
    entry, column = np.nonzero(rows.coordinate[:, None] == coordinates)
    cells = rows.equation[entry] * len(coordinates) + column
    entries = segment_sum(take(rows.value, entry), cells, count * len(coordinates))
    return entries.reshape(count, -1)


def _mobility_rows(
    model: Model, joints: JointInfo, position: PositionInfo, part: Equations
) -> jax.Array:
    """Rows of G, `[equation, mobility]`."""
    tree, rows, count = model.tree, part.rows, len(part.error)
    if isinstance(rows, CoordinateRows):  # locked coordinates do not move
        return _columns(by_speeds(model, joints, rows), tree.mobility, count)
    assert isinstance(rows, BodyRows)
    moved = np.concatenate([tree.support, np.zeros((1, len(tree.mobility)))])  # ground does not
    sign = moved[rows.second] - moved[rows.first]
    return matmul_nt(rows.wrench, position.hinge) * sign.astype(rows.wrench.dtype)


def realize_bias(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    info: ConstraintInfo | None,
    joints: JointInfo,
    velocity: VelocityInfo,
    u: jax.Array,
) -> jax.Array | None:
    """Second derivatives of the errors where no coordinate accelerates, `[equation]`."""
    if info is None:
        return None
    rest = jnp.zeros((1, 6), velocity.velocity.dtype)
    motion = Motion(
        q_dot=coordinate_rates(model, joints, u),
        velocity=velocity.velocity_of_frames,
        acceleration=concatenate([velocity.bias_acceleration, rest]),
    )
    bias = concatenate(
        [
            one.bias(
                getattr(model, one.FIELD),
                getattr(params, one.FIELD),
                instance.constraints.get(one.FIELD),
                info.placement,
                motion,
            )
            for one in present(model)
        ]
    )
    if info.by_angles is None:
        return bias
    return bias + matvec(info.by_angles, angle_bias(model, joints, u))


def accelerations(
    model: Model,
    position: PositionInfo,
    inertia: InertiaInfo,
    mass: jax.Array,
    net: NetForce,
    constraints: ConstraintInfo | None,
    bias: jax.Array | None,
) -> tuple[jax.Array, jax.Array | None]:
    """Accelerations `[mobility]` and multipliers λ of M u_dot + Gᵀ λ = force, G u_dot + bias = 0.

    Solved with M, then once more for the force that is missing body by body.

    Args:
      model: static structure.
      position: poses.
      inertia: of the bodies.
      mass: `[mobility, mobility]` M, lower triangle.
      net: with the force.
      constraints: with G; None where there is no constraint.
      bias: `[equation]`, or None.

    Returns:
      The multipliers are `[equation]`, or None where there is no constraint.
    """
    inverse = inverse_positive(mass)
    known = jax.lax.stop_gradient((position, inertia, net))
    missing = functools.partial(missing_force, model, *known)
    if constraints is None or bias is None:
        return solve_refined(mass, inverse, net.force, missing), None
    system = constrained_system(mass, inverse, constraints.jacobian)
    return solve_constrained_refined(system, net.force, -bias, missing)


def reactions(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    joints: JointInfo,
    info: ConstraintInfo | None,
    multiplier: jax.Array | None,
    body_position: jax.Array,
) -> dict[str, CoordinateReactions | BodyReactions]:
    """What the constraints of each class do, −Gᵀ λ, by their field; nothing where there are none.

    Args:
      model: static structure.
      params: model parameters.
      instance: what follows from params alone.
      joints: position stage.
      info: equations.
      multiplier: `[equation]` λ.
      body_position: `[body + 1, 3]` (m) origins from the common point, ground's last.
    """
    if info is None or multiplier is None:
        return {}
    found, start = {}, 0
    for one in present(model):
        structure = getattr(model, one.FIELD)
        given = getattr(params, one.FIELD), instance.constraints.get(one.FIELD), info.placement
        rows = one.evaluate(structure, *given).rows
        count, owners = one.equation_count(structure), len(structure.names)
        of = np.repeat(np.arange(owners), count // owners)
        force = -multiplier[start : start + count]
        start += count
        if isinstance(rows, CoordinateRows):
            by_speed = by_speeds(model, joints, rows)
            values = by_speed.value * take(force, by_speed.equation)
            size = len(model.coordinate_names)
            cells = of[by_speed.equation] * size + by_speed.coordinate
            entries = segment_sum(values, cells, owners * size)
            found[one.FIELD] = CoordinateReactions(force=entries.reshape(owners, size))
        else:
            wrench = segment_sum(scale_rows(rows.wrench, force), of, owners)
            found[one.FIELD] = _on_bodies(structure, wrench, body_position)
    return found


def _on_bodies(
    structure: PairStructure, wrench: jax.Array, body_position: jax.Array
) -> BodyReactions:
    """Wrenches on second bodies, about the common point, as what both bodies feel."""
    force = stack([-wrench[:, 3:], wrench[:, 3:]], axis=1)
    arm = stack(
        [take(body_position, body) for body in (structure.first_body, structure.second_body)],
        axis=1,
    )
    torque = stack([-wrench[:, :3], wrench[:, :3]], axis=1)
    return BodyReactions(force=force, torque=torque - cross(arm, force))
