"""Which joints float: three angles of their own on which no force depends."""

import numpy as np

from jaxosim.functions import FunctionParams
from jaxosim.structure import FloatingStructure, TreeStructure

_SQUARE = 1e-6  # how far from 1 and 0 the scalar products of axes may be


def compile_local_coordinates(
    tree: TreeStructure,
    axis: np.ndarray,
    functions: FunctionParams,
    coordinates_in_forces: set[int],
    driven_coordinates: set[int],
) -> FloatingStructure:
    """The joints whose angles may be counted from any orientation.

    Args:
      tree: the mobilized bodies.
      axis: `[mobod, 6, 3]` (1) unit vectors.
      functions: numbers of the axis functions.
      coordinates_in_forces: coordinates on which a force or a path depends.
      driven_coordinates: coordinates along which forces act that depend on none.
    """
    found = []
    for mobod in np.flatnonzero(~tree.reversed).tolist():
        terms = _own_terms(tree, mobod)
        if terms is None or not _square(axis[mobod, :3]):
            continue
        coordinates = [int(tree.term_coordinate[term]) for term in terms]
        rows = _straight_lines(tree, functions, terms)
        if rows is not None and not coordinates_in_forces.intersection(coordinates):
            found.append((mobod, coordinates, rows))
    driven = [
        number
        for number, (mobod, own, _) in enumerate(found)
        if driven_coordinates.intersection(own) and not tree.angular_velocity[mobod]
    ]
    return FloatingStructure(
        mobod=np.array([mobod for mobod, _, _ in found], int),
        coordinate=np.array([own for _, own, _ in found], int).reshape(-1, 3),
        polynomial=np.array([rows for _, _, rows in found], int).reshape(-1, 3),
        driven=np.array(driven, int),
    )


def _own_terms(tree: TreeStructure, mobod: int) -> list[int] | None:
    """The terms of a joint's three rotations, if free coordinate i drives rotation i and no more.

    Only for those OpenSim's rate of the hinge map is exact (`joints.hinge_bias`), so that it does
    not matter from where an angle is counted.
    """
    terms = []
    for slot in range(3):
        own = np.flatnonzero(tree.term_axis == 6 * mobod + slot)
        if len(own) != 1:
            return None
        coordinate = tree.term_coordinate[own[0]]
        alone = np.count_nonzero(tree.term_coordinate == coordinate) == 1
        if not alone or tree.term_mobility[own[0]] < 0 or tree.coordinate_slot[coordinate] != slot:
            return None
        terms.append(int(own[0]))
    return terms


def _square(axes: np.ndarray) -> bool:
    """Whether three axes are perpendicular."""
    return bool(np.allclose(axes @ axes.T, np.eye(3), atol=_SQUARE))


def _straight_lines(
    tree: TreeStructure, functions: FunctionParams, terms: list[int]
) -> list[int] | None:
    """Rows of the terms among the polynomials, if all are straight lines."""
    coefficients = np.asarray(functions.polynomial_function.coefficients)
    rows = [int(tree.functions.order[term]) for term in terms]
    if max(rows) >= len(coefficients):
        return None
    own = coefficients[rows]
    return rows if own[:, 1].all() and not own[:, 2:].any() else None
