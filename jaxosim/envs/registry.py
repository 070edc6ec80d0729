"""The tasks by name: those of osim-rl, named as its classes, and those that users register."""

import dataclasses
import difflib
from collections.abc import Callable
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
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {  # further names of Gymnasium's
    # Round 2 cannot be learned without seeing the target, which osim-rl's vector leaves out.
    "ProstheticsRound2": ("ProstheticsEnv", {"difficulty": 1, "observe_target": True}),
}
_SUFFIX = "Env"
_listeners: list[Callable[[str], None]] = []


def make(name: str | Env, **options: Any) -> Env:
    """Make a task.

    Args:
      name: "ProstheticsEnv", "L2RunEnv", "Arm2DEnv", "L2M2019Env", or one from `register`; or a
        task itself.
      **options: the attributes of the task's class and of `Env`; of a task that is given, those to
        be changed.

    Raises:
      ValueError: there is no such task, or an option has an unknown value.
      TypeError: the task has no such option.
    """
    if isinstance(name, Env):
        _check_options(type(name), options)
        return dataclasses.replace(name, **options) if options else name
    if not isinstance(name, str) or name not in ENVS:
        close = difflib.get_close_matches(str(name), ENVS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"no environment {name!r}: expected one of {', '.join(ENVS)}{hint}")
    _check_options(ENVS[name], options)
    return ENVS[name](**options)


def _check_options(kind: type[Env], options: dict[str, Any]) -> None:
    """Refuse options that a task does not have.

    Raises:
      TypeError: there is one.
    """
    known = [field.name for field in dataclasses.fields(kind) if field.init]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise TypeError(
            f"{kind.__name__} has no option {', '.join(unknown)}: expected {', '.join(known)}"
        )


def register(name: str, cls: type[Env]) -> None:
    """Give a task a name, for `make`, every adapter and Gymnasium's ids (`jaxosim/NAME-v0`).

    Args:
      name: an identifier; Gymnasium's id leaves out an "Env" at its end.
      cls: a subclass of `Env`.

    Raises:
      ValueError: the name is taken, or no identifier.
      TypeError: `cls` is no subclass of `Env`.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name: expected an identifier such as 'MyEnv', got {name!r}")
    if not isinstance(cls, type) or not issubclass(cls, Env):
        raise TypeError(f"cls: expected a subclass of jaxosim.Env, got {cls!r}")
    taken = {short_name(other): other for other in (*ENVS, *PRESETS)}
    if short_name(name) in taken:
        raise ValueError(f"name: {name!r} is taken by {taken[short_name(name)]}; expected another")
    ENVS[name] = cls
    for listener in _listeners:
        listener(name)


def short_name(name: str) -> str:
    """A task's name without "Env" at its end."""
    return name.removesuffix(_SUFFIX)


def for_each_name(function: Callable[[str], None]) -> None:
    """Call a function with the name of every task, and of every one that is registered later."""
    _listeners.append(function)
    for name in ENVS:
        function(name)
