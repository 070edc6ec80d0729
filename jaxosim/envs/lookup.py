"""Lookups by name for the tables of the tasks: where a body, coordinate or muscle stands."""

from collections.abc import Iterable, Sequence

import numpy as np

from jaxosim.errors import ModelMismatchError
from jaxosim.types import Model


def place(model: Model, kind: str, names: Sequence[str], name: str) -> int:
    """Place of a name among those of its kind.

    Raises:
      ModelMismatchError: the model has none of that name.
    """
    if name not in names:
        raise ModelMismatchError(
            f"{model.source}: expected a {kind} named {name!r}, which the task reads"
        )
    return names.index(name)


def body(model: Model, name: str) -> int:
    """Place of a body in `[body]` arrays."""
    return place(model, "body", model.body_names, name)


def coordinates_of(model: Model, joint: str) -> list[int]:
    """Places of a joint's coordinates in `[coordinate]` arrays, in the joint's order."""
    return list(model.joint_coordinates[place(model, "joint", model.joint_names, joint)])


def coordinate(model: Model, name: str) -> int:
    """Place of a coordinate in `[coordinate]` arrays."""
    return place(model, "coordinate", model.coordinate_names, name)


def places(numbers: Iterable[int]) -> np.ndarray:
    """Places as an index array of 32 bits, which JAX takes alike in both of its modes of x64."""
    return np.fromiter(numbers, np.int32)


def alphabetical_muscle_order(model: Model) -> np.ndarray:
    """Places of the muscles in alphabetical order of their names, osim-rl's observation order."""
    return places(sorted(range(len(model.muscle_names)), key=model.muscle_names.__getitem__))


def first_geometry(model: Model, force: str) -> int:
    """Place in `[geometry]` arrays of the surface that leads a contact's record: the floor."""
    contacts = model.contacts
    names = contacts.element_names
    return contacts.record_geometry[place(model, "contact force", names, force)][0]


def units_of_motion(model: Model, coordinates: list[int]) -> list[str]:
    """Unit of each coordinate: rad or m."""
    return ["rad" if model.rotational[c] else "m" for c in coordinates]
