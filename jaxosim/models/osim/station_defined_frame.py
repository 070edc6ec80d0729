"""StationDefinedFrame: a frame whose axes follow from three points of a body, its origin a fourth.

Source: OpenSim `StationDefinedFrame`; see docs/theory/model_files.md, "Frames and sockets".
"""

import numpy as np

from jaxosim.errors import quote
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import Vec3

TAG = "StationDefinedFrame"
POINTS = ("socket_point_a", "socket_point_b", "socket_point_c", "socket_origin_point")
_AXES = "xyz"


def rotation_of_points(context: Context, frame: Element, a: Vec3, b: Vec3, c: Vec3) -> np.ndarray:
    """Rotation `[3, 3]` of the frame in the body that carries the points (m).

    Raises:
      OsimFormatError: the points form no triangle.
    """
    ab, ac = np.subtract(b, a), np.subtract(c, a)
    normal = np.cross(ab, ac)
    if not all(np.linalg.norm(side) > 0.0 for side in (ab, ac, normal)):
        # OpenSim differs: the axes are NaN if the points are on one line.
        raise frame.error("expected points a, b and c that form a triangle")
    first, second = _unit(ab), _unit(np.cross(_unit(ab), _unit(ac)))
    vectors = first, second, _unit(np.cross(first, second))
    rotation = np.zeros((3, 3))
    for vector, (axis, sign) in zip(vectors, _axes(context, frame), strict=True):
        rotation[:, axis] = sign * vector
    return rotation


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector * (1 / np.sqrt(vector @ vector))


def _axes(context: Context, frame: Element) -> list[tuple[int, int]]:
    """Axis and sign of the directions of ab, of ab × ac and of the product of the two."""
    first, sign = _direction(context, frame, "ab_axis", "+x", 0)
    following = (first + 1) % 3
    second, other_sign = _direction(context, frame, "ab_x_ac_axis", "+y", following)
    if second == first:
        context.note(frame, "took another ab_x_ac_axis, since it is along ab_axis")
        second, other_sign = following, 1
    third = 3 - first - second
    turn = 1 if second == following else -1
    return [(first, sign), (second, other_sign), (third, turn * sign * other_sign)]


def _direction(
    context: Context, frame: Element, tag: str, default: str, instead: int
) -> tuple[int, int]:
    """Axis and sign of a property such as -y; another axis if it is none."""
    found = context.property(frame, tag)
    text = default if found is None else found.text.strip()
    name = text[text[:1] in ("+", "-") :][:1].lower()
    if not name or name not in _AXES:
        context.note(frame, f"took another {tag}, since {quote(text)} is no direction such as -y")
        return instead, 1
    return _AXES.index(name), -1 if text[0] == "-" else 1
