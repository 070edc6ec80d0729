"""OpenSim's scalar functions of one argument: fitted on the host, evaluated on the device.

A model uses a few dozen of them (joint axes, moving path points). They are sorted by kind once, at
compile time, into a `FunctionBank`; evaluating a bank gives every function's value and first two
derivatives at its own argument in three vectorised expressions, never a branch per function.

Source: OpenSim `SimmSpline`, `PiecewiseLinearFunction`, `PolynomialFunction`, `LinearFunction`; see
docs/theory/joints.md, "Functions" and "SimmSpline".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.safe import clip
from jaxosim.pytree import array, pytree

_SMALLEST_KNOT_DISTANCE = 1e-7  # OpenSim's floor, so that repeated knots do not divide by zero


@dataclass(frozen=True, eq=False)
class FunctionBank:
    """Structure of a set of functions: how many of each kind, and where each one stands.

    `order[f]` is the place of function f in the concatenation polynomials, splines, lines.
    """

    order: np.ndarray
    polynomial: np.ndarray  # [polynomial] function indices, for reports
    spline: np.ndarray
    piecewise: np.ndarray
    spline_intervals: np.ndarray  # [spline] between a function's own knots
    piecewise_intervals: np.ndarray

    @property
    def count(self) -> int:
        """Number of functions."""
        return len(self.order)


@pytree
class FunctionParams:
    """Numbers of a bank, padded per kind; beyond a function's own knots the last is repeated."""

    coefficients: jax.Array = array("polynomial", "power", unit="mixed")  # lowest power first
    spline_knots: jax.Array = array("spline", "knot", unit="mixed")
    spline_last: jax.Array = array("spline", unit="mixed")  # the last knot
    spline_cubics: jax.Array = array("spline", "knot", 4, unit="mixed")  # y, b, c, d per interval
    piecewise_knots: jax.Array = array("piecewise", "knot", unit="mixed")
    piecewise_lines: jax.Array = array("piecewise", "knot", 2, unit="mixed")  # y, slope


@pytree
class FunctionValues:
    """Values and derivatives of all functions of a bank."""

    value: jax.Array = array("function", unit="mixed")
    derivative: jax.Array = array("function", unit="mixed")
    second_derivative: jax.Array = array("function", unit="mixed")


def evaluate(bank: FunctionBank, params: FunctionParams, x: jax.Array) -> FunctionValues:
    """All functions of the bank, each at its own argument.

    Args:
      bank: structure.
      params: model parameters.
      x: `[function]` arguments.

    Returns:
      `[function]` values, slopes and curvatures.
    """
    parts = []
    if len(bank.polynomial):
        parts.append(_polynomials(params.coefficients, take(x, bank.polynomial)))
    if len(bank.spline):
        parts.append(
            _splines(
                params.spline_knots,
                params.spline_last,
                params.spline_cubics,
                bank.spline_intervals,
                take(x, bank.spline),
            )
        )
    if len(bank.piecewise):
        parts.append(
            _lines(
                params.piecewise_knots,
                params.piecewise_lines,
                bank.piecewise_intervals,
                take(x, bank.piecewise),
            )
        )
    if not parts:
        return FunctionValues(value=x, derivative=x, second_derivative=x)
    # All values, then all slopes, then all curvatures, which are put in order at once.
    columns = concatenate([part for column in zip(*parts, strict=True) for part in column])
    order = np.concatenate([bank.order + i * bank.count for i in range(3)])
    value, derivative, second_derivative = jnp.split(take(columns, order), 3)
    return FunctionValues(value=value, derivative=derivative, second_derivative=second_derivative)


def _polynomials(coefficients: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Horner's scheme for value and two derivatives; trip count is the highest power, 1 mostly."""
    value = coefficients[:, -1]
    derivative, half_second = jnp.zeros_like(x), jnp.zeros_like(x)
    value = value + jnp.zeros_like(x)
    for power in range(coefficients.shape[1] - 2, -1, -1):
        half_second = half_second * x + derivative
        derivative = derivative * x + value
        value = value * x + coefficients[:, power]
    return value, derivative, 2 * half_second


def _interval(
    knots: jax.Array, x: jax.Array, table: jax.Array, intervals: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Left knot and table row of the interval of x; beyond the ends, the outermost interval."""
    index = jnp.sum(x[:, None] >= knots[:, 1:], axis=1)
    index = jnp.minimum(index, (intervals - 1).astype(index.dtype))
    left = jnp.take_along_axis(knots, index[:, None], axis=1)[:, 0]
    return left, jnp.take_along_axis(table, index[:, None, None], axis=1)[:, 0]


def _splines(
    knots: jax.Array,
    last_knot: jax.Array,
    cubics: jax.Array,
    intervals: np.ndarray,
    x: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """SimmSplines: cubic between the end knots, straight with the end slopes beyond them."""
    inside = clip(x, knots[:, 0], last_knot)
    left, row = _interval(knots, inside, cubics, intervals)
    y, b, c, d = row[:, 0], row[:, 1], row[:, 2], row[:, 3]
    dx = inside - left
    derivative = b + dx * (2 * c + dx * 3 * d)
    value = y + dx * (b + dx * (c + dx * d)) + derivative * (x - inside)
    return value, derivative, jnp.where(x == inside, 2 * c + 6 * d * dx, 0.0)


def _lines(
    knots: jax.Array, lines: jax.Array, intervals: np.ndarray, x: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Straight lines between knots; the end lines go on beyond the ends.

    # OpenSim differs: exactly at an interior knot its bisection picks either side's slope; we take
    the right one.
    """
    left, row = _interval(knots, x, lines, intervals)
    return row[:, 0] + row[:, 1] * (x - left), row[:, 1], jnp.zeros_like(x)


def knot_distances(x: np.ndarray) -> np.ndarray:
    """Distances of successive knots `[interval]`, never quite zero."""
    return np.maximum(_SMALLEST_KNOT_DISTANCE, np.diff(x))


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
            wide = np.maximum(_SMALLEST_KNOT_DISTANCE, x[i + 2 : i + 4] - x[i : i + 2])
            whole = max(_SMALLEST_KNOT_DISTANCE, x[i + 3] - x[i])
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
