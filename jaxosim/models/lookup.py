"""Where the names of a file stand in the arrays of its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

import numpy as np

from jaxosim.models.spec import ContactGeometrySpec
from jaxosim.structure import GROUND

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Lookup:
    """Indices by name, and the tree that they belong to."""

    source: str  # the file, for messages
    coordinate: Mapping[str, int]
    rotational: np.ndarray  # [coordinate] bool
    body: Mapping[str, int]  # without ground
    mobod: Sequence[int]  # [body] the mobilized body that carries it, or GROUND
    support: np.ndarray  # [mobod, mobility] 1 where the coordinate moves the body
    contact_geometry: Mapping[str, ContactGeometrySpec]
    path: Mapping[str, int]  # by the name of the force that owns it
    muscle: Mapping[str, int]
    control: Mapping[str, int]  # the first one of the force that owns it
    force_state: Mapping[tuple[str, str], int]  # by the force that owns it, and its own name

    def coordinates(self, names: Sequence[str]) -> np.ndarray:
        """Index of each coordinate."""
        return np.array([self.coordinate[name] for name in names], int)

    def bodies(self, names: Sequence[str]) -> np.ndarray:
        """Index of each body, GROUND for ground."""
        return np.array([self.body.get(name, GROUND) for name in names], int)

    def paths(self, names: Sequence[str]) -> np.ndarray:
        """Index of the path that each of these forces owns."""
        return np.array([self.path[name] for name in names], int)

    def controls(self, names: Sequence[str]) -> np.ndarray:
        """Index of the control, or of the first one, that each of these forces owns."""
        return np.array([self.control[name] for name in names], int)

    def force_states(self, names: Sequence[str], variable: str) -> np.ndarray:
        """Index of the state variable of this name of each of these forces."""
        return np.array([self.force_state[name, variable] for name in names], int)

    def carriers(self, bodies: np.ndarray) -> np.ndarray:
        """The mobilized body that carries each body, GROUND if none does."""
        return np.append(np.array(self.mobod, int), GROUND)[bodies]


def columns(record: type[_Record], specs: Sequence[Any]) -> _Record:
    """A record of properties that components have under the same names; NumPy arrays in float64."""

    def column(field: Any) -> np.ndarray:
        values = np.array([getattr(spec, field.name) for spec in specs], float)
        return values.reshape(len(specs), *field.metadata["axes"][1:])

    return record(**{field.name: column(field) for field in fields(cast(Any, record))})
