"""Functions of several variables, evaluated together with their first derivatives.

Each is a constant and functions of one variable each, which a `FunctionBank` evaluates, or a
polynomial that multiplies variables, or a formula.

Source: OpenSim `Function`, `LinearFunction`, `MultivariatePolynomialFunction`,
`ExpressionBasedFunction`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.errors import OsimFormatError
from jaxosim.functions import constant, linear_function, multiplier_function
from jaxosim.functions import expression_based_function as formula
from jaxosim.functions import multivariate_polynomial_function as polynomial
from jaxosim.functions.bank import (
    LARGEST_TABLE,
    FunctionBank,
    FunctionParams,
    FunctionValues,
    module_of,
    unscaled,
)
from jaxosim.functions.bank import build as build_bank
from jaxosim.functions.bank import evaluate as evaluate_bank
from jaxosim.functions.function import FunctionSpec
from jaxosim.pytree import array, pytree


class Split(NamedTuple):
    """A function of several arguments as a sum."""

    constant: float
    terms: list[tuple[int, FunctionSpec]]  # an argument's place, and a function of it alone
    mixed: tuple[polynomial.Spec | formula.Spec, float] | None  # of all arguments, and a factor


@dataclass(frozen=True, eq=False)
class MultivariateBank:
    """Structure of a set of functions of several variables."""

    terms: FunctionBank
    term_function: np.ndarray  # [term]
    term_variable: np.ndarray  # [term]
    polynomials: polynomial.Structure
    polynomial_function: np.ndarray  # [polynomial]
    formulas: formula.Structure
    formula_function: np.ndarray  # [formula]
    entry_function: np.ndarray  # [entry] of the derivatives that are not always zero
    entry_variable: np.ndarray  # [entry]
    entry: np.ndarray  # [term, entry of polynomials, entry of formulas] the entry each adds to


@pytree
class MultivariateParams:
    """Numbers of a set of functions of several variables."""

    constant: jax.Array = array("function", unit="mixed")
    terms: FunctionParams = dataclasses.field()
    polynomials: polynomial.Params = dataclasses.field()
    formulas: formula.Params = dataclasses.field()


class MultivariateValues(NamedTuple):
    """Values and first derivatives."""

    value: jax.Array  # [function]
    derivative: jax.Array  # [entry]


def split(function: FunctionSpec, count: int, owner: str) -> Split:
    """A function of several arguments as a constant, functions of one argument each, and a rest.

    Args:
      function: of as many arguments as there are.
      count: how many.
      owner: whose function it is, for messages.

    Raises:
      OsimFormatError: a function of one argument has another number of them.
    """
    inner, scale = unscaled(function)
    if isinstance(inner, constant.Spec):
        return Split(scale * inner.value, [], None)
    if isinstance(inner, linear_function.Spec):
        slopes = zip(range(count), inner.coefficients[:-1], strict=True)
        terms = [(place, linear_function.Spec((scale * slope, 0.0))) for place, slope in slopes]
        return Split(scale * inner.coefficients[-1], list(terms), None)
    if isinstance(inner, formula.Spec):
        return Split(0.0, [], (inner, scale))
    if count == 1:
        return Split(0.0, [(0, multiplier_function.Spec(inner, scale))], None)
    if not isinstance(inner, polynomial.Spec):
        kind = module_of(inner).TAG
        raise OsimFormatError(f"{owner}: a {kind} needs one coordinate, got {count}")
    parts = polynomial.separated(inner)
    if parts is None:
        return Split(0.0, [], (inner, scale))
    scaled = [multiplier_function.Spec(term, scale) for term in parts[1]]
    return Split(scale * parts[0], list(enumerate(scaled)), None)


def build(
    functions: Sequence[tuple[FunctionSpec, Sequence[int], str]], source: str
) -> tuple[MultivariateBank, MultivariateParams]:
    """Structure and numbers of functions of several variables.

    Args:
      functions: each with the numbers of its arguments among the variables, and its owner, for
        messages.
      source: the file, for messages.

    Raises:
      OsimFormatError: a function of one argument has another number of them, or one is so large
        that its tables have no place.
    """
    parts = [split(function, len(own), owner) for function, own, owner in functions]
    terms = [
        (row, functions[row][1][place], term)
        for row, part in enumerate(parts)
        for place, term in part.terms
    ]
    _check_size(source, [p.mixed[0] for p in parts if p.mixed is not None])
    bank, term_params = build_bank([term for _, _, term in terms], source)
    polynomials = _of_class(polynomial, parts, functions)
    formulas = _of_class(formula, parts, functions)
    pairs = [(row, variable) for row, variable, _ in terms]
    for structure, _, rows in (polynomials, formulas):
        owner = rows[structure.entry_function].tolist()
        pairs += zip(owner, structure.entry_argument.tolist(), strict=True)
    place = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    return MultivariateBank(
        terms=bank,
        term_function=np.array([row for row, _, _ in terms], int),
        term_variable=np.array([variable for _, variable, _ in terms], int),
        polynomials=polynomials[0],
        polynomial_function=polynomials[2],
        formulas=formulas[0],
        formula_function=formulas[2],
        entry_function=np.array([row for row, _ in place], int),
        entry_variable=np.array([variable for _, variable in place], int),
        entry=np.array([place[pair] for pair in pairs], int),
    ), MultivariateParams(
        constant=np.array([part.constant for part in parts], float),
        terms=term_params,
        polynomials=polynomials[1],
        formulas=formulas[1],
    )


def _of_class(
    law: ModuleType,
    parts: Sequence[Split],
    functions: Sequence[tuple[FunctionSpec, Sequence[int], str]],
) -> tuple[Any, Any, np.ndarray]:
    """Structure and numbers of the functions of a class of several arguments, and their rows."""
    own = [
        (row, *part.mixed)
        for row, part in enumerate(parts)
        if part.mixed is not None and isinstance(part.mixed[0], law.Spec)
    ]
    built = law.build([(spec, scale, functions[row][1]) for row, spec, scale in own])
    return *built, np.array([row for row, _, _ in own], int)


def _check_size(source: str, specs: Sequence[polynomial.Spec | formula.Spec]) -> None:
    """Refuse polynomials whose monomials, and those of their derivatives, would have no place."""
    polynomials = [spec for spec in specs if isinstance(spec, polynomial.Spec)]
    size = sum(len(spec.coefficients) * spec.dimension**2 for spec in polynomials)
    if size > LARGEST_TABLE:
        raise OsimFormatError(
            f"{source}: expected the coefficients of each {polynomial.TAG} times its dimension "
            f"squared to be at most {LARGEST_TABLE} together, found {size}"
        )


def _terms(bank: MultivariateBank, params: MultivariateParams, x: jax.Array) -> FunctionValues:
    return evaluate_bank(bank.terms, params.terms, take(x, bank.term_variable))


def _mixed(
    bank: MultivariateBank, params: MultivariateParams, x: jax.Array
) -> list[tuple[np.ndarray, jax.Array, jax.Array]]:
    """Functions of several arguments by class: which they are, values and derivatives."""
    found = []
    if len(bank.polynomial_function):
        count = len(bank.polynomial_function)
        values = polynomial.evaluate(bank.polynomials, params.polynomials, count, x)
        found.append((bank.polynomial_function, *values))
    if len(bank.formula_function):
        values = formula.evaluate(bank.formulas, params.formulas, x)
        found.append((bank.formula_function, *values))
    return found


def evaluate(
    bank: MultivariateBank, params: MultivariateParams, x: jax.Array
) -> MultivariateValues:
    """Values and first derivatives of all functions.

    Args:
      bank: structure.
      params: model parameters.
      x: `[variable]`.
    """
    terms = _terms(bank, params, x)
    parts = [(bank.term_function, terms.value, terms.derivative), *_mixed(bank, params, x)]
    owner, values, slopes = zip(*parts, strict=True)
    total = segment_sum(concatenate(values), np.concatenate(owner), len(params.constant))
    entries = segment_sum(concatenate(slopes), bank.entry, len(bank.entry_function))
    return MultivariateValues(params.constant + total, entries)


def second_derivative_along(
    bank: MultivariateBank, params: MultivariateParams, x: jax.Array, rate: jax.Array
) -> jax.Array:
    """Second derivatives by time of all functions while the variables move at constant rates.

    Args:
      bank: structure.
      params: model parameters.
      x: `[variable]`.
      rate: `[variable]` per second.

    Returns:
      `[function]` Σij rate_i rate_j ∂²f/∂x_i∂x_j.
    """
    count = len(params.constant)
    own = take(rate, bank.term_variable)
    bend = _terms(bank, params, x).second_derivative * own * own
    total = segment_sum(bend, bank.term_function, count)
    mixed = np.arange(len(bank.term_function), len(bank.entry))
    if not len(mixed):
        return total
    entry = bank.entry[mixed]
    owner, along = bank.entry_function[entry], take(rate, bank.entry_variable[entry])

    def speed(at: jax.Array) -> jax.Array:
        slopes = concatenate([slope for _, _, slope in _mixed(bank, params, at)])
        return segment_sum(slopes * along, owner, count)

    return total + jax.jvp(speed, (x,), (rate,))[1]
