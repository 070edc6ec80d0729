"""Angles of Ball and Free joints of which some, not all, are locked: their rates are zero.

The speeds of such a joint are its angular velocity, so that no speed stands still with an angle.

Source: OpenSim `Coordinate`, Simbody `Constraint::PrescribedMotion`; see
docs/theory/constraints.md, "Angles whose rates are no speeds".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.constraints.constraint import (
    CoordinateRows,
    Description,
    Equations,
    Motion,
    Placement,
)
from jaxosim.models.lookup import Lookup
from jaxosim.pytree import pytree

FIELD = "locked_angles"
TAGS = ()  # a property of a Coordinate


@dataclass(frozen=True)
class Spec:
    """An angle that stays at the value that it has."""

    name: str  # of the coordinate


@dataclass(frozen=True, eq=False)
class Structure:
    """The angles."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [locked_angle]


@pytree
class Params:
    """There are no numbers: an angle is held where it is."""


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices."""
    names = tuple(spec.name for spec in specs)
    return Structure(names, lookup.coordinates(names)), Params()


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"locked_angle": structure.names}


def equation_count(structure: Structure) -> int:
    """One for each."""
    return len(structure.names)


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates that the equations depend on."""
    return structure.coordinate


def evaluate(
    structure: Structure, params: Params, instance: None, placement: Placement
) -> Equations:
    """No errors: an angle is where it is to be."""
    error = jnp.zeros_like(take(placement.q, structure.coordinate))
    rows = CoordinateRows(
        np.arange(len(structure.names)), structure.coordinate, jnp.ones_like(error)
    )
    return Equations(error, rows)


def bias(
    structure: Structure, params: Params, instance: None, placement: Placement, motion: Motion
) -> jax.Array:
    """Second derivative of the error where no coordinate's rate changes, `[equation]`."""
    return jnp.zeros_like(take(placement.q, structure.coordinate))


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """Which angles they are."""
    return Description(str(len(structure.names)), [(name, "itself") for name in structure.names])
