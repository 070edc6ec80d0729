"""osim-rl's observation, reward and ending of its tasks, from a state description.

NumPy and plain lists alone, so that an episode in OpenSim is scored without any of jaxosim's
mechanics.

Source: osim-rl 2.1.0 `ProstheticsEnv`, `L2RunEnv`, `Arm2DEnv`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

Description = dict[str, dict[str, Any]]

_LOWEST_PELVIS = 0.6  # m
_SURVIVAL = {0: 9.0, 1: 10.0}  # by difficulty
_EFFORT_WEIGHT = 0.001  # Round 2
_BODIES = ("head", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_JOINTS = ("ankle_l", "ankle_r", "back", "hip_l", "hip_r", "knee_l", "knee_r")
_RELATIVE = (0, 1, 6)  # of a body's nine numbers, those that are given from the pelvis
_RUNNER_JOINTS = ("ground_pelvis", "hip_l", "hip_r", "knee_l", "knee_r", "ankle_l", "ankle_r")
_RUNNER_BODIES = ("head", "pelvis", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_RUNNER_UNUSED = 5
_ARM_JOINTS = ("r_shoulder", "r_elbow")
_HAND = "r_radius_styloid"  # the marker at the wrist


class Rules(Protocol):
    """What a task asks of a state description."""

    def observation(self, now: Description) -> list[float]:
        """The task's own observation."""
        ...

    def target(self, step: int) -> np.ndarray | None:
        """Target velocity `[3]` (m/s) after so many control steps; None if there is none."""
        ...

    def reward(self, before: Description, now: Description, step: int) -> float:
        """Reward of the control step between two descriptions.

        Args:
          before: at its beginning.
          now: at its end.
          step: control steps since the beginning of the episode, this one included.
        """
        ...

    def is_done(self, now: Description) -> bool:
        """Whether the episode ends in a fall."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class ProstheticsRules:
    """Round 1, or with targets Round 2.

    Attributes:
      targets: `[step, 3]` (m/s) target velocities of Round 2, the one at reset first; None for
        Round 1.
      speed: (m/s) forward, the target of Round 1.
    """

    targets: np.ndarray | None = None
    speed: float = 3.0

    def observation(self, now: Description) -> list[float]:
        """osim-rl's vector: 160 numbers with the prosthesis, 169 without."""
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

    def target(self, step: int) -> np.ndarray:
        """Target velocity `[3]` (m/s) after so many control steps."""
        return np.array([self.speed, 0.0, 0.0]) if self.targets is None else self.targets[step]

    def reward(self, before: Description, now: Description, step: int) -> float:
        """Round 1: 9 − (v − 3)². Round 2: 10, less effort and deviation from the target."""
        miss = np.array(now["body_vel"]["pelvis"]) - self.target(step)
        if self.targets is None:
            return float(_SURVIVAL[0] - miss[0] ** 2)
        effort = sum(muscle["activation"] ** 2 for muscle in now["muscles"].values())
        return float(_SURVIVAL[1] - _EFFORT_WEIGHT * effort - miss[0] ** 2 - miss[2] ** 2)

    def is_done(self, now: Description) -> bool:
        """Whether the pelvis is too low."""
        return now["body_pos"]["pelvis"][1] < _LOWEST_PELVIS


@dataclasses.dataclass(frozen=True, eq=False)
class L2RunRules:
    """Run forward."""

    def observation(self, now: Description) -> list[float]:
        """osim-rl's vector, 43 numbers."""
        entries: list[float] = []
        for joint in _RUNNER_JOINTS:
            entries += now["joint_pos"][joint] + now["joint_vel"][joint]
        for body in _RUNNER_BODIES:
            entries += now["body_pos"][body][:2]
        entries += now["misc"]["mass_center_pos"] + now["misc"]["mass_center_vel"]
        return entries + [0.0] * _RUNNER_UNUSED

    def target(self, step: int) -> None:
        """There is none."""
        return None

    def reward(self, before: Description, now: Description, step: int) -> float:
        """The distance (m) that the pelvis went forward."""
        place = [described["joint_pos"]["ground_pelvis"][1] for described in (before, now)]
        return float(place[1] - place[0])

    def is_done(self, now: Description) -> bool:
        """Whether the pelvis is too low."""
        return now["body_pos"]["pelvis"][1] < _LOWEST_PELVIS


@dataclasses.dataclass(frozen=True, eq=False)
class Arm2DRules:
    """Reach a target.

    Attributes:
      place: `[2]` (m) of the target in ground, forward and up.
    """

    place: np.ndarray

    def observation(self, now: Description) -> list[float]:
        """osim-rl's vector, 16 numbers."""
        entries = list(self.place)
        for joint in _ARM_JOINTS:
            entries += now["joint_pos"][joint] + now["joint_vel"][joint] + now["joint_acc"][joint]
        entries += [now["muscles"][muscle]["activation"] for muscle in sorted(now["muscles"])]
        return entries + list(now["markers"][_HAND]["pos"][:2])

    def target(self, step: int) -> None:
        """There is no target velocity."""
        return None

    def reward(self, before: Description, now: Description, step: int) -> float:
        """1, less the squared distance (m²) of the wrist from the target."""
        miss = np.array(now["markers"][_HAND]["pos"][:2]) - self.place
        return float(1.0 - miss @ miss)

    def is_done(self, now: Description) -> bool:
        """It ends at the time limit alone."""
        return False


def _motion(now: Description, body: str) -> list[float]:
    """Nine numbers of a body in the sagittal plane."""
    plane = [now[kind][body][:2] for kind in ("body_pos", "body_vel", "body_acc")]
    about_z = [now[kind][body][2] for kind in ("body_pos_rot", "body_vel_rot", "body_acc_rot")]
    return [*plane[0], *plane[1], *plane[2], *about_z]
