"""ContactMesh: the triangles of a mesh file, each with its center and area.

The file must be beside its model: a model comes from a stranger, so nothing outside its folder is
opened, whatever the name says and wherever links lead.

Source: OpenSim `ContactMesh`; Simbody `PolygonalMesh`, `ContactGeometry::TriangleMesh`.
"""

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from jaxosim.errors import OsimFormatError, quote
from jaxosim.host.files import find_within

SUFFIXES = (".obj", ".vtp", ".stl", ".stla")
MAX_BYTES = 16 * 1024 * 1024
MAX_FACES = 50_000
_FACET = ("facet", "facetnormal")
_STL_HEADER = 84  # bytes, with the number of triangles
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

Polygons = list[list[int]]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of a closed surface, in the frame of the contact geometry."""

    center: np.ndarray  # [face, 3] (m)
    area: np.ndarray  # [face] (m²)


def find_mesh_file(name: str, home: Path | None) -> Path:
    """The mesh file of a model.

    Args:
      name: as the model says.
      home: the folder of the model; None if the model is not from a file.

    Raises:
      OsimFormatError: it is of another kind, or not a file in this folder or below.
    """
    is_mesh = name.lower().endswith(SUFFIXES)
    path = find_within(home, name.replace("\\", "/")) if is_mesh else None
    if path is None:
        what = f"expected as filename a mesh ({', '.join(SUFFIXES)}) in the model's folder"
        raise OsimFormatError(f"{what}, found {quote(name)}")
    return path


def read_mesh(path: Path) -> Mesh:
    """The triangles of a mesh file.

    Raises:
      OsimFormatError: it is too large, no mesh, or its surface is not closed.
      OSError: it cannot be read.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise OsimFormatError(f"{path}: expected a mesh of at most {MAX_BYTES} bytes")
    data, suffix = path.read_bytes(), path.suffix.lower()
    try:
        if suffix == ".obj":
            points, polygons = _parse_obj(data.decode("latin-1"))
        elif suffix == ".vtp":
            points, polygons = _parse_vtp(data)
        else:
            points, polygons = _parse_stl(data, suffix)
        return _mesh(*_triangles(points, polygons))
    except (ValueError, IndexError, ParseError, DefusedXmlException) as error:
        raise OsimFormatError(f"{path}: expected a mesh: {error}") from error


def _parse_obj(text: str) -> tuple[np.ndarray, Polygons]:
    """Points and polygons of a Wavefront file; everything else in it is passed over."""
    points: list[list[float]] = []
    polygons: Polygons = []
    for line in text.replace("\\\n", " ").replace("\\\r\n", " ").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            points.append([float(word) for word in words[:3]])
        elif kind == "f":
            numbers = [int(word.split("/")[0]) for word in words]
            polygons.append([n + len(points) if n < 0 else n - 1 for n in numbers])
    return _points(points), polygons


def _parse_vtp(data: bytes) -> tuple[np.ndarray, Polygons]:
    """Points and polygons of VTK's polygon data in ASCII."""
    root = fromstring(data, forbid_dtd=True)
    piece = root.find("PolyData/Piece") if root.tag == "VTKFile" else None
    if piece is None:
        raise ValueError("expected VTKFile/PolyData/Piece")
    arrays = {array.get("Name"): array for array in piece.findall("Polys/DataArray")}
    corners = _vtp_numbers(arrays.get("connectivity"), "connectivity").astype(int)
    ends = _vtp_numbers(arrays.get("offsets"), "offsets").astype(int)
    points = _vtp_numbers(piece.find("Points/DataArray"), "Points").reshape(-1, 3)
    if np.any(np.diff(ends, prepend=0) < 0) or ends[-1:].tolist() != [len(corners)]:
        raise ValueError("expected offsets that rise to the number of corners")
    return _points(points), [part.tolist() for part in np.split(corners, ends[:-1])]


