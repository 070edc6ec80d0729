"""Functions of several variables, evaluated together with their first derivatives.

Each is a constant, functions of one variable each, which a `FunctionBank` evaluates, and where
variables are multiplied a polynomial of several.

Source: OpenSim `Function`, `LinearFunction`, `MultivariatePolynomialFunction`; see
docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.errors import OsimFormatError
from jaxosim.functions import constant, linear_function, multiplier_function
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
    mixed: tuple[polynomial.Spec, float] | None  # of all arguments, and a factor


@dataclass(frozen=True, eq=False)
class MultivariateBank:
    """Structure of a set of functions of several variables."""

    terms: FunctionBank
    term_function: np.ndarray  # [term]
    term_variable: np.ndarray  # [term]
    polynomials: polynomial.Structure
    polynomial_function: np.ndarray  # [polynomial]
    entry_function: np.ndarray  # [entry] of the derivatives that are not always zero
    entry_variable: np.ndarray  # [entry]
    entry: np.ndarray  # [term + entry of polynomials] the entry that each adds to


@pytree
class MultivariateParams:
    """Numbers of a set of functions of several variables."""

    constant: jax.Array = array("function", unit="mixed")
    terms: FunctionParams = dataclasses.field()
    polynomials: polynomial.Params = dataclasses.field()


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
    mixed = [(row, *part.mixed) for row, part in enumerate(parts) if part.mixed is not None]
    _check_size(source, [spec for _, spec, _ in mixed])
    bank, term_params = build_bank([term for _, _, term in terms], source)
    structure, polynomials = polynomial.build(
        [(spec, scale, functions[row][1]) for row, spec, scale in mixed]
    )
    rows = np.array([row for row, _, _ in mixed], int)
    pairs = [(row, variable) for row, variable, _ in terms]
    pairs += zip(
        rows[structure.entry_function].tolist(), structure.entry_argument.tolist(), strict=True
    )
    place = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    return MultivariateBank(
        terms=bank,
        term_function=np.array([row for row, _, _ in terms], int),
        term_variable=np.array([variable for _, variable, _ in terms], int),
        polynomials=structure,
        polynomial_function=rows,
        entry_function=np.array([row for row, _ in place], int),
        entry_variable=np.array([variable for _, variable in place], int),
        entry=np.array([place[pair] for pair in pairs], int),
    ), MultivariateParams(
        constant=np.array([part.constant for part in parts], float),
        terms=term_params,
        polynomials=polynomials,
    )


def _check_size(source: str, specs: Sequence[polynomial.Spec]) -> None:
    """Refuse polynomials whose monomials, and those of their derivatives, would have no place."""
    size = sum(len(spec.coefficients) * spec.dimension**2 for spec in specs)
    if size > LARGEST_TABLE:
        raise OsimFormatError(
            f"{source}: expected the coefficients of each {polynomial.TAG} times its dimension "
            f"squared to be at most {LARGEST_TABLE} together, found {size}"
        )


def _terms(bank: MultivariateBank, params: MultivariateParams, x: jax.Array) -> FunctionValues:
    return evaluate_bank(bank.terms, params.terms, take(x, bank.term_variable))


def _polynomials(
    bank: MultivariateBank, params: MultivariateParams, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    count = len(bank.polynomial_function)
    return polynomial.evaluate(bank.polynomials, params.polynomials, count, x)


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
    values, slopes, owner = [terms.value], [terms.derivative], [bank.term_function]
    if len(bank.polynomial_function):
        value, slope = _polynomials(bank, params, x)
        values.append(value)
        slopes.append(slope)
        owner.append(bank.polynomial_function)
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
    if not len(bank.polynomial_function):
        return total
    structure = bank.polynomials

    def speed(at: jax.Array) -> jax.Array:
        _, slope = _polynomials(bank, params, at)
        along = slope * take(rate, structure.entry_argument)
        return segment_sum(along, bank.polynomial_function[structure.entry_function], count)

    return total + jax.jvp(speed, (x,), (rate,))[1]
