"""Where `visualize=True` finds a window; the viewer is an extra and never imported without it."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_VIEWER = "jaxosim.viewer"


def open_window(env: Any) -> Any:
    """A window that shows an environment; its `show(env)` is called after every reset and step.

    Args:
      env: one of osim-rl's classes.

    Raises:
      ImportError: the viewer is not installed.
    """
    if find_spec(_VIEWER) is None:
        raise ImportError(
            "visualize=True needs the viewer: install the extra `view` (pip install jaxosim[view])"
        )
    return import_module(_VIEWER).open_window(env)
