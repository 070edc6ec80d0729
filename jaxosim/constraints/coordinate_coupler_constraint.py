"""CoordinateCouplerConstraint: a coordinate is a function of others.

Source: OpenSim `CoordinateCouplerConstraint`, Simbody `Constraint::CoordinateCoupler`; see
docs/theory/constraints.md, "Couplers".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.constraints.constraint import (
    CoordinateRows,
    Description,
    Equations,
    Motion,
    Placement,
)
from jaxosim.errors import quote
from jaxosim.functions import multivariate
from jaxosim.functions.bank import function_sizes
from jaxosim.functions.multivariate import MultivariateBank, MultivariateParams
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.functions import argument_count, read_function
from jaxosim.models.osim.values import words
from jaxosim.models.spec import FunctionSpec
from jaxosim.pytree import array, pytree

FIELD = "coordinate_couplers"
TAGS = ("CoordinateCouplerConstraint",)


@dataclass(frozen=True)
class Spec:
    """dependent = scale_factor · function(independent…)."""

    name: str
    dependent: str
    independent: tuple[str, ...]
    function: FunctionSpec
    scale_factor: float = 1.0


@dataclass(frozen=True, eq=False)
class Structure:
    """The coordinates of each coupler."""

    names: tuple[str, ...]
    dependent: np.ndarray  # [coupler]
    coupled: tuple[np.ndarray, ...]  # of each coupler, in its order, the dependent one last
    functions: MultivariateBank  # [coupler] of the coordinates


@pytree
class Params:
    """Numbers of the couplers."""

    scale_factor: jax.Array = array("coupler", unit="1")
    functions: MultivariateParams = field()


def read(context: Context, component: Component) -> Spec:
    """What the file says of one constraint.

    Raises:
      OsimFormatError: a coordinate that does not exist, or another number of arguments.
    """
    element = component.element
    assert element is not None
    independent = words(context.property(element, "independent_coordinate_names"))
    dependent = context.text(element, "dependent_coordinate_name")
    for name in (*independent, dependent):
        if name not in context.coordinates:
            raise element.error(f"expected the name of a coordinate, found {quote(name)}")
    if context.optional_object_property(element, "coupled_coordinates_function") is None:
        raise element.error("expected a function in coupled_coordinates_function")
    function = read_function(
        context, element, "coupled_coordinates_function", optional=True, several=True
    )
    count = argument_count(function)
    if count is not None and count != len(independent):
        # OpenSim differs: it reads past the arguments, or leaves some out.
        raise element.error(
            f"expected a function of {len(independent)} coordinate(s), this one takes {count}"
        )
    return Spec(
        name=element.name,
        dependent=dependent,
        independent=independent,
        function=function,
        scale_factor=context.number(element, "scale_factor", 1.0),
    )


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    bank, functions = multivariate.build(
        [
            (
                spec.function,
                [lookup.coordinate[name] for name in spec.independent],
                f"{lookup.source}: constraint '{spec.name}'",
            )
            for spec in specs
        ],
        lookup.source,
    )
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        dependent=lookup.coordinates([spec.dependent for spec in specs]),
        coupled=tuple(lookup.coordinates([*s.independent, s.dependent]) for s in specs),
        functions=bank,
    )
    scale = np.array([spec.scale_factor for spec in specs], float)
    return structure, Params(scale_factor=scale, functions=functions)


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return function_sizes(f"{FIELD}.functions", params.functions)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"coupler": structure.names}


def equation_count(structure: Structure) -> int:
    """One for each."""
    return len(structure.names)


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates that the equations depend on."""
    return np.concatenate([structure.dependent, structure.functions.entry_variable])


def evaluate(
    structure: Structure, params: Params, instance: None, placement: Placement
) -> Equations:
    """How far the function is from the dependent coordinate."""
    bank, count = structure.functions, len(structure.names)
    found = multivariate.evaluate(bank, params.functions, placement.q)
    error = params.scale_factor * found.value - take(placement.q, structure.dependent)
    slopes = take(params.scale_factor, bank.entry_function) * found.derivative
    rows = CoordinateRows(
        np.concatenate([bank.entry_function, np.arange(count)]),
        np.concatenate([bank.entry_variable, structure.dependent]),
        concatenate([slopes, -jnp.ones_like(error)]),
    )
    return Equations(error, rows)


def bias(
    structure: Structure, params: Params, instance: None, placement: Placement, motion: Motion
) -> jax.Array:
    """Second derivative of the error at u_dot = 0, `[equation]`."""
    bend = multivariate.second_derivative_along(
        structure.functions, params.functions, placement.q, motion.q_dot
    )
    return params.scale_factor * bend


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """Which coordinate each one couples to which."""
    rows = []
    for row, (name, dependent) in enumerate(zip(structure.names, structure.dependent, strict=True)):
        bank = structure.functions
        others = bank.entry_variable[bank.entry_function == row]
        independent = ", ".join(coordinate_names[int(c)] for c in others) or "a constant"
        rows.append((name, f"{coordinate_names[int(dependent)]} to {independent}"))
    return Description(str(len(rows)), rows)
