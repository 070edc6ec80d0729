"""The tasks for Gymnasium: importing this package registers them.

`gymnasium.make("jaxosim/Prosthetics-v0")`, and `gymnasium.make_vec` for a batch. It needs the extra
`gym`; nothing else in jaxosim imports it.
"""

from gymnasium.envs.registration import register, registry

from jaxosim.adapters.gymnasium.env import GymnasiumEnv
from jaxosim.adapters.gymnasium.vector import GymnasiumVectorEnv

__all__ = ["IDS", "GymnasiumEnv", "GymnasiumVectorEnv"]

IDS = {
    "jaxosim/Arm2D-v0": {"name": "Arm2DEnv"},
    "jaxosim/L2M2019-v0": {"name": "L2M2019Env"},
    "jaxosim/L2Run-v0": {"name": "L2RunEnv"},
    "jaxosim/Prosthetics-v0": {"name": "ProstheticsEnv"},
    # Round 2 cannot be learned without seeing the target, which osim-rl's vector leaves out.
    "jaxosim/ProstheticsRound2-v0": {
        "name": "ProstheticsEnv",
        "difficulty": 1,
        "observe_target": True,
    },
}

for _id, _options in IDS.items():
    if _id not in registry:
        register(
            _id,
            entry_point="jaxosim.adapters.gymnasium:GymnasiumEnv",
            vector_entry_point="jaxosim.adapters.gymnasium:GymnasiumVectorEnv",
            kwargs=_options,
        )
