"""Where `visualize=True` finds a window; the viewer is an extra and never imported without it."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from jaxosim.types import Model, Params

_LIBRARY = "viser"


class Window(Protocol):
    """What shows the newest state."""

    def show(self, state: Any) -> None:
        """Show a state soon."""

    def close(self) -> None:
        """Close the window."""


def open_window(model: Model, params: Params) -> Window:
    """A page in the browser that follows the states it is shown.

    Raises:
      ImportError: the viewer's library is not installed.
    """
    if find_spec(_LIBRARY) is None:
        raise ImportError(
            "visualize=True needs the viewer: install the extra `view` (pip install jaxosim[view])"
        )
    return import_module("jaxosim.viewer.live").LiveViewer(model, params)
