"""Bone meshes: finding a file by its name, and reading it.

A model file comes from a stranger, so the name in it is a name only: it is looked for in the given
folders, and nothing outside them is ever opened, whatever the name holds and wherever links lead.
Read are the three kinds that OpenSim's `Geometry` folders hold: `.vtp`, `.stl` and `.obj`.
"""

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.host.optional import require
from jaxosim.viewer.shapes import Mesh
from jaxosim.viewer.vtp import parse_vtp

MAX_BYTES = 64 * 1024 * 1024
SUFFIXES = (".vtp", ".stl", ".obj")


def find_mesh(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of a mesh, in the first folder that holds it; None if there is none.

    Args:
      name: as the model file says: a plain file name with a suffix of `SUFFIXES`.
      folders: where to look; nothing outside them is touched.
    """
    if os.path.basename(name) != name or "\\" in name or "\0" in name:
        return None
    if not name.lower().endswith(SUFFIXES) or name.startswith("."):
        return None
    for folder in folders:
        root = os.path.realpath(folder)
        path = os.path.realpath(os.path.join(root, name))
        if os.path.dirname(path) == root and os.path.isfile(path):
            return Path(path)
    return None


def read_mesh(path: str | os.PathLike[str]) -> Mesh:
    """Read the triangles of a mesh file.

    Raises:
      OsimFormatError: it is none; the message names the file.
      MissingExtraError: `.stl` or `.obj`, and trimesh is not installed.
      OSError: the file cannot be read.
    """
    source = os.fspath(path)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise OsimFormatError(f"{source}: expected a mesh file of at most {MAX_BYTES} bytes")
    data, suffix = Path(path).read_bytes(), Path(path).suffix.lower()
    if suffix == ".vtp":
        return parse_vtp(source, data)
    if suffix in SUFFIXES:
        return _parse_with_trimesh(source, data, suffix[1:])
    raise OsimFormatError(f"{source}: expected a file that ends in {', '.join(SUFFIXES)}")


def _parse_with_trimesh(source: str, data: bytes, kind: str) -> Mesh:
    """Triangles of a `.stl` or `.obj` file.

    Trimesh gets the bytes and no path, so that a material library that an `.obj` names, which could
    be any file, is not opened.
    """
    trimesh = require("trimesh", "view")
    try:
        found = trimesh.load_mesh(
            io.BytesIO(data), file_type=kind, process=False, skip_materials=True
        )
    except Exception as error:  # what a broken file raises there is of any kind
        raise OsimFormatError(f"{source}: expected a .{kind} file: {error}") from error
    vertices, faces = np.asarray(found.vertices, float), np.asarray(found.faces)
    if not len(faces):
        raise OsimFormatError(f"{source}: expected triangles in a .{kind} file")
    if np.any(faces < 0) or np.any(faces >= len(vertices)):
        raise OsimFormatError(f"{source}: expected polygons of the {len(vertices)} points it has")
    if not np.all(np.isfinite(vertices)):
        raise OsimFormatError(f"{source}: expected three finite numbers for each point")
    return Mesh(vertices, faces)
