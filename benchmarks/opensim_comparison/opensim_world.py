"""A world in a live OpenSim, driven as osim-rl's ProstheticsEnv drives it.

A control step is all that osim-rl does for an agent: set the excitations, integrate for
10 ms, realize accelerations, collect the state description, and compute observation, reward and
ending from it.

Source: osim-rl 2.1.0 `OsimModel`, `ProstheticsEnv`.
"""

import time
from typing import Any

import numpy as np
from patterns import STEP_SIZE

from jaxosim.models.catalog import resolve

_STARTING_EXCITATION = 1.0  # in force until the first action
_SPEED = 3.0  # m/s, the target of Round 1
_LOWEST_PELVIS = 0.6  # m
_BODIES = ("head", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_JOINTS = ("ankle_l", "ankle_r", "back", "hip_l", "hip_r", "knee_l", "knee_r")
_RELATIVE = (0, 1, 6)  # of a body's nine numbers, those that are given from the pelvis

Description = dict[str, dict[str, Any]]


class OpenSimWorld:
    """One world; osim-rl's Round 1, with a target of 3 m/s."""

    def __init__(self, model: str) -> None:
        """Read a model.

        Args:
          model: a bundled name or the path of an `.osim` file.

        Raises:
          MissingExtraError: OpenSim is not installed, or does not load.
        """
        # Imported here, so that a worker process answers with the error of a missing OpenSim.
        from jaxosim.opensim import reading
        from jaxosim.opensim.model import OpenSimModel

        self._live = OpenSimModel(resolve(model))
        self._model = self._live.model
        self._initial = self._live.initial_state()
        self._muscle_count = len(self._live.muscle_names)
        self._coordinates = reading.members(self._model.getCoordinateSet())
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
        self.reset(5e-5)

    # ------------------------------------------------------------------------ osim-rl's step

    def reset(
        self, accuracy: float, fresh: bool = False, excitation: np.ndarray | None = None
    ) -> None:
        """Begin an episode in the default pose, muscles equilibrated.

        Args:
          accuracy: of OpenSim's integrator.
          fresh: a new one for each control step. Otherwise one continues, as under osim-rl, and its
            first stage after a change still uses the previous excitation.
          excitation: `[muscle]` (1) in force before the first action; osim-rl's if None.
        """
        self._accuracy, self._fresh, self._step_count = accuracy, fresh, 0
        osim_rl = np.full(self._muscle_count, _STARTING_EXCITATION)
        self._live.set_controls(osim_rl if excitation is None else excitation)
        self._start_from(self._initial)

    def step(self, action: np.ndarray) -> tuple[list[float], float, bool]:
        """One control step: observation, reward, and whether the episode has ended.

        Args:
          action: `[muscle]` (1).
        """
        self._live.set_controls(action)
        if self._fresh:
            self._start_from(self._state)
        self._step_count += 1
        self._state = self._manager.integrate(self._step_count * STEP_SIZE)
        now = self.describe()
        miss = now["body_vel"]["pelvis"][0] - _SPEED
        return observation_of(now), 9.0 - miss * miss, now["body_pos"]["pelvis"][1] < _LOWEST_PELVIS

    def _start_from(self, state: Any) -> None:
        """A new integrator, at a copy of a state."""
        seconds = self._step_count * STEP_SIZE
        self._manager = self._live.manager_at(state, seconds, self._accuracy)
        self._state = self._manager.getState()

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

    # ------------------------------------------------------------------------ what is measured

    def run(self, actions: np.ndarray) -> float:
        """Seconds that control steps take.

        Args:
          actions: `[step, muscle]` (1).
        """
        start = time.perf_counter()
        for action in actions:
            self.step(action)
        return time.perf_counter() - start

    def trajectory(self, actions: np.ndarray, accuracy: float, fresh: bool = False) -> np.ndarray:
        """Coordinates after each control step from reset, `[step, coordinate]` (rad | m).

        The first action is in force from the beginning: osim-rl's starting excitation would show
        in the first stage of the first step, which is no error of the integrator.

        Args:
          actions: `[step, muscle]` (1).
          accuracy: as for `reset`.
          fresh: as for `reset`.
        """
        self.reset(accuracy, fresh, actions[0])
        samples = []
        for action in actions:
            self.step(action)
            samples.append([coordinate.getValue(self._state) for coordinate in self._coordinates])
        return np.array(samples)


def observation_of(now: Description) -> list[float]:
    """osim-rl's vector of ProstheticsEnv, 160 numbers with the prosthesis.

    Args:
      now: from `OpenSimWorld.describe`.
    """
    pelvis = _motion(now, "pelvis")
    entries = pelvis[1:]
    for body in _BODIES:
        if body not in now["body_pos"]:  # lost to the prosthesis
            entries += [0.0] * len(pelvis)
            continue
        motion = _motion(now, body)
        for index in _RELATIVE:
            motion[index] -= pelvis[index]
        entries += motion
    for joint in _JOINTS:
        entries += now["joint_pos"][joint] + now["joint_vel"][joint] + now["joint_acc"][joint]
    for muscle in sorted(now["muscles"]):
        own = now["muscles"][muscle]
        entries += [own["activation"], own["fiber_length"], own["fiber_velocity"]]
    center = now["misc"]["mass_center_pos"]
    entries += [center[0] - pelvis[0], center[1] - pelvis[1]]
    return entries + now["misc"]["mass_center_vel"] + now["misc"]["mass_center_acc"]


def _motion(now: Description, body: str) -> list[float]:
    """Nine numbers of a body in the sagittal plane."""
    plane = [now[kind][body][:2] for kind in ("body_pos", "body_vel", "body_acc")]
    about_z = [now[kind][body][2] for kind in ("body_pos_rot", "body_vel_rot", "body_acc_rot")]
    return [*plane[0], *plane[1], *plane[2], *about_z]


def _vector(vector: Any) -> list[float]:
    return [vector.get(0), vector.get(1), vector.get(2)]


def _numbers(values: Any) -> list[float]:
    return [values.get(index) for index in range(values.getSize())]
