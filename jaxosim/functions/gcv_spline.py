"""GCVSpline: the natural spline of odd degree through its knots.

Within the knots a polynomial of degree 2m - 1 from knot to knot, beyond them one of degree m - 1,
with 2m - 2 continuous derivatives. Smoothing is refused by name.

Source: OpenSim `GCVSpline`, Simbody `Spline`; see docs/theory/joints.md, "GCVSpline".
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
    padded_knots,
    read_knots,
)
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "gcv_spline"
TAG = "GCVSpline"
_HALF_ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Spec:
    """The natural spline of degree 2 half_order - 1 through the knots (x, y)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    half_order: int


@dataclass(frozen=True, eq=False)
class Structure:
    """How many polynomials each spline has: one between two knots, and one beyond either end."""

    pieces: np.ndarray  # [spline]


@pytree
class Params:
    """Padded to the longest and to the highest power; beyond a spline's knots the last is repeated.

    A piece starts at its knot, but for the first, which lies before all knots; each is expanded
    about its knot.
    """

    knots: jax.Array = array("function", "piece", unit="mixed")  # the first knot twice
    coefficients: jax.Array = array("function", "piece", "power", unit="mixed")  # lowest first


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one spline."""
    half_order = reader.number(element, "half_order", 0.0)
    if half_order not in _HALF_ORDERS:
        raise element.error(f"expected a half_order of 1, 2, 3 or 4, found {half_order:g}")
    x, y = read_knots(reader, element, fewest=2 * int(half_order))
    if len(set(x)) < len(x):
        raise element.error("expected knots of which no two have one x")
    if reader.number(element, "error_variance", 0.0) != 0.0:
        reason = "smoothing is not simulated; set error_variance to 0"
        reader.refuse(TAG, element.path(), reason)
    return Spec(x, y, int(half_order))


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many numbers it has."""
    return (len(spec.x) + 1) * 2 * spec.half_order


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[Structure, Params]:
    """Structure and numbers of splines, each with a factor."""
    knots = [np.array(spec.x, float) for spec, _ in specs]
    pieces = [
        natural_spline_pieces(x, scale * np.array(spec.y, float), spec.half_order)
        for x, (spec, scale) in zip(knots, specs, strict=True)
    ]
    width = max([2, *(len(x) + 1 for x in knots)])
    table = np.zeros((len(specs), width, max([2, *(own.shape[1] for own in pieces)])))
    for row, own in zip(table, pieces, strict=True):
        row[: len(own), : own.shape[1]] = own
    places = padded_knots([np.append(x[:1], x) for x in knots], width)
    params = Params(knots=places, coefficients=table)
    return Structure(np.array([len(x) + 1 for x in knots], int)), params


def natural_spline_pieces(x: np.ndarray, y: np.ndarray, half_order: int) -> np.ndarray:
    """Coefficients `[piece, power]` before the knots, between them, and after them.

    Each is expanded about its knot, the first about the first knot, the lowest power first. At an
    end knot the derivatives of orders m to 2m - 2 are zero, and beyond it the next one too.
    """
    from scipy.interpolate import PPoly, make_interp_spline

    degree = 2 * half_order - 1
    ends = [(order, 0.0) for order in range(half_order, degree)]
    spline = make_interp_spline(x, y, k=degree, bc_type=(ends, ends) if ends else None)
    between = PPoly.from_spline(spline).c[:, degree:-degree].T[:, ::-1]
    last = np.zeros(degree + 1)
    factor = 1.0
    for order in range(half_order):
        factor *= max(order, 1)
        last[order] = spline(x[-1], nu=order) / factor
    first = np.where(np.arange(degree + 1) < half_order, between[0], 0.0)
    return np.stack([first, *between, last])


def evaluate(structure: Structure, params: Params, x: jax.Array) -> Values:
    """The polynomial of the piece, and two derivatives, by Horner's scheme."""
    left, row = interval(params.knots, x, params.coefficients, structure.pieces)
    dx = x - left
    value = row[:, -1]
    derivative, half_second = jnp.zeros_like(x), jnp.zeros_like(x)
    for power in range(row.shape[1] - 2, -1, -1):
        half_second = half_second * dx + derivative
        derivative = derivative * dx + value
        value = value * dx + row[:, power]
    return value, derivative, 2 * half_second


def evaluate_on_host(structure: Structure, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    knots, coefficients = np.asarray(params.knots), np.asarray(params.coefficients)
    left, row = interval_on_host(knots, x, coefficients, structure.pieces)
    dx, exponent = x - left, np.arange(row.shape[1])
    value = np.sum(row * dx[:, None] ** exponent, axis=1)
    return value, np.sum(row[:, 1:] * exponent[1:] * dx[:, None] ** exponent[:-1], axis=1)
