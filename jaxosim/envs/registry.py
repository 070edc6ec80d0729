"""The tasks by name, as osim-rl names its classes."""

import dataclasses
import difflib
from typing import Any

from jaxosim.envs.arm2d import Arm2DEnv
from jaxosim.envs.base import Env
from jaxosim.envs.l2m2019 import L2M2019Env
from jaxosim.envs.l2run import L2RunEnv
from jaxosim.envs.prosthetics import ProstheticsEnv

ENVS: dict[str, type[Env]] = {
    "Arm2DEnv": Arm2DEnv,
    "L2M2019Env": L2M2019Env,
    "L2RunEnv": L2RunEnv,
    "ProstheticsEnv": ProstheticsEnv,
}


def make(name: str, **options: Any) -> Env:
    """Make a task.

    Args:
      name: "ProstheticsEnv", "L2RunEnv", "Arm2DEnv" or "L2M2019Env".
      **options: the attributes of the task's class and of `Env`.

    Raises:
      ValueError: there is no such task, or an option has an unknown value.
      TypeError: the task has no such option.
    """
    if name not in ENVS:
        close = difflib.get_close_matches(str(name), ENVS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"no environment {name!r}: expected one of {', '.join(ENVS)}{hint}")
    known = [field.name for field in dataclasses.fields(ENVS[name]) if field.init]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise TypeError(f"{name} has no option {', '.join(unknown)}: expected {', '.join(known)}")
    return ENVS[name](**options)
