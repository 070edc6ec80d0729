"""VTK's polygon data (`.vtp`) in ASCII, the form in which OpenSim's bones are published."""

from typing import Any

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from jaxosim.errors import OsimFormatError
from jaxosim.viewer.shapes import Mesh


def parse_vtp(source: str, data: bytes) -> Mesh:
    """The polygons of a `.vtp` file as triangles.

    Args:
      source: name of the file, for messages.
      data: what it holds.

    Raises:
      OsimFormatError: it is none, or not in ASCII; the message names the file.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise OsimFormatError(f"{source}: expected a VTK XML file: {error}") from error
    pieces = root.findall("PolyData/Piece") if root.tag == "VTKFile" else []
    if not pieces:
        raise OsimFormatError(f"{source}: expected VTKFile/PolyData/Piece")
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        points = _numbers(source, piece.find("Points/DataArray"), "Points", float).reshape(-1, 3)
        faces.append(_triangles(source, piece, len(points)) + count)
        vertices.append(points)
        count += len(points)
    return Mesh(np.concatenate(vertices), np.concatenate(faces))


def _numbers(source: str, element: Any, what: str, kind: type) -> np.ndarray:
    """The numbers of a DataArray; of Points, a multiple of three."""
    if element is None or element.get("format", "ascii").lower() != "ascii":
        raise OsimFormatError(f"{source}: expected {what} as DataArray in ASCII")
    try:
        numbers = np.array((element.text or "").split(), dtype=float)
    except ValueError as error:
        raise OsimFormatError(f"{source}: expected numbers in {what}: {error}") from error
    if not np.all(np.isfinite(numbers)) or (kind is float and len(numbers) % 3):
        raise OsimFormatError(f"{source}: expected three finite numbers for each of {what}")
    return numbers.astype(kind)


def _triangles(source: str, piece: Any, vertex_count: int) -> np.ndarray:
    """Polygons cut into fans of triangles, `[face, 3]`."""
    arrays = {array.get("Name"): array for array in piece.findall("Polys/DataArray")}
    corners = _numbers(source, arrays.get("connectivity"), "Polys/connectivity", int)
    ends = _numbers(source, arrays.get("offsets"), "Polys/offsets", int)
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)]
    fits = len(ends) == 0 or (np.all(ends >= starts) and ends[-1] == len(corners))
    if not fits or np.any(corners < 0) or np.any(corners >= vertex_count):
        raise OsimFormatError(f"{source}: expected polygons of the {vertex_count} points it has")
    found = [np.zeros((0, 3), int)]
    sizes = ends - starts
    for size in np.unique(sizes[sizes >= 3]):
        polygons = corners[starts[sizes == size][:, None] + np.arange(size)]
        for corner in range(1, size - 1):
            found.append(polygons[:, [0, corner, corner + 1]])
    return np.concatenate(found)
