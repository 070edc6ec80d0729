"""Optional libraries: imported when a door opens; one line says what to install if one is not."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A library is not installed; the message says which extra of jaxosim brings it."""


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
