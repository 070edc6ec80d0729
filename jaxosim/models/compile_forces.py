"""ModelSpec forces → structures and parameters of contacts, limits and springs."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import fields
from itertools import combinations

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.models.spec import (
    CoordinateLimitForceSpec,
    HuntCrossleyForceSpec,
    ModelSpec,
    SpringGeneralizedForceSpec,
)
from jaxosim.structure import GROUND, ContactStructure, CoordinateForceStructure
from jaxosim.types import ContactParams, LimitParams, SpringParams

MAX_PAIRS = 500_000  # of contact geometries
_HALF_SPACE, _SPHERE = "ContactHalfSpace", "ContactSphere"


def _pairs(
    element: np.ndarray, half_space: np.ndarray, mobod: Sequence[int]
) -> tuple[list[tuple[int, int]], int]:
    """Pairs of surfaces of one element that can push bodies apart, those with half-spaces first.

    Two surfaces on one mobilized body push on nothing, and two half-spaces never touch.
    """
    flat, round_ = [], []
    of_element = [np.flatnonzero(element == e).tolist() for e in np.unique(element)]
    for a, b in (pair for own in of_element for pair in combinations(own, 2)):
        if mobod[a] == mobod[b] or (half_space[a] and half_space[b]):
            continue
        if half_space[a] or half_space[b]:
            flat.append((a, b) if half_space[a] else (b, a))
        else:
            round_.append((a, b))
    return flat + round_, len(flat)


def compile_contacts(
    spec: ModelSpec, forces: Sequence[HuntCrossleyForceSpec], mobod: Sequence[int]
) -> tuple[ContactStructure, ContactParams]:
    """Hunt-Crossley forces: one geometry row per use, one material row per parameter set."""
    known = {geometry.name: geometry for geometry in spec.contact_geometry}
    body_index = {body.name: i for i, body in enumerate(spec.bodies)}
    uses_of = [sum(len(m.geometry) for m in force.contact_parameters) for force in forces]
    if sum(count * (count - 1) // 2 for count in uses_of) > MAX_PAIRS:
        raise OsimFormatError(
            f"{spec.source}: expected at most {MAX_PAIRS} pairs of contact geometries within "
            f"HuntCrossleyForces, found {max(uses_of)} geometries in one"
        )
    materials = [(e, m) for e, force in enumerate(forces) for m in force.contact_parameters]
    uses = [(e, i, known[g]) for i, (e, m) in enumerate(materials) for g in m.geometry]
    element = np.array([e for e, _, _ in uses], int)
    half_space = np.array([g.kind == _HALF_SPACE for _, _, g in uses], bool)
    body = [body_index.get(g.frame.body, GROUND) for _, _, g in uses]
    carrier = [GROUND if b == GROUND else mobod[b] for b in body]
    pairs, half_space_count = _pairs(element, half_space, carrier)
    structure = ContactStructure(
        geometry_names=tuple(g.name for _, _, g in uses),
        geometry_body=np.array(body, int),
        is_half_space=half_space,
        material=np.array([i for _, i, _ in uses], int),
        element=element,
        first=np.array([a for a, _ in pairs], int),
        second=np.array([b for _, b in pairs], int),
        pair_element=element[[a for a, _ in pairs]],
        half_space_count=half_space_count,
        element_names=tuple(force.name for force in forces),
        record_geometry=tuple(
            tuple(int(g) for g in np.flatnonzero(element == e)) for e in range(len(forces))
        ),
    )

    def column(name: str) -> np.ndarray:
        return np.array([getattr(m, name) for _, m in materials], float)

    params = ContactParams(
        location=np.array([g.frame.translation for _, _, g in uses], float).reshape(-1, 3),
        orientation=np.array([g.frame.orientation for _, _, g in uses], float).reshape(-1, 3),
        radius=np.array([g.radius for _, _, g in uses], float),
        stiffness=column("stiffness"),
        dissipation=column("dissipation"),
        static_friction=column("static_friction"),
        dynamic_friction=column("dynamic_friction"),
        viscous_friction=column("viscous_friction"),
        transition_velocity=np.array([f.transition_velocity for f in forces], float),
    )
    return structure, params


def _on_coordinates(
    forces: Sequence[CoordinateLimitForceSpec] | Sequence[SpringGeneralizedForceSpec],
    coordinate_index: dict[str, int],
) -> CoordinateForceStructure:
    """Names and coordinates of forces that act on one coordinate each."""
    return CoordinateForceStructure(
        names=tuple(force.name for force in forces),
        coordinate=np.array([coordinate_index[force.coordinate] for force in forces], int),
    )


def compile_limits(
    forces: Sequence[CoordinateLimitForceSpec],
    coordinate_index: dict[str, int],
    rotational: np.ndarray,
) -> tuple[CoordinateForceStructure, LimitParams]:
    """Limit forces; a rotational coordinate's file numbers are per degree."""
    structure = _on_coordinates(forces, coordinate_index)
    degree = np.where(rotational[structure.coordinate], np.pi / 180, 1.0)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(force, name) for force in forces], float)

    params = LimitParams(
        upper_stiffness=column("upper_stiffness") / degree,
        upper_limit=column("upper_limit") * degree,
        lower_stiffness=column("lower_stiffness") / degree,
        lower_limit=column("lower_limit") * degree,
        damping=column("damping") / degree,
        transition=column("transition") * degree,
    )
    return structure, params


def compile_springs(
    forces: Sequence[SpringGeneralizedForceSpec], coordinate_index: dict[str, int]
) -> tuple[CoordinateForceStructure, SpringParams]:
    """Springs on coordinates: their numbers are SI already."""
    columns = {
        field.name: np.array([getattr(force, field.name) for force in forces], float)
        for field in fields(SpringParams)
    }
    return _on_coordinates(forces, coordinate_index), SpringParams(**columns)
