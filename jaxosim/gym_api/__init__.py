"""The former name of `jaxosim.osim_rl` and `jaxosim.adapters`, kept for one release."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from jaxosim import osim_rl

_ADAPTERS = ("gymnasium", "gymnax", "brax")

warnings.warn(
    "jaxosim.gym_api is now jaxosim.osim_rl (osim-rl's classes) and jaxosim.adapters (Gymnasium, "
    "gymnax, Brax)",
    DeprecationWarning,
    stacklevel=2,
)
__all__ = osim_rl.__all__


class _FormerName(MetaPathFinder, Loader):
    """Finds `jaxosim.gym_api.NAME` as the module itself, not as a second copy of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{__name__}."):
            return None
        return ModuleSpec(fullname, self)

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        name = spec.name.removeprefix(f"{__name__}.")
        package = "adapters" if name.split(".")[0] in _ADAPTERS else "osim_rl"
        module = import_module(f"jaxosim.{package}.{name}")
        self._specs[module.__name__] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has been executed under its own name; importing it again set another spec."""
        module.__spec__ = self._specs.pop(module.__name__)


sys.meta_path.insert(0, _FormerName())


def __getattr__(name: str) -> object:
    """A class of osim-rl's."""
    return getattr(osim_rl, name)
