"""OpenSim's accelerations with its own rounding taken out.

OpenSim holds a locked coordinate by a constraint: it lets the coordinate fall freely, often at
1e7 rad/s², and pulls it back, and what is left of the cancellation shows in every acceleration
(residues of 1e-7 N·m in its own equations of motion). Deleting the locked coordinates from those
equations is the same thing without the cancellation. So we take OpenSim's mass matrix and its
inverse dynamics, and do one step of iterative refinement from the values it reports.
"""

from __future__ import annotations

import numpy as np

from jaxosim.opensim import reading
from jaxosim.opensim.library import opensim
from jaxosim.opensim.reading import Arrays


class Refinement:
    """Refines the accelerations of one model, state by state."""

    def __init__(self, model: opensim.Model, mobility: np.ndarray, locked: np.ndarray):
        """Prepare for a model.

        Args:
          model: initialized.
          mobility: [coordinate] place in Simbody's u.
          locked: [coordinate] bool.
        """
        self._model, self._mobility, self._free = model, mobility, ~locked
        self._inverse_dynamics = opensim.InverseDynamicsSolver(model)
        bodies = reading.members(model.getBodySet())
        self._body = [int(body.getMobilizedBodyIndex()) for body in bodies]
        self._mass = np.array([body.getMass() for body in bodies])
        self._mass_center = np.array([reading.vector3(body.getMassCenter()) for body in bodies])

    def refined(self, state: opensim.State, report: Arrays) -> Arrays:
        """Refined accelerations of a report, under its keys with `refined_` before them.

        Args:
          state: realized to acceleration.
          report: what OpenSim says at that state.

        Returns:
          Also `condition`, of the free coordinates' mass matrix scaled to a unit diagonal: near
          gimbal lock no solver keeps all digits; and `own_residual` (N·m | N), the largest force
          missing in OpenSim's equations of motion for the accelerations that it reports.
        """
        matter, free = self._model.getMatterSubsystem(), self._free
        u_dot = np.where(free, report["u_dot"], 0.0)
        residual = self.residual(state, u_dot)
        mass, jacobian = opensim.Matrix(), opensim.Matrix()
        matter.calcM(state, mass)
        mass = mass.to_numpy()[np.ix_(self._mobility[free], self._mobility[free])]
        u_dot[free] -= np.linalg.solve(mass, residual[free])
        matter.calcSystemJacobian(state, jacobian)
        change = jacobian.to_numpy()[:, self._mobility] @ (u_dot - report["u_dot"])
        angular, linear = change.reshape(-1, 2, 3)[self._body].swapaxes(0, 1)
        arm = np.einsum("bij,bj->bi", report["body_rotation"], self._mass_center)
        of_mass_center = self._mass @ (linear + np.cross(angular, arm)) / self._mass.sum()
        scale = np.sqrt(np.diag(mass))
        return {
            "refined_u_dot": u_dot,
            "refined_body_acceleration": report["body_acceleration"] + linear,
            "refined_body_angular_acceleration": report["body_angular_acceleration"] + angular,
            "refined_mass_center_acceleration": report["mass_center_acceleration"] + of_mass_center,
            "condition": np.linalg.cond(mass / np.outer(scale, scale)),
            "own_residual": np.abs(residual[free]).max(initial=0.0),
        }

    def residual(self, state: opensim.State, u_dot: np.ndarray) -> np.ndarray:
        """Force missing for these accelerations, `[coordinate]` (N·m | N)."""
        udot = opensim.Vector(state.getNU(), 0.0)
        for place, value in zip(self._mobility, u_dot, strict=True):
            udot.set(int(place), float(value))
        return self._inverse_dynamics.solve(state, udot).to_numpy()[self._mobility]
