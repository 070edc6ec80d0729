"""Triangle meshes of simple bodies: capsules, tubes, ellipsoids, boxes, cones. NumPy only."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_SIDES = 14  # facets around an axis: round to the eye, light to send
_CAP_RINGS = 4


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles: `vertices [vertex, 3]` (m) and `faces [face, 3]` of vertex numbers."""

    vertices: np.ndarray
    faces: np.ndarray

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> "Mesh":
        """The same triangles in another frame."""
        return Mesh(self.vertices @ rotation.T + translation, self.faces)


def merged(meshes: list[Mesh]) -> Mesh:
    """Several meshes as one."""
    if not meshes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([m.faces + first for m, first in zip(meshes, counts[:-1], strict=True)]),
    )


def axes_along(direction: np.ndarray) -> np.ndarray:
    """Rotation `[3, 3]` whose third column is the direction; any, if it is zero."""
    length = np.linalg.norm(direction)
    z = direction / length if length > 0 else np.array([0.0, 0.0, 1.0])
    x = np.cross([1.0, 0.0, 0.0] if abs(z[0]) < 0.9 else [0.0, 1.0, 0.0], z)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def lathe(radii: np.ndarray, heights: np.ndarray, sides: int = _SIDES) -> Mesh:
    """Rings of these radii at these heights on the z axis, joined and closed at both ends."""
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x_y = (radii[:, None, None] * ring).reshape(-1, 2)
    vertices = np.column_stack([x_y, np.repeat(heights, sides)])
    return _skin(vertices, len(radii), sides)


def _skin(vertices: np.ndarray, ring_count: int, sides: int) -> Mesh:
    """Triangles between consecutive rings of vertices, with a fan on the first and the last."""
    here = np.arange(sides)
    after = (here + 1) % sides
    faces = []
    for ring in range(ring_count - 1):
        a, b = ring * sides, (ring + 1) * sides
        faces += [np.stack([a + here, a + after, b + after], axis=1)]
        faces += [np.stack([a + here, b + after, b + here], axis=1)]
    centers = np.stack([vertices[:sides].mean(axis=0), vertices[-sides:].mean(axis=0)])
    first, last = len(vertices), len(vertices) + 1
    end = (ring_count - 1) * sides
    faces += [np.stack([np.full(sides, first), after, here], axis=1)]
    faces += [np.stack([np.full(sides, last), end + here, end + after], axis=1)]
    return Mesh(np.concatenate([vertices, centers]), np.concatenate(faces))


def capsule(start, end, radius: float, end_radius: float | None = None) -> Mesh:
    """A rod with round ends from start to end `[3]` (m), tapered if the radii differ."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    last = radius if end_radius is None else end_radius
    length = float(np.linalg.norm(end - start))
    angle = np.linspace(-np.pi / 2, 0, _CAP_RINGS + 1)[1:]
    radii = np.concatenate([radius * np.cos(angle), last * np.cos(angle[::-1])])
    heights = np.concatenate([radius * np.sin(angle), length - last * np.sin(angle[::-1])])
    return lathe(radii, heights).moved(axes_along(end - start), start)


def tube(points, radius: float, sides: int = 8) -> Mesh:
    """A bent rod through points `[point, 3]` (m)."""
    points = np.asarray(points, float)
    directions = np.gradient(points, axis=0)
    angle = 2 * np.pi * np.arange(sides) / sides
    rings, across = [], axes_along(directions[0])[:, 0]
    for point, direction in zip(points, directions, strict=True):
        z = direction / np.linalg.norm(direction)
        across = across - z * (z @ across)  # carried along, so that the rod does not twist
        across = across / np.linalg.norm(across)
        up = np.cross(z, across)
        circle = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * up
        rings.append(point + radius * circle)
    return _skin(np.concatenate(rings), len(points), sides)


def chain(points, radius: float) -> Mesh:
    """Capsules from point to point."""
    return merged([capsule(a, b, radius) for a, b in pairwise(points)])


def ellipsoid(center, radii, rotation: np.ndarray | None = None) -> Mesh:
    """An ellipsoid of three half axes (m) along the columns of rotation."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 2 * _CAP_RINGS + 3)[1:-1]
    ball = lathe(np.cos(angle), np.sin(angle))
    turned = np.eye(3) if rotation is None else rotation
    return Mesh(ball.vertices * radii, ball.faces).moved(turned, np.asarray(center, float))


def torus(outer_radius: float, inner_radius: float, sides: int = 2 * _SIDES) -> Mesh:
    """A ring about the z axis: radii (m) of the circle in the middle of its tube, and of that."""
    around, across = np.arange(sides), np.arange(_SIDES)
    turn, angle = 2 * np.pi * around / sides, 2 * np.pi * across / _SIDES
    radius = outer_radius + inner_radius * np.cos(angle)
    height = np.tile(inner_radius * np.sin(angle), sides)
    x_y = (np.stack([np.cos(turn), np.sin(turn)], axis=1)[:, None] * radius[:, None]).reshape(-1, 2)
    ring, after = around[:, None] * _SIDES, (around[:, None] + 1) % sides * _SIDES
    beside = (across + 1) % _SIDES
    a, b, c, d = (x.ravel() for x in (ring + across, after + across, after + beside, ring + beside))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return Mesh(np.column_stack([x_y, height]), faces)


def box(center, half_lengths) -> Mesh:
    """A box along the axes."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return Mesh(corners * half_lengths + np.asarray(center, float), np.array(faces))


def unit_cylinder(sides: int = 10) -> Mesh:
    """Radius 1, from −½ to ½ on the z axis: scaled, turned and moved into place by the drawer."""
    return lathe(np.array([1.0, 1.0]), np.array([-0.5, 0.5]), sides)


def unit_arrow() -> Mesh:
    """From the origin to 1 on the z axis: radius 1 at the shaft and 2.2 at the head."""
    return lathe(np.array([1.0, 1.0, 2.2, 1e-3]), np.array([0.0, 0.75, 0.75, 1.0]), 12)
