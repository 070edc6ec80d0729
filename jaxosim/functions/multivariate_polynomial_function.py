"""MultivariatePolynomialFunction: all monomials of its arguments up to an order.

One that is a sum of functions of one argument each is split into these, others are computed as sums
of products of powers, and refused where functions of one argument are needed.

# OpenSim differs: asked for the second derivative it gives the first one again.

Source: OpenSim `MultivariatePolynomialFunction`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import functools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take, take_columns
from jaxosim.functions import polynomial_function
from jaxosim.functions.function import Reader, ReadInner, read_coefficients
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "multivariate_polynomial_function"
TAG = "MultivariatePolynomialFunction"
_LARGEST = 100  # dimension and order, against tables without end


@dataclass(frozen=True, eq=False)
class Monomials:
    """Products of powers of the arguments, which sums consist of."""

    owner: np.ndarray  # [monomial] the sum
    coefficient: np.ndarray  # [monomial] number of its coefficient
    factor: np.ndarray  # [monomial] what the coefficient is multiplied by
    power: np.ndarray  # [monomial, factor] rows of the table of powers


@dataclass(frozen=True, eq=False)
class Structure:
    """Functions and their derivatives as sums of products of powers.

    The table of powers has a row for each power of each argument, those of power zero first.
    """

    argument: np.ndarray  # [argument] its number among the variables
    order: int  # the highest power
    values: Monomials
    derivatives: Monomials
    entry_function: np.ndarray  # [entry] of the derivatives
    entry_argument: np.ndarray  # [entry] the variable by which


@pytree
class Params:
    """Coefficients that are not zero in the file."""

    coefficients: jax.Array = array("monomial", unit="mixed")


@dataclass(frozen=True)
class Spec:
    """Coefficients of the monomials in ascending powers, the last argument's running first."""

    coefficients: tuple[float, ...]
    dimension: int
    order: int


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    whole = {}
    for tag in ("dimension", "order"):
        value = reader.number(element, tag, 0.0)
        if value != int(value) or not 0 <= value <= _LARGEST:
            raise element.error(f"expected a whole {tag} from 0 to {_LARGEST}, found {value:g}")
        whole[tag] = int(value)
    coefficients = read_coefficients(reader, element, ())
    count = math.comb(whole["dimension"] + whole["order"], whole["order"])
    if len(coefficients) != count:
        raise element.error(
            f"expected {count} coefficients of a polynomial of dimension {whole['dimension']} "
            f"and order {whole['order']}, found {len(coefficients)}"
        )
    return Spec(coefficients, **whole)


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return spec.dimension


def reduced(spec: Spec) -> tuple[polynomial_function.Spec, float]:
    """The same function of one argument as another class and a factor."""
    return polynomial_function.Spec(spec.coefficients[::-1]), 1.0


def separated(spec: Spec) -> tuple[float, list[polynomial_function.Spec]] | None:
    """The same as a constant and a polynomial of each argument; None if some are multiplied."""
    terms = [[0.0] * (spec.order + 1) for _ in range(spec.dimension)]
    constant = 0.0
    powers = _powers(spec.dimension, spec.order)
    for exponents, coefficient in zip(powers, spec.coefficients, strict=True):
        used = [argument for argument, power in enumerate(exponents) if power]
        if not used:
            constant = coefficient
        elif len(used) == 1:
            terms[used[0]][exponents[used[0]]] = coefficient
        elif coefficient:
            return None
    return constant, [polynomial_function.Spec(tuple(own[::-1])) for own in terms]


def build(
    functions: Sequence[tuple[Spec, float, Sequence[int]]],
) -> tuple[Structure, Params]:
    """Monomials of functions, each with a factor and the numbers of its arguments."""
    argument = np.unique([number for _, _, own in functions for number in own]).astype(int)
    order = max((spec.order for spec, _, _ in functions), default=0)
    coefficients: list[float] = []
    values: list[_Monomial] = []
    slopes: list[_Monomial] = []
    entries: dict[tuple[int, int], int] = {}
    for function, (spec, scale, own) in enumerate(functions):
        place = np.searchsorted(argument, own).tolist()
        for exponents, coefficient in zip(
            _powers(spec.dimension, spec.order), spec.coefficients, strict=True
        ):
            if not coefficient:
                continue
            number = len(coefficients)
            coefficients.append(scale * coefficient)
            powers = {slot: power for slot, power in enumerate(exponents) if power}
            values.append(_Monomial(function, number, 1, _rows(powers, place, len(argument))))
            for slot, power in powers.items():
                entry = entries.setdefault((function, int(own[slot])), len(entries))
                rows = _rows(powers | {slot: power - 1}, place, len(argument))
                slopes.append(_Monomial(entry, number, power, rows))
    structure = Structure(
        argument=argument,
        order=order,
        values=_monomials(values),
        derivatives=_monomials(slopes),
        entry_function=np.array([function for function, _ in entries], int),
        entry_argument=np.array([variable for _, variable in entries], int),
    )
    return structure, Params(coefficients=np.array(coefficients, float))


@dataclass(frozen=True)
class _Monomial:
    """A row of `Monomials`."""

    owner: int
    coefficient: int
    factor: int
    rows: tuple[int, ...]


def _rows(powers: dict[int, int], place: Sequence[int], count: int) -> tuple[int, ...]:
    """Rows of the table of powers, of which each argument has one for each power."""
    return tuple(power * count + place[slot] for slot, power in powers.items() if power)


def _monomials(rows: Sequence[_Monomial]) -> Monomials:
    """Arrays of monomials; those of fewer factors are filled up with a power of zero."""
    width = max((len(row.rows) for row in rows), default=0)
    power = [(*row.rows, *(0,) * (width - len(row.rows))) for row in rows]
    return Monomials(
        owner=np.array([row.owner for row in rows], int),
        coefficient=np.array([row.coefficient for row in rows], int),
        factor=np.array([row.factor for row in rows], float),
        power=np.array(power, int).reshape(len(rows), width),
    )


def evaluate(
    structure: Structure, params: Params, count: int, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Values and first derivatives of functions of several arguments.

    Args:
      structure: monomials.
      params: their coefficients.
      count: number of functions.
      x: `[variable]` of which the arguments are a part.

    Returns:
      `[function]` values, and `[entry]` derivatives.
    """
    own = take(x, structure.argument)
    powers = [jnp.ones_like(own)]
    for _ in range(structure.order):
        powers.append(powers[-1] * own)
    table = concatenate(powers)
    return (
        _sums(structure.values, params, count, table),
        _sums(structure.derivatives, params, len(structure.entry_function), table),
    )


def _sums(monomials: Monomials, params: Params, count: int, table: jax.Array) -> jax.Array:
    """Sums of monomials, `[sum]`."""
    factors = take_columns(table, monomials.power)
    scale = take(params.coefficients, monomials.coefficient) * monomials.factor.astype(table.dtype)
    return segment_sum(functools.reduce(operator.mul, factors, scale), monomials.owner, count)


def _powers(dimension: int, order: int) -> Iterator[tuple[int, ...]]:
    """Exponents of the monomials, in the order of their coefficients."""
    if not dimension:
        yield ()
        return
    for first in range(order + 1):
        for rest in _powers(dimension - 1, order - first):
            yield first, *rest