def _vtp_numbers(array: Any, what: str) -> np.ndarray:
    if array is None or array.get("format", "ascii").lower() != "ascii":
        raise ValueError(f"expected the DataArray {what} in ASCII")
    return np.array((array.text or "").split(), dtype=float)


def _parse_stl(data: bytes, suffix: str) -> tuple[np.ndarray, Polygons]:
    """Points and polygons of an STL file; corners at one place are one point."""
    lines = _stl_lines(data)
    start = [kind for kind, _ in itertools.islice(lines, 2)]
    if suffix == ".stla" or (start[:1] == ["solid"] and set(start[1:]) & {*_FACET, "endsolid"}):
        facets = _stl_facets(_stl_lines(data))
    else:
        count = int(np.frombuffer(data, "<u4", 1, _STL_HEADER - 4)[0])
        if len(data) < _STL_HEADER + count * _STL_TRIANGLE.itemsize:
            raise ValueError(f"expected {count} triangles")
        triangles = np.frombuffer(data, _STL_TRIANGLE, count, _STL_HEADER)
        facets = triangles["corners"].astype(float).tolist()
    number: dict[tuple[float, ...], int] = {}
    polygons = [[number.setdefault(tuple(p), len(number)) for p in facet] for facet in facets]
    return _points(list(number)), polygons


def _stl_lines(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Keyword and other words of the lines of an ASCII file, but for comments and colors."""
    for line in data.decode("latin-1").lower().splitlines():
        words = line.split()
        if words and words[0][0] not in "#!$" and words[0] != "color":
            yield words[0], words[1:]


def _stl_facets(lines: Iterable[tuple[str, list[str]]]) -> list[list[list[float]]]:
    """The corners of every facet of the first solid."""
    facets: list[list[list[float]]] = []
    for kind, words in lines:
        if kind == "endsolid":
            break
        if kind in _FACET:
            facets.append([])
        elif kind == "vertex" and facets:
            facets[-1].append([float(word) for word in words])
    return facets


def _points(values: Any) -> np.ndarray:
    points = np.array(values, float).reshape(-1, 3)
    if not np.all(np.isfinite(points)):
        raise ValueError("expected finite coordinates")
    return points


def _triangles(points: np.ndarray, polygons: Polygons) -> tuple[np.ndarray, np.ndarray]:
    """Corners `[face, 3, 3]` and their points `[face, 3]`, polygons cut as Simbody cuts them."""
    corner_points, count = list(points), len(points)
    faces: Polygons = []
    for polygon in polygons:
        if any(not 0 <= corner < count for corner in polygon):
            raise ValueError(f"expected polygons of the {count} points that it has")
        if len(polygon) == 4:
            a, b, c, d = polygon
            faces += [[a, b, c], [c, d, a]]
        elif len(polygon) == 3:
            faces.append(polygon)
        elif len(polygon) > 4:
            corner_points.append(np.mean(points[polygon], axis=0))
            ends = polygon[1:] + polygon[:1]
            faces += [[a, b, len(corner_points) - 1] for a, b in zip(polygon, ends, strict=True)]
        if len(faces) > MAX_FACES:
            raise ValueError(f"expected at most {MAX_FACES} triangles")
    if not faces:
        raise ValueError("expected triangles")
    corners = np.array(faces, int)
    if len(np.unique(corners)) < len(corner_points):
        raise ValueError("expected points that all belong to triangles")
    return np.array(corner_points)[corners], corners


def _mesh(corners: np.ndarray, faces: np.ndarray) -> Mesh:
    """Centers and areas of a closed surface.

    Raises:
      ValueError: a triangle has no area, or an edge does not belong to two triangles that run
        through it in opposite directions.
    """
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    if np.any(area <= 0.0):
        raise ValueError("expected triangles with an area")
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    known = set(map(tuple, edges.tolist()))
    if len(known) < len(edges) or any((b, a) not in known for a, b in known):
        raise ValueError("expected a closed surface, each edge of which belongs to two triangles")
    return Mesh(center=corners.sum(axis=1) / 3, area=area / 2)
