"""PiecewiseLinearFunction: straight lines between knots; the end lines go on beyond the ends.

Source: OpenSim `PiecewiseLinearFunction`; see docs/theory/joints.md, "Functions".
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
    knot_distances,
    padded,
    padded_knots,
    read_knots,
    refuse_vertical_ends,
)
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "piecewise_linear_function"
TAG = "PiecewiseLinearFunction"


@dataclass(frozen=True)
class Spec:
    """Straight lines through the knots (x, y)."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """How many intervals each function has between its own knots."""

    intervals: np.ndarray  # [function]


@pytree
class Params:
    """Padded to the longest; beyond a function's own knots the last is repeated."""

    knots: jax.Array = array("function", "knot", unit="mixed")
    lines: jax.Array = array("function", "knot", 2, unit="mixed")  # y, slope


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    x, y = read_knots(reader, element)
    refuse_vertical_ends(element, x, y)
    return Spec(x, y)


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many knots it has."""
    return len(spec.x)


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[Structure, Params]:
    """Structure and numbers of functions, each with a factor."""
    x = [np.array(spec.x, float) for spec, _ in specs]
    pieces = [
        lines(own, scale * np.array(spec.y, float))
        for own, (spec, scale) in zip(x, specs, strict=True)
    ]
    width = max([2, *map(len, x)])
    params = Params(
        knots=padded_knots(x, width),
        lines=padded(pieces, 0.0, width).reshape(len(x), width, 2),
    )
    return Structure(np.array([len(own) - 1 for own in x], int)), params


def lines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Value and slope `[interval, 2]` at the left knot of each interval between knots (x, y)."""
    return np.stack([y[:-1], np.diff(y) / knot_distances(x)], axis=1)


def evaluate(structure: Structure, params: Params, x: jax.Array) -> Values:
    """Straight lines between knots; the end lines go on beyond the ends.

    # OpenSim differs: exactly at an interior knot its bisection picks either side's slope; we take
    the right one.
    """
    left, row = interval(params.knots, x, params.lines, structure.intervals)
    return row[:, 0] + row[:, 1] * (x - left), row[:, 1], jnp.zeros_like(x)


def evaluate_on_host(structure: Structure, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    knots, lines = np.asarray(params.knots), np.asarray(params.lines)
    left, row = interval_on_host(knots, x, lines, structure.intervals)
    return row[:, 0] + row[:, 1] * (x - left), row[:, 1]
