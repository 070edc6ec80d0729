"""ExpressionBasedFunction: a formula of any number of arguments.

It is simulated where functions may have several arguments, and refused elsewhere.

# OpenSim differs: asked for the second derivative it gives the first one again; at a kink, as of
`abs` or `min`, its first derivative is that of another side than ours, or infinite.

Source: OpenSim `ExpressionBasedFunction`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.functions.expressions import (
    Expression,
    ExpressionError,
    evaluate_each,
    parse,
    slopes,
)
from jaxosim.functions.function import Reader, ReadInner
from jaxosim.models.osim.values import words
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "expression_based_function"
TAG = "ExpressionBasedFunction"


@dataclass(frozen=True)
class Spec:
    """A formula whose variables are called by their places."""

    expression: Expression
    dimension: int


@dataclass(frozen=True, eq=False)
class Structure:
    """Formulas, and what their arguments are."""

    expressions: tuple[Expression, ...]
    argument: np.ndarray  # [function, slot] its number among the variables; any where there is none
    slopes: tuple[np.ndarray, ...]  # for each slot, the functions that depend on it
    entry_function: np.ndarray  # [entry] of the derivatives, slot by slot
    entry_argument: np.ndarray  # [entry] the variable by which


@pytree
class Params:
    """Factors of the formulas, of which all other numbers are part."""

    scale: jax.Array = array("function", unit="1")


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function.

    Raises:
      OsimFormatError: the formula cannot be read, or a variable is listed twice.
    """
    variables = words(reader.property(element, "variables"))
    if len(set(variables)) < len(variables):
        raise element.error("expected each variable once in variables")
    found = reader.property(element, "expression")
    if found is None or not found.text.strip():
        raise element.error("expected an expression")
    try:
        parsed = parse(found.text, variables)
    except ExpressionError as error:
        raise element.error(f"expression: {error}") from error
    place = {name: _variable(slot) for slot, name in enumerate(variables)}
    renamed = (replace(one, variable=place.get(one.variable, "")) for one in parsed.operations)
    return Spec(Expression(tuple(renamed)), len(variables))


def _variable(slot: int) -> str:
    return f"x{slot}"


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return spec.dimension


def build(
    functions: Sequence[tuple[Spec, float, Sequence[int]]],
) -> tuple[Structure, Params]:
    """Formulas, each with a factor and the numbers of its arguments."""
    width = max([1, *(len(own) for _, _, own in functions)])
    table = np.zeros((len(functions), width), int)
    used = np.zeros((len(functions), width), bool)
    for row, (spec, _, own) in enumerate(functions):
        table[row, : len(own)] = own
        names = {one.variable for one in spec.expression.operations}
        used[row] = [_variable(slot) in names for slot in range(width)]
    slot, row = np.nonzero(used.T)
    return Structure(
        expressions=tuple(spec.expression for spec, _, _ in functions),
        argument=table,
        slopes=tuple(np.flatnonzero(column) for column in used.T),
        entry_function=row,
        entry_argument=table[row, slot],
    ), Params(scale=np.array([scale for _, scale, _ in functions], float))


def evaluate(structure: Structure, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values and first derivatives.

    Args:
      structure: formulas.
      params: factors.
      x: `[variable]` of which the arguments are a part.

    Returns:
      `[function]` values, and `[entry]` derivatives.
    """
    columns = enumerate(structure.argument.T)
    variables = {_variable(slot): take(x, column) for slot, column in columns}
    value = params.scale * evaluate_each(structure.expressions, variables)
    found = [
        take(params.scale * slopes(structure.expressions, variables, _variable(slot)), rows)
        for slot, rows in enumerate(structure.slopes)
        if len(rows)
    ]
    return value, concatenate(found) if found else value[:0]
