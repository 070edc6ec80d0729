"""PiecewiseConstantFunction: between knots the value of the left one.

Source: OpenSim `PiecewiseConstantFunction`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.functions.function import (
    HostValues,
    Reader,
    ReadInner,
    Values,
    interval,
    interval_on_host,
    padded,
    padded_knots,
    read_knots,
)
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "piecewise_constant_function"
TAG = "PiecewiseConstantFunction"


@dataclass(frozen=True)
class Spec:
    """The value of the last knot that x has reached; before the first knot, its value."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """How many knots each function has."""

    knots: np.ndarray  # [function]


@pytree
class Params:
    """Padded to the longest; beyond a function's own knots the last is repeated."""

    knots: jax.Array = array("function", "knot", unit="mixed")
    values: jax.Array = array("function", "knot", unit="mixed")


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    return Spec(*read_knots(reader, element, fewest=1))


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many knots it has."""
    return len(spec.x)


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[Structure, Params]:
    """Structure and numbers of functions, each with a factor."""
    x = [np.array(spec.x, float) for spec, _ in specs]
    y = [scale * np.array(spec.y, float) for spec, scale in specs]
    width = max([2, *map(len, x)])
    params = Params(knots=padded_knots(x, width), values=padded(y, 0.0, width))
    return Structure(np.array([len(own) for own in x], int)), params


def evaluate(structure: Structure, params: Params, x: jax.Array) -> Values:
    """Values; derivatives are zero.

    # OpenSim differs: exactly at an interior knot its bisection picks either side's value; we take
    the right one.
    """
    _, row = interval(params.knots, x, params.values[..., None], structure.knots)
    return row[:, 0], jnp.zeros_like(x), jnp.zeros_like(x)


def evaluate_on_host(structure: Structure, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    values = np.asarray(params.values)[..., None]
    _, row = interval_on_host(np.asarray(params.knots), x, values, structure.knots)
    return row[:, 0], np.zeros_like(x)
