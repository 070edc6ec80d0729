"""Constraint equations of a model: errors, Jacobian and bias, all classes together.

Source: Simbody `SimbodyMatterSubsystem`, constraint equations; see docs/theory/constraints.md.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.constrained import constrained_system, solve_constrained
from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import matmul_nt
from jaxosim.arrays.positive_definite import inverse_positive, solve_positive
from jaxosim.constraints import present
from jaxosim.constraints.constraint import (
    BodyRows,
    CoordinateRows,
    Equations,
    Motion,
    Placement,
)
from jaxosim.dynamics.angles import angle_bias, angles_by_spin, by_speeds
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.joints import JointInfo, coordinate_rates
from jaxosim.dynamics.kinematics import PositionInfo, VelocityInfo
from jaxosim.pytree import array, pytree
from jaxosim.types import Model, Params, State


@pytree
class ConstraintInfo:
    """Constraint equations at the position stage."""

    placement: Placement
    error: jax.Array = array("equation", unit="rad | m | 1")  # e
    jacobian: jax.Array = array("equation", "mobility", unit="mixed")  # G: ė = G u + error_rate
    error_rate: jax.Array = array("equation", unit="mixed")  # ∂e/∂t


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
            instance.constraints[one.FIELD],
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
    )


def _mobility_rows(
    model: Model, joints: JointInfo, position: PositionInfo, part: Equations
) -> jax.Array:
    """Rows of G, `[equation, mobility]`."""
    tree, rows, count = model.tree, part.rows, len(part.error)
    if isinstance(rows, CoordinateRows):
        rows = by_speeds(model, joints, rows)
        place = np.full(len(model.coordinate_names), -1)
        place[tree.mobility] = np.arange(len(tree.mobility))
        own = place[rows.coordinate]
        kept = np.flatnonzero(own >= 0)  # locked coordinates do not move
        cells = rows.equation[kept] * len(tree.mobility) + own[kept]
        entries = segment_sum(take(rows.value, kept), cells, count * len(tree.mobility))
        return entries.reshape(count, -1)
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
    parts = []
    for one in present(model):
        structure = getattr(model, one.FIELD)
        given = getattr(params, one.FIELD), instance.constraints[one.FIELD], info.placement
        bias = one.bias(structure, *given, motion)
        if np.isin(one.coordinates(structure), angles_by_spin(model)).any():
            rows = one.evaluate(structure, *given).rows
            bent = rows.value * take(angle_bias(model, joints, u), rows.coordinate)
            bias = bias + segment_sum(bent, rows.equation, len(bias))
        parts.append(bias)
    return concatenate(parts)


def accelerations(
    mass: jax.Array,
    force: jax.Array,
    constraints: ConstraintInfo | None,
    bias: jax.Array | None,
) -> jax.Array:
    """The accelerations `[mobility]` of M u_dot + Gᵀ λ = force under G u_dot + bias = 0.

    Args:
      mass: `[mobility, mobility]` M, lower triangle.
      force: `[mobility]`.
      constraints: with G; None where there is no constraint.
      bias: `[equation]`, or None.
    """
    inverse = inverse_positive(mass)
    if constraints is None or bias is None:
        return solve_positive(mass, inverse, force)
    system = constrained_system(mass, inverse, constraints.jacobian)
    return solve_constrained(system, force, -bias)[0]
