"""OpenSim's accelerations with its own rounding taken out.

OpenSim holds a locked coordinate by a constraint: it lets the coordinate fall freely, often at
1e7 rad/s², and pulls it back, and what is left of the cancellation shows in every acceleration
(residues of 1e-7 N·m in its own equations of motion). Deleting the locked coordinates from those
equations is the same thing without the cancellation. So we take OpenSim's mass matrix, the Jacobian
and errors of its other constraints, and its inverse dynamics, and do one step of iterative
refinement from the values it reports. The lock of one angle of a Ball joint, whose speeds are the
angular velocity, holds no single speed: it stays one of the constraints.
"""

from __future__ import annotations

import numpy as np

from jaxosim.joints import JOINTS, ROTATIONS
from jaxosim.opensim import reading
from jaxosim.opensim.library import opensim
from jaxosim.opensim.reading import Arrays

_REDUNDANT = 1e-10  # relative singular value below which a constraint equation follows from others


class Refinement:
    """Refines the accelerations of one model, state by state.

    Attributes:
      free: [coordinate] bool, whose speeds no lock holds at zero.
    """

    def __init__(self, model: opensim.Model, mobility: np.ndarray, locked: np.ndarray):
        """Prepare for a model.

        Args:
          model: initialized.
          mobility: [coordinate] place in Simbody's u.
          locked: [coordinate] bool.
        """
        self._model, self._mobility = model, mobility
        self.free = ~(locked & ~_turns_on(model, locked))
        self._inverse_dynamics = opensim.InverseDynamicsSolver(model)
        bodies = list(model.getBodyList())
        self._body = [int(body.getMobilizedBodyIndex()) for body in bodies]
        self._mass = reading.masses(bodies)
        self._mass_center = np.array([reading.vector3(body.getMassCenter()) for body in bodies])

    def reported(self, state: opensim.State) -> np.ndarray:
        """Accelerations that OpenSim reports at a state realized to them, `[coordinate]`."""
        return state.getUDot().to_numpy()[self._mobility]

    def u_dot(self, state: opensim.State, reported: np.ndarray) -> Arrays:
        """Refined accelerations of the coordinates, and how good those are that OpenSim reports.

        Args:
          state: realized to acceleration.
          reported: `[coordinate]` accelerations at that state.

        Returns:
          `refined_u_dot`; `condition`, of the free coordinates' equations: near gimbal lock no
          solver keeps all digits; and `own_residual` (N·m | N, or of constraint equations), the
          largest force missing in OpenSim's equations of motion for the accelerations it reports.
        """
        free = self.free
        u_dot = np.where(free, reported, 0.0)
        residual = self.residual(state, u_dot)[free]
        mass = opensim.Matrix()
        self._model.getMatterSubsystem().calcM(state, mass)
        mass = mass.to_numpy()[np.ix_(self._mobility[free], self._mobility[free])]
        rows, error = self._equations(state, u_dot - reported)
        change, own_residual, condition = _correction(mass, rows, residual, error)
        u_dot[free] += change
        return {
            "refined_u_dot": u_dot,
            "condition": np.asarray(condition),
            "own_residual": np.asarray(own_residual),
        }

    def refined(self, state: opensim.State, report: Arrays) -> Arrays:
        """Refined accelerations of a report, under its keys with `refined_` before them.

        Args:
          state: realized to acceleration.
          report: what OpenSim says at that state.

        Returns:
          Also what `u_dot` returns.
        """
        found = self.u_dot(state, report["u_dot"])
        jacobian = opensim.Matrix()
        self._model.getMatterSubsystem().calcSystemJacobian(state, jacobian)
        change = jacobian.to_numpy()[:, self._mobility] @ (found["refined_u_dot"] - report["u_dot"])
        angular, linear = change.reshape(-1, 2, 3)[self._body].swapaxes(0, 1)
        arm = np.einsum("bij,bj->bi", report["body_rotation"], self._mass_center)
        of_mass_center = self._mass @ (linear + np.cross(angular, arm)) / self._mass.sum()
        return found | {
            "refined_body_acceleration": report["body_acceleration"] + linear,
            "refined_body_angular_acceleration": report["body_angular_acceleration"] + angular,
            "refined_mass_center_acceleration": report["mass_center_acceleration"] + of_mass_center,
        }

    def _equations(self, state: opensim.State, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the constraint Jacobian `[equation, free]`, and errors after a change of u_dot.

        Equations that move no free coordinate, such as those of locked ones, are left out.
        """
        jacobian = opensim.Matrix()
        self._model.getMatterSubsystem().calcG(state, jacobian)
        if not jacobian.nrow():
            return np.zeros((0, int(self.free.sum()))), np.zeros(0)
        whole = jacobian.to_numpy()[:, self._mobility]
        error = state.getUDotErr().to_numpy() + whole @ change
        rows = whole[:, self.free]
        kept = np.abs(rows).max(axis=1, initial=0.0) > 0
        return rows[kept], error[kept]

    def missing(self, state: opensim.State, u_dot: np.ndarray) -> np.ndarray:
        """Force missing for these accelerations that no multiplier provides, `[free]` (N·m | N)."""
        rows, _ = self._equations(state, np.zeros_like(u_dot))
        return _unprovided(rows, self.residual(state, u_dot)[self.free])

    def residual(self, state: opensim.State, u_dot: np.ndarray) -> np.ndarray:
        """Force missing for these accelerations, multipliers aside, `[coordinate]` (N·m | N)."""
        udot = opensim.Vector(state.getNU(), 0.0)
        for place, value in zip(self._mobility, u_dot, strict=True):
            udot.set(int(place), float(value))
        return self._inverse_dynamics.solve(state, udot).to_numpy()[self._mobility]


def _turns_on(model: opensim.Model, locked: np.ndarray) -> np.ndarray:
    """The angles of Ball joints and the like that have locked and free ones, `[coordinate]` bool.

    Their speeds are the angular velocity, none of which is zero for the lock of one angle.
    """
    coordinates = reading.members(model.getCoordinateSet())
    index = {c.getAbsolutePathString(): place for place, c in enumerate(coordinates)}
    turns_on = np.zeros(len(locked), bool)
    for joint in model.getJointList():
        kind = JOINTS.get(joint.getConcreteClassName())
        if kind is not None and kind.ANGULAR_VELOCITY:
            angles = [joint.get_coordinates(axis) for axis in range(ROTATIONS)]
            places = [index[angle.getAbsolutePathString()] for angle in angles]
            turns_on[places] = not locked[places].all()
    return turns_on


def _correction(
    mass: np.ndarray, rows: np.ndarray, residual: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Change of accelerations that satisfies M x + Gᵀ λ = −residual and G x = −error.

    Args:
      mass: `[free, free]` M.
      rows: `[equation, free]` G, whose rows may depend on one another.
      residual: `[free]` force missing at the present accelerations, multipliers aside.
      error: `[equation]` of the present accelerations.

    Returns:
      x `[free]`; the largest part of residual that no multiplier provides, or of error; and the
      condition of M scaled to a unit diagonal, infinite if M is not positive definite, or, if it is
      larger, of G M⁻¹ Gᵀ.
    """
    scale = 1 / np.sqrt(np.diag(mass))
    scaled = mass * np.outer(scale, scale)
    moments = np.linalg.eigvalsh(scaled) if len(mass) else np.ones(1)
    condition = moments[-1] / moments[0] if moments[0] > 0 else np.inf
    if not len(rows):
        return -np.linalg.solve(mass, residual), np.abs(residual).max(initial=0.0), condition
    lengths = np.linalg.norm(rows * scale, axis=1)
    unit, error_of_unit = rows * scale / lengths[:, None], error / lengths
    response = np.linalg.solve(scaled, unit.T)
    schur = np.linalg.svd(unit @ response, compute_uv=False)
    condition = max(condition, schur[0] / schur[schur > _REDUNDANT * schur[0]].min())
    free = np.linalg.solve(scaled, -residual * scale)
    wanted = unit @ free + error_of_unit
    multipliers = np.linalg.lstsq(unit @ response, wanted, rcond=_REDUNDANT)[0]
    own_residual = max(np.abs(_unprovided(rows, residual)).max(), np.abs(error).max())
    return scale * (free - response @ multipliers), own_residual, condition


def _unprovided(rows: np.ndarray, force: np.ndarray) -> np.ndarray:
    """The part of a force `[free]` that is no sum of rows of G `[equation, free]`."""
    if not len(rows):
        return force
    return force - rows.T @ np.linalg.lstsq(rows.T, force, rcond=_REDUNDANT)[0]
