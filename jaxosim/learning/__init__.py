"""Learning to move: policies, two learners, and the recipes they were used with.

`numpy_policy` (the policy and its forward pass, without JAX), `policy` (the same as a pytree),
`networks`, `normalization`, `worlds` (worlds under a noisy policy, and where they restart),
`returns`, `optimizer`, `shac` and `ppo` (the learners), `state` and `training` (an update of
either), `evaluation` (without noise, from fixed seeds), `run` and `curve` (a run in its folder:
stages, checkpoints, the best policy), `recipes` (tasks and settings as data), `scoring` (by
osim-rl's rules, also in OpenSim), `gait` (measures of a motion).

The public names are imported when they are first used: playing a policy needs no JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`
    from jaxosim.learning.evaluation import evaluate as evaluate
    from jaxosim.learning.policy import Policy as Policy
    from jaxosim.learning.policy import load_policy as load_policy
    from jaxosim.learning.ppo import PPO as PPO
    from jaxosim.learning.shac import SHAC as SHAC
    from jaxosim.learning.training import Trainer as Trainer

_MODULES = {
    "PPO": "ppo",
    "Policy": "policy",
    "SHAC": "shac",
    "Trainer": "training",
    "evaluate": "evaluation",
    "load_policy": "policy",
}
__all__ = list(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    """Find a public name in the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'jaxosim.learning' has no attribute '{name}'")
    return getattr(import_module(f"jaxosim.learning.{_MODULES[name]}"), name)
