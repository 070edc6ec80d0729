"""SimmSpline: a cubic spline that goes on straight beyond its knots.

Source: OpenSim `SimmSpline`; see docs/theory/joints.md, "SimmSpline".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.safe import clip
from jaxosim.functions.function import (
    SMALLEST_KNOT_DISTANCE,
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

FIELD = "simm_spline"
TAG = "SimmSpline"


@dataclass(frozen=True)
class Spec:
    """OpenSim's SimmSpline through the knots (x, y)."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """How many intervals each spline has between its own knots."""

    intervals: np.ndarray  # [spline]


@pytree
class Params:
    """Padded to the longest; beyond a spline's own knots the last is repeated."""

    knots: jax.Array = array("function", "knot", unit="mixed")
    last: jax.Array = array("function", unit="mixed")  # the last knot
    cubics: jax.Array = array("function", "knot", 4, unit="mixed")  # y, b, c, d per interval


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one spline."""
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
    """Structure and numbers of splines, each with a factor."""
    x = [np.array(spec.x, float) for spec, _ in specs]
    cubics = [
        simm_spline_cubics(own, scale * np.array(spec.y, float))
        for own, (spec, scale) in zip(x, specs, strict=True)
    ]
    width = max([2, *map(len, x)])
    params = Params(
        knots=padded_knots(x, width),
        last=np.array([own[-1] for own in x]),
        cubics=padded(cubics, 0.0, width).reshape(len(x), width, 4),
    )
    return Structure(np.array([len(own) - 1 for own in x], int)), params


def evaluate(structure: Structure, params: Params, x: jax.Array) -> Values:
    """Cubic between the end knots, straight with the end slopes beyond them."""
    inside = clip(x, params.knots[:, 0], params.last)
    left, row = interval(params.knots, inside, params.cubics, structure.intervals)
    y, b, c, d = row[:, 0], row[:, 1], row[:, 2], row[:, 3]
    dx = inside - left
    derivative = b + dx * (2 * c + dx * 3 * d)
    value = y + dx * (b + dx * (c + dx * d)) + derivative * (x - inside)
    return value, derivative, jnp.where(x == inside, 2 * c + 6 * d * dx, 0.0)


def evaluate_on_host(structure: Structure, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    knots, cubics = np.asarray(params.knots), np.asarray(params.cubics)
    inside = np.clip(x, knots[:, 0], np.asarray(params.last))
    left, row = interval_on_host(knots, inside, cubics, structure.intervals)
    y, b, c, d = np.moveaxis(row, -1, 0)
    dx = inside - left
    rate = b + dx * (2 * c + dx * 3 * d)
    return y + dx * (b + dx * (c + dx * d)) + rate * (x - inside), rate


def simm_spline_cubics(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cubic coefficients (y, b, c, d) `[interval, 4]` of OpenSim's SimmSpline through the knots.

    Not a natural spline: its end conditions take the third divided difference of the outermost
    four points as the third derivative. Two knots give a straight line.

    Source: OpenSim `SimmSpline::calcCoefficients` (checked numerically).
    """
    count = len(x)
    h = knot_distances(x)
    m = np.diff(y) / h
    if count == 2:
        return np.array([[y[0], m[0], 0.0, 0.0]])
    rhs = np.zeros(count)
    bend = np.diff(m)
    rhs[1:-1] = bend
    if count > 3:

        def third(i: int) -> float:
            """Third divided difference of the four knots from i on."""
            wide = np.maximum(SMALLEST_KNOT_DISTANCE, x[i + 2 : i + 4] - x[i : i + 2])
            whole = max(SMALLEST_KNOT_DISTANCE, x[i + 3] - x[i])
            return (bend[i + 1] / wide[1] - bend[i] / wide[0]) / whole

        rhs[0] = h[0] ** 2 * third(0)
        rhs[-1] = -(h[-1] ** 2) * third(count - 4)
    diagonal = np.concatenate([[-h[0]], 2 * (h[:-1] + h[1:]), [-h[-1]]])
    sigma = _solve_tridiagonal(diagonal, h, rhs)
    b = m - h * (sigma[1:] + 2 * sigma[:-1])
    return np.stack([y[:-1], b, 3 * sigma[:-1], np.diff(sigma) / h], axis=1)


def _solve_tridiagonal(diagonal: np.ndarray, beside: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solve a symmetric tridiagonal system by elimination without pivots, as OpenSim does."""
    pivots, x, off = diagonal.tolist(), rhs.tolist(), beside.tolist()
    for i in range(1, len(x)):
        factor = off[i - 1] / pivots[i - 1]
        pivots[i] -= factor * off[i - 1]
        x[i] -= factor * x[i - 1]
    x[-1] /= pivots[-1]
    for i in range(len(x) - 2, -1, -1):
        x[i] = (x[i] - off[i] * x[i + 1]) / pivots[i]
    return np.array(x)
