"""The tasks as osim-rl's classes: stateful, for code that was written for them.

Importing this package imports no other face and no optional package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxosim.osim_rl.arm2d import Arm2DEnv
    from jaxosim.osim_rl.l2m2019 import L2M2019Env
    from jaxosim.osim_rl.l2run import L2RunEnv
    from jaxosim.osim_rl.prosthetics import ProstheticsEnv

_HOMES = {
    "Arm2DEnv": "arm2d",
    "L2M2019Env": "l2m2019",
    "L2RunEnv": "l2run",
    "ProstheticsEnv": "prosthetics",
}
__all__ = ["Arm2DEnv", "L2M2019Env", "L2RunEnv", "ProstheticsEnv"]


def __getattr__(name: str) -> object:
    """Find a class in its module, when it is first used: Gymnasium asks for this package early."""
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxosim.osim_rl' has no attribute '{name}'")
    return getattr(import_module(f"jaxosim.osim_rl.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(__all__)
