"""jaxosim: OpenSim's musculoskeletal mechanics in pure JAX.

The public names are imported when they are first used: importing the package starts no JAX backend,
reads no model, and costs a program that prints help 0.03 s instead of JAX's second.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`
    from jaxosim import randomize as randomize
    from jaxosim import sto as sto
    from jaxosim.batching import batched as batched
    from jaxosim.batching import world_mesh as world_mesh
    from jaxosim.batching import world_sharding as world_sharding
    from jaxosim.envs.base import Env as Env
    from jaxosim.envs.batch import BatchEnv as BatchEnv
    from jaxosim.envs.episode import EnvState as EnvState
    from jaxosim.envs.registry import make as make
    from jaxosim.envs.registry import register as register
    from jaxosim.envs.storage import load_state as load_state
    from jaxosim.envs.storage import save_state as save_state
    from jaxosim.errors import JaxosimError as JaxosimError
    from jaxosim.errors import MissingExtraError as MissingExtraError
    from jaxosim.errors import ModelMismatchError as ModelMismatchError
    from jaxosim.errors import OsimFormatError as OsimFormatError
    from jaxosim.errors import TableFormatError as TableFormatError
    from jaxosim.errors import UnsupportedComponentError as UnsupportedComponentError
    from jaxosim.host.compilation_cache import use_compilation_cache as use_compilation_cache
    from jaxosim.host.cores import use_cpu_devices as use_cpu_devices
    from jaxosim.models.catalog import bundled_models as bundled_models
    from jaxosim.models.load import load_model as load_model
    from jaxosim.outputs import StateDescription as StateDescription
    from jaxosim.outputs import describe as describe
    from jaxosim.outputs import to_dict as to_dict
    from jaxosim.simulation import equilibrate_muscles as equilibrate_muscles
    from jaxosim.simulation import find_equilibrium as find_equilibrium
    from jaxosim.simulation import initial_state as initial_state
    from jaxosim.simulation import rollout as rollout
    from jaxosim.simulation import step as step
    from jaxosim.system import state_derivative as state_derivative
    from jaxosim.types import Model as Model
    from jaxosim.types import Options as Options
    from jaxosim.types import Params as Params
    from jaxosim.types import State as State
    from jaxosim.types import StateDerivative as StateDerivative

_NAMES = {
    "batching": ("batched", "world_mesh", "world_sharding"),
    "host.compilation_cache": ("use_compilation_cache",),
    "host.cores": ("use_cpu_devices",),
    "envs.base": ("Env",),
    "envs.batch": ("BatchEnv",),
    "envs.episode": ("EnvState",),
    "envs.registry": ("make", "register"),
    "envs.storage": ("load_state", "save_state"),
    "errors": (
        *("JaxosimError", "MissingExtraError", "ModelMismatchError", "OsimFormatError"),
        *("TableFormatError", "UnsupportedComponentError"),
    ),
    "models.catalog": ("bundled_models",),
    "models.load": ("load_model",),
    "outputs": ("StateDescription", "describe", "to_dict"),
    "simulation": (
        *("equilibrate_muscles", "find_equilibrium", "initial_state", "rollout", "step"),
    ),
    "system": ("state_derivative",),
    "types": ("Model", "Options", "Params", "State", "StateDerivative"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
_GUIDE_MODULES = ("randomize", "sto")
__all__ = list(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Find a public name in the module that defines it, or a module that the guides name."""
    if name in _GUIDE_MODULES:
        return import_module(f"jaxosim.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'jaxosim' has no attribute '{name}'")
    return getattr(import_module(f"jaxosim.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted([*__all__, *_GUIDE_MODULES])
