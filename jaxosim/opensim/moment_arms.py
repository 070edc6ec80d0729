"""Moment arms of muscles in OpenSim, and how exact OpenSim's are.

Without constraints they are generalized forces at unit tension. With constraints OpenSim gives a
coordinate a speed of 1, projects the speeds onto the constraints, and divides them by what is left
of that one. Each projected speed has an error of some units of rounding. Where the constraints
hardly let the coordinate move, little is left, and the quotients have few digits.

Source: OpenSim `MomentArmSolver`.
"""

from __future__ import annotations

import numpy as np

from jaxosim.opensim.library import opensim
from jaxosim.opensim.reading import or_nan

ROUNDING = 8  # units of rounding in what is left of a speed; the largest seen is 4


def of_tension(
    model: opensim.Model, state: opensim.State, muscles: list, mobility: np.ndarray
) -> np.ndarray:
    """Generalized force of each path at unit tension, `[muscle, coordinate]` (m | 1).

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
      `[muscle, coordinate]` (m | 1), NaN where OpenSim raises, and how far rounding may move them;
      both zero where the constraints leave nothing of a speed but rounding.
    """
    jacobian = opensim.Matrix()
    model.getMatterSubsystem().calcG(state, jacobian)
    left = _left_of_speeds(jacobian.to_numpy())[mobility]
    unit = ROUNDING * np.finfo(float).eps  # that every projected speed may be off
    getters = (muscle.computeMomentArm for muscle in muscles for _ in coordinates)
    asked = zip(getters, coordinates * len(muscles), strict=True)
    arms = np.array([or_nan(getter, state, coordinate) for getter, coordinate in asked])
    known = np.broadcast_to(left > unit / 2, (len(muscles), len(coordinates)))
    arms = np.where(known, arms.reshape(known.shape), 0.0)
    forces = np.abs(of_tension(model, state, muscles, mobility)).sum(axis=1, keepdims=True)
    rounding = unit / np.where(known, left, 1.0) * (np.abs(arms) + forces)
    return arms, np.where(known, rounding, 0.0)


def _left_of_speeds(jacobian: np.ndarray) -> np.ndarray:
    """What the projection onto constraints leaves of a speed of one, `[mobility]` from 0 to 1.

    Rows whose singular values are small enough count as redundant, as in Simbody's `projectU`: a
    pose that satisfies constraints to 1e-11 only has such rows where they are redundant.
    """
    if not np.isfinite(jacobian).all():
        return np.ones(jacobian.shape[1])
    _, values, directions = np.linalg.svd(jacobian)
    least = len(jacobian) * np.sqrt(np.finfo(float).eps) * values.max(initial=0.0)
    return (directions[int((values > least).sum()) :] ** 2).sum(axis=0)
