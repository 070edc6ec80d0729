"""The OpenSim library itself: imported without its log file in the current folder, and silent.

Raises:
  MissingExtraError: on import, if OpenSim is not installed or does not load.
"""

import contextlib
import tempfile

from jaxosim.optional import require

with (
    tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as _folder,
    contextlib.chdir(_folder),  # importing OpenSim opens ./opensim.log
):
    require("opensim", "opensim")

import opensim  # noqa: E402

opensim.Logger.setLevelString("Off")
