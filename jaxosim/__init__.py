"""jaxosim: OpenSim's musculoskeletal mechanics in pure JAX.

The public names, each once, looked up when first used: importing the package starts no JAX backend
and reads no model.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxosim.batching import batched, world_mesh, world_sharding
    from jaxosim.compilation_cache import use_compilation_cache
    from jaxosim.cores import use_cpu_devices
    from jaxosim.envs.base import Env
    from jaxosim.envs.batch import BatchEnv
    from jaxosim.envs.episode import EnvState
    from jaxosim.envs.registry import make
    from jaxosim.envs.storage import load_state, save_state
    from jaxosim.errors import ModelMismatchError, OsimFormatError, UnsupportedComponentError
    from jaxosim.models.catalog import bundled_models
    from jaxosim.models.load import load_model
    from jaxosim.outputs import StateDescription, describe, to_dict
    from jaxosim.simulation import (
        equilibrate_muscles,
        find_equilibrium,
        initial_state,
        rollout,
        step,
    )
    from jaxosim.system import state_derivative
    from jaxosim.types import Model, Options, Params, State, StateDerivative

_HOMES = {
    "BatchEnv": "envs.batch",
    "Env": "envs.base",
    "EnvState": "envs.episode",
    "Model": "types",
    "ModelMismatchError": "errors",
    "Options": "types",
    "OsimFormatError": "errors",
    "Params": "types",
    "State": "types",
    "StateDerivative": "types",
    "StateDescription": "outputs",
    "UnsupportedComponentError": "errors",
    "bundled_models": "models.catalog",
    "describe": "outputs",
    "equilibrate_muscles": "simulation",
    "find_equilibrium": "simulation",
    "initial_state": "simulation",
    "load_model": "models.load",
    "load_state": "envs.storage",
    "make": "envs.registry",
    "batched": "batching",
    "rollout": "simulation",
    "save_state": "envs.storage",
    "state_derivative": "system",
    "step": "simulation",
    "to_dict": "outputs",
    "use_compilation_cache": "compilation_cache",
    "use_cpu_devices": "cores",
    "world_mesh": "batching",
    "world_sharding": "batching",
}
__all__ = [
    "BatchEnv",
    "Env",
    "EnvState",
    "Model",
    "ModelMismatchError",
    "Options",
    "OsimFormatError",
    "Params",
    "State",
    "StateDerivative",
    "StateDescription",
    "UnsupportedComponentError",
    "bundled_models",
    "describe",
    "equilibrate_muscles",
    "find_equilibrium",
    "initial_state",
    "load_model",
    "load_state",
    "make",
    "batched",
    "rollout",
    "save_state",
    "state_derivative",
    "step",
    "to_dict",
    "use_compilation_cache",
    "use_cpu_devices",
    "world_mesh",
    "world_sharding",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Find a public name in the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxosim' has no attribute '{name}'")
    return getattr(import_module(f"jaxosim.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(__all__)
