"""A world in a live OpenSim, driven as osim-rl drives it: steps of 10 ms, and a description.

A control step sets the controls and integrates for 10 ms with one manager that goes on from step
to step, so that its first stage after a change still uses the controls before, as under osim-rl.

Source: osim-rl 2.1.0 `OsimModel`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxosim.opensim import reading
from jaxosim.opensim.model import OpenSimModel
from jaxosim.opensim.osim_rl_rules import Description
from jaxosim.opensim.reading import Arrays
from jaxosim.osim_rl.constants import OSIM_RL_STEP, STARTING_CONTROL


class OpenSimWorld:
    """One world."""

    def __init__(self, path: str | os.PathLike) -> None:
        """Read a model; `begin` makes the first state.

        Args:
          path: the `.osim` file.

        Raises:
          MissingExtraError: OpenSim is not installed, or does not load.
          RuntimeError: OpenSim refuses the model.
        """
        self.live = OpenSimModel(path)
        self._model = self.live.model
        self._joints = {
            joint.getName(): [joint.get_coordinates(i) for i in range(joint.numCoordinates())]
            for joint in reading.members(self._model.getJointSet())
        }
        containers = {
            "bodies": self._model.getBodySet(),
            "muscles": self._model.getMuscles(),
            "forces": self._model.getForceSet(),
            "markers": self._model.getMarkerSet(),
        }
        named = {
            kind: {member.getName(): member for member in reading.members(container)}
            for kind, container in containers.items()
        }
        self._bodies, self._muscles = named["bodies"], named["muscles"]
        self._forces, self._markers = named["forces"], named["markers"]

    def begin(
        self,
        values: Mapping[str, np.ndarray] | None = None,
        *,
        accuracy: float = 5e-5,
        fresh: bool = False,
        controls: np.ndarray | None = None,
    ) -> None:
        """Begin at time 0.

        Args:
          values: as for `OpenSimModel.initial_state`; the default pose at rest if None. Fiber
            lengths that are given are taken as they are: OpenSim finds no equilibrium for some
            starts that have one.
          accuracy: of OpenSim's integrator.
          fresh: a new integrator for each control step.
          controls: `[control]` (1) in force before the first action; osim-rl's if None.
        """
        self._accuracy, self._fresh, self.step_count = accuracy, fresh, 0
        osim_rl = np.full(self.live.control_count, STARTING_CONTROL)
        start = self.live.initial_state(values)
        self.live.set_controls(osim_rl if controls is None else controls)
        self._start_from(start)

    def integrate(self, controls: np.ndarray) -> None:
        """One control step.

        Args:
          controls: `[control]` (1).
        """
        self.live.set_controls(controls)
        if self._fresh:
            self._start_from(self._state)
        self.step_count += 1
        self._state = self._manager.integrate(self.step_count * OSIM_RL_STEP)

    def _start_from(self, state: Any) -> None:
        """A new integrator, at a copy of a state."""
        seconds = self.step_count * OSIM_RL_STEP
        self._manager = self.live.manager_at(state, seconds, self._accuracy)
        self._state = self._manager.getState()

    def read(self) -> Arrays:
        """Values of the present state, as `OpenSimModel.read`."""
        return self.live.read(self._state)

    def describe(self) -> Description:
        """osim-rl's state description of the present state, in nested dictionaries."""
        state = self._state
        self._model.realizeAcceleration(state)
        return {
            **self._describe_joints(state),
            **self._describe_bodies(state),
            "forces": {
                name: _numbers(force.getRecordValues(state)) for name, force in self._forces.items()
            },
            "muscles": {
                name: {
                    "activation": muscle.getActivation(state),
                    "fiber_length": muscle.getFiberLength(state),
                    "fiber_velocity": muscle.getFiberVelocity(state),
                    "fiber_force": muscle.getFiberForce(state),
                }
                for name, muscle in self._muscles.items()
            },
            "markers": {
                name: {
                    "pos": _vector(marker.getLocationInGround(state)),
                    "vel": _vector(marker.getVelocityInGround(state)),
                    "acc": _vector(marker.getAccelerationInGround(state)),
                }
                for name, marker in self._markers.items()
            },
            "misc": {
                "mass_center_pos": _vector(self._model.calcMassCenterPosition(state)),
                "mass_center_vel": _vector(self._model.calcMassCenterVelocity(state)),
                "mass_center_acc": _vector(self._model.calcMassCenterAcceleration(state)),
            },
        }

    def _describe_joints(self, state: Any) -> Description:
        joints = self._joints.items()
        return {
            "joint_pos": {name: [c.getValue(state) for c in own] for name, own in joints},
            "joint_vel": {name: [c.getSpeedValue(state) for c in own] for name, own in joints},
            "joint_acc": {
                name: [c.getAccelerationValue(state) for c in own] for name, own in joints
            },
        }

    def _describe_bodies(self, state: Any) -> Description:
        kinds = ("pos", "vel", "acc", "pos_rot", "vel_rot", "acc_rot")
        described: Description = {f"body_{kind}": {} for kind in kinds}
        for name, body in self._bodies.items():
            pose = body.getTransformInGround(state)
            velocity = body.getVelocityInGround(state)
            acceleration = body.getAccelerationInGround(state)
            described["body_pos"][name] = _vector(pose.p())
            described["body_vel"][name] = _vector(velocity.get(1))
            described["body_acc"][name] = _vector(acceleration.get(1))
            described["body_pos_rot"][name] = _vector(pose.R().convertRotationToBodyFixedXYZ())
            described["body_vel_rot"][name] = _vector(velocity.get(0))
            described["body_acc_rot"][name] = _vector(acceleration.get(0))
        return described


def _vector(vector: Any) -> list[float]:
    return [vector.get(0), vector.get(1), vector.get(2)]


def _numbers(values: Any) -> list[float]:
    return [values.get(index) for index in range(values.getSize())]
