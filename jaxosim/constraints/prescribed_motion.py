"""Prescribed coordinates: functions of time.

Source: OpenSim `Coordinate`, Simbody `Constraint::PrescribedMotion`; see
docs/theory/constraints.md, "Prescribed coordinates".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, field

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
from jaxosim.functions import FunctionBank, FunctionParams, FunctionValues
from jaxosim.functions import evaluate as evaluate_functions
from jaxosim.functions.bank import function_sizes
from jaxosim.models.compile_functions import compile_functions
from jaxosim.models.lookup import Lookup
from jaxosim.models.spec import FunctionSpec, JointSpec
from jaxosim.pytree import pytree

FIELD = "prescribed_motions"
TAGS = ()  # a property of a Coordinate


@dataclass(frozen=True)
class Spec:
    """coordinate = function(time)."""

    name: str  # of the coordinate
    function: FunctionSpec


@dataclass(frozen=True, eq=False)
class Structure:
    """The prescribed coordinates."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [prescribed]
    functions: FunctionBank


@pytree
class Params:
    """The functions of time (s)."""

    functions: FunctionParams = field()


def of_joints(joints: Sequence[JointSpec]) -> tuple[Spec, ...]:
    """Those among the coordinates of joints."""
    return tuple(
        Spec(coordinate.name, coordinate.prescribed_function)
        for joint in joints
        for coordinate in joint.coordinates
        if coordinate.prescribed_function is not None
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    bank, functions = compile_functions([spec.function for spec in specs], lookup.source)
    names = tuple(spec.name for spec in specs)
    structure = Structure(names, lookup.coordinates(names), bank)
    return structure, Params(functions=functions)


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"prescribed": structure.names}


def equation_count(structure: Structure) -> int:
    """One for each."""
    return len(structure.names)


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates that the equations depend on."""
    return structure.coordinate


def _values(structure: Structure, params: Params, time: jax.Array) -> FunctionValues:
    at = jnp.broadcast_to(time, (len(structure.names),))
    return evaluate_functions(structure.functions, params.functions, at)


def evaluate(
    structure: Structure, params: Params, instance: None, placement: Placement
) -> Equations:
    """How far each coordinate is from its function."""
    values = _values(structure, params, placement.time)
    error = take(placement.q, structure.coordinate) - values.value
    rows = CoordinateRows(
        np.arange(len(structure.names)), structure.coordinate, jnp.ones_like(error)
    )
    return Equations(error, rows, -values.derivative)


def bias(
    structure: Structure, params: Params, instance: None, placement: Placement, motion: Motion
) -> jax.Array:
    """Second derivative of the error at u_dot = 0, `[equation]`."""
    return -_values(structure, params, placement.time).second_derivative


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """Which coordinates they are."""
    return Description(str(len(structure.names)), [(name, "time") for name in structure.names])
