"""Lookups by name for the tables of the tasks: where a body, coordinate or muscle stands."""

from collections.abc import Iterable

import numpy as np

from jaxosim.types import Model


def body(structure: Model, name: str) -> int:
    """Place of a body in `[body]` arrays."""
    return structure.body_names.index(name)


def coordinates_of(structure: Model, joint: str) -> list[int]:
    """Places of a joint's coordinates in `[coordinate]` arrays, in the joint's order."""
    return list(structure.joint_coordinates[structure.joint_names.index(joint)])


def coordinate(structure: Model, name: str) -> int:
    """Place of a coordinate in `[coordinate]` arrays."""
    return structure.coordinate_names.index(name)


def places(numbers: Iterable[int]) -> np.ndarray:
    """Places as an index array of 32 bits, which JAX takes alike in both of its modes of x64."""
    return np.fromiter(numbers, np.int32)


def alphabetical_muscle_order(structure: Model) -> np.ndarray:
    """Places of the muscles in alphabetical order of their names, osim-rl's wire order."""
    return places(
        sorted(range(len(structure.muscle_names)), key=structure.muscle_names.__getitem__)
    )


def first_geometry(structure: Model, force: str) -> int:
    """Place in `[geometry]` arrays of the surface that leads a contact's record: the floor."""
    contacts = structure.contacts
    return contacts.record_geometry[contacts.element_names.index(force)][0]


def units_of_motion(structure: Model, coordinates: list[int]) -> list[str]:
    """Unit of each coordinate: rad or m."""
    return ["rad" if structure.rotational[c] else "m" for c in coordinates]
