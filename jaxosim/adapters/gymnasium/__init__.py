"""The tasks for Gymnasium: importing this package registers them.

`gymnasium.make("jaxosim/Prosthetics-v0")`, and `gymnasium.make_vec` for a batch. A task of
`jaxosim.register` has such an id too. It needs the extra `gym`; nothing else in jaxosim imports it.
"""

from typing import Any

from gymnasium.envs.registration import register, registry

from jaxosim.adapters.gymnasium.env import GymnasiumEnv
from jaxosim.adapters.gymnasium.vector import GymnasiumVectorEnv
from jaxosim.envs.registry import PRESETS, for_each_name, short_name

__all__ = ["IDS", "GymnasiumEnv", "GymnasiumVectorEnv"]

IDS: dict[str, dict[str, Any]] = {}  # and the keywords of each


def _add(name: str, task: str | None = None, **options: Any) -> None:
    """Give Gymnasium an id for a task."""
    full = f"jaxosim/{short_name(name)}-v0"
    IDS[full] = {"name": task or name, **options}
    if full not in registry:
        register(
            full,
            entry_point="jaxosim.adapters.gymnasium:GymnasiumEnv",
            vector_entry_point="jaxosim.adapters.gymnasium:GymnasiumVectorEnv",
            kwargs=IDS[full],
        )


for_each_name(_add)
for _name, (_task, _options) in PRESETS.items():
    _add(_name, _task, **_options)
