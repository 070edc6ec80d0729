"""Moment arms of muscles in OpenSim, and how exact OpenSim's are.

Without constraints they are generalized forces at unit tension. With constraints OpenSim gives a
coordinate a speed of one, projects the speeds onto the constraints, and divides by what is left of
it: one less nearly all of it where the constraints hardly let it move, so that the quotient has the
rounding of one.

Source: OpenSim `MomentArmSolver`.
"""

from __future__ import annotations

import numpy as np

from jaxosim.opensim.library import opensim

ROUNDING = 8  # units of rounding in what is left of a speed; the largest seen is 4


def of_tension(
    model: opensim.Model, state: opensim.State, muscles: list, mobility: np.ndarray
) -> np.ndarray:
    """Generalised force of each path at unit tension, `[muscle, coordinate]` (m | 1).

    Args:
      model: with constraints or without.
      state: realized to positions.
      muscles: of the model.
      mobility: [coordinate] their places among OpenSim's speeds.
    """
    matter = model.getMatterSubsystem()
    jacobian = opensim.Matrix()
    matter.calcSystemJacobian(state, jacobian)
    zero = opensim.SpatialVec(opensim.Vec3(0.0), opensim.Vec3(0.0))
    rows = np.zeros((len(muscles), len(mobility)))
    for row, muscle in zip(rows, muscles, strict=True):
        body_forces = opensim.VectorOfSpatialVec(jacobian.nrow() // 6, zero)
        mobility_forces = opensim.Vector(state.getNU(), 0.0)
        muscle.getPath().addInEquivalentForces(state, 1.0, body_forces, mobility_forces)
        through_bodies = opensim.Vector()
        matter.multiplyBySystemJacobianTranspose(state, body_forces, through_bodies)
        total = through_bodies.to_numpy() + mobility_forces.to_numpy()
        row[:] = total[mobility]
    return rows


def coupled(
    model: opensim.Model,
    state: opensim.State,
    muscles: list,
    coordinates: list,
    mobility: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Moment arms of coordinates together with those that constraints couple to them.

    Args:
      model: with constraints.
      state: realized to velocities.
      muscles: of the model.
      coordinates: of the model.
      mobility: [coordinate] their places among OpenSim's speeds.

    Returns:
      `[muscle, coordinate]` (m | 1), and how far rounding may move them; both zero where the
      constraints leave nothing of a speed but rounding, or OpenSim's number is not finite.
    """
    jacobian = opensim.Matrix()
    model.getMatterSubsystem().calcG(state, jacobian)
    left = _left_of_speeds(jacobian.to_numpy())[mobility]
    unit = ROUNDING * np.finfo(float).eps  # that every projected speed may be off
    pairs = ((muscle, coordinate) for muscle in muscles for coordinate in coordinates)
    arms = np.array([muscle.computeMomentArm(state, coordinate) for muscle, coordinate in pairs])
    arms = arms.reshape(len(muscles), len(coordinates))
    known = np.isfinite(arms) & (left > unit / 2)
    arms = np.where(known, arms, 0.0)
    forces = np.abs(of_tension(model, state, muscles, mobility)).sum(axis=1, keepdims=True)
    rounding = unit / np.where(known, left, 1.0) * (np.abs(arms) + forces)
    return arms, np.where(known, rounding, 0.0)


def _left_of_speeds(jacobian: np.ndarray) -> np.ndarray:
    """What the projection onto constraints leaves of a speed of one, `[mobility]` from 0 to 1."""
    _, values, directions = np.linalg.svd(jacobian)
    rank = int((values > len(values) * np.finfo(float).eps * values.max(initial=0.0)).sum())
    return (directions[rank:] ** 2).sum(axis=0)
