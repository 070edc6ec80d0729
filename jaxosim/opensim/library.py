"""The OpenSim library itself: imported without its log file in the current folder, and silent.

Raises:
  MissingExtraError: on import, if OpenSim is not installed or does not load.
"""

import contextlib
import tempfile

from jaxosim.host.optional import require

with (
    tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as _folder,
    contextlib.chdir(_folder),  # importing OpenSim opens ./opensim.log
):
    require("opensim", "opensim")

import opensim  # noqa: E402

opensim.Logger.setLevelString("Off")


def restore_defaults() -> None:
    """Give every class its own defaults again: OpenSim keeps the `<defaults>` of files it has read.

    They would be in force for all models that the process reads afterwards. Classes that OpenSim
    does not show to Python keep theirs.
    """
    names = opensim.ArrayStr()
    opensim.OpenSimObject.getRegisteredTypenames(names)
    for name in (names.get(i) for i in range(names.getSize())):
        kind = getattr(opensim, name, None)
        # Classes that are abstract in Python, or no OpenSimObject there.
        with contextlib.suppress(AttributeError, TypeError):
            if kind is not None:
                opensim.OpenSimObject.registerType(kind())
