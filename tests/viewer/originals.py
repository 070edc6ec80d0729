"""The original models with their bone meshes, which are not part of the project."""

import os
import pathlib

import pytest

HOME = pathlib.Path(
    os.environ.get("JAXOSIM_ORIGINALS")
    or pathlib.Path(__file__).resolve().parents[3] / "shared/reference/models/osim-rl"
)
PROSTHETIC = HOME / "gait14dof22musc_pros_20180507.osim"

needs_originals = pytest.mark.skipif(
    not PROSTHETIC.is_file(),
    reason="the original models and their meshes are not here (JAXOSIM_ORIGINALS names the folder)",
)
