"""The target of Arm2DEnv as osim-rl has it: a body of its own in the description.

It is locked in place and touches nothing, so it is not simulated: only its entries are made.

Source: osim-rl 2.1.0 `Arm2DEnv.__init__`.
"""

from typing import Any

import numpy as np

_BODY, _JOINT = "target", "target-joint"
_MASS = 0.0001  # kg
_BESIDE = 0.25  # m, in z
_AT_REST = ("body_vel", "body_acc", "body_pos_rot", "body_vel_rot", "body_acc_rot")


def add_target(
    entries: dict[str, Any], position: np.ndarray | Any, body_masses: np.ndarray | Any
) -> dict[str, Any]:
    """The description with the target in it, mass center included.

    Args:
      entries: of the arm alone.
      position: `[2]` (m) of the target.
      body_masses: `[body]` (kg) of the arm.
    """
    x, y = (float(value) for value in np.asarray(position))
    place, rest = [x, y, _BESIDE], [0.0, 0.0, 0.0]
    motion = {"body_pos": place, **dict.fromkeys(_AT_REST, rest)}
    joint = {"joint_pos": [0.0, x, y], "joint_vel": rest, "joint_acc": rest}
    share = _MASS / (_MASS + float(np.sum(np.asarray(body_masses))))
    center = {"mass_center_pos": place, "mass_center_vel": rest, "mass_center_acc": rest}
    added = {key: {**entries[key], _BODY: list(value)} for key, value in motion.items()}
    added |= {key: {**entries[key], _JOINT: list(value)} for key, value in joint.items()}
    added["misc"] = {
        key: ((1 - share) * np.asarray(entries["misc"][key]) + share * np.asarray(value)).tolist()
        for key, value in center.items()
    }
    return {**entries, **added}
