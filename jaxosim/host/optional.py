"""Optional libraries: imported when they are used; a missing one is named with its extra."""

import importlib
from types import ModuleType

from jaxosim.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional library.

    Args:
      module: what to import.
      extra: the extra of jaxosim that brings it.

    Raises:
      MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs {module.split('.')[0]}: pip install 'jaxosim[{extra}]' ({error})"
        ) from error
