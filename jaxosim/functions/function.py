"""What the classes of functions share: how they are read, and tables of knots."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; on the host they are NumPy's.)

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element

SMALLEST_KNOT_DISTANCE = 1e-7  # OpenSim's floor, so that repeated knots do not divide by zero

Values = tuple[jax.Array, jax.Array, jax.Array]
"""`[function]` values, first and second derivatives."""
HostValues = tuple[np.ndarray, np.ndarray]
"""`[function]` values and first derivatives, NumPy arrays."""
ReadInner = Callable[[Element], Any]
"""Reads a function that stands within another."""


class FunctionSpec(Protocol):
    """What the file says of a function of any class; each class has its own in its module."""


class Reader(Protocol):
    """What functions need of `models.osim.context.Context`."""

    def property(self, element: Element, tag: str) -> Element | None:
        """The element of a property."""
        ...

    def number(
        self, element: Element, tag: str, default: float | None, *, allow_infinite: bool = False
    ) -> float:
        """A property of one number."""
        ...

    def refuse(self, class_name: str, name: str, reason: str) -> None:
        """Note something that is not simulated."""
        ...


def read_coefficients(
    reader: Reader, element: Element, default: tuple[float, ...]
) -> tuple[float, ...]:
    """The property `coefficients`, of one number or more."""
    found = reader.property(element, "coefficients")
    if found is None:
        return default
    values = numbers(found)
    if not values:
        raise found.error("expected at least one coefficient")
    return values


def read_knots(
    reader: Reader, element: Element, fewest: int = 2
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The properties `x` and `y`: knots in ascending order."""
    knots: list[tuple[float, ...]] = []
    for axis in ("x", "y"):
        found = reader.property(element, axis)
        if found is None:
            raise element.error(f"expected the {axis} of its knots")
        knots.append(numbers(found))
    x, y = knots
    if len(x) < fewest or len(x) != len(y):
        least = "two" if fewest == 2 else str(fewest)
        raise element.error(
            f"expected {least} or more knots, as many x as y, found {len(x)} x and {len(y)} y"
        )
    if any(later < earlier for earlier, later in zip(x, x[1:], strict=False)):
        raise element.error("expected knots in ascending order of x")
    return x, y


def refuse_vertical_ends(element: Element, x: Sequence[float], y: Sequence[float]) -> None:
    """Refuse two values for one argument at an end of the knots."""
    if any(x[a] == x[b] and y[a] != y[b] for a, b in ((0, 1), (-2, -1))):
        # OpenSim differs: it goes on beyond the end with a slope of ten million.
        raise element.error("expected no two y for one x at its ends")


def knot_distances(x: np.ndarray) -> np.ndarray:
    """Distances of successive knots `[interval]`, never quite zero."""
    return np.maximum(SMALLEST_KNOT_DISTANCE, np.diff(x))


def padded(rows: Sequence[np.ndarray], fill: float, width: int) -> np.ndarray:
    """Rows of different lengths in one array, the missing places filled."""
    table = np.full((len(rows), width, *rows[0].shape[1:]), fill) if rows else np.zeros((0, width))
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def padded_knots(rows: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Knots of different numbers in one array; the missing ones are as the last."""
    filled = [np.pad(row, (0, width - len(row)), mode="edge") for row in rows]
    return np.stack(filled) if filled else np.zeros((0, width))


def interval(
    knots: jax.Array, x: jax.Array, table: jax.Array, intervals: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Left knot and table row of the interval of x; beyond the ends, the outermost interval."""
    index = jnp.sum(x[:, None] >= knots[:, 1:], axis=1)
    index = jnp.minimum(index, (intervals - 1).astype(index.dtype))
    left = jnp.take_along_axis(knots, index[:, None], axis=1)[:, 0]
    return left, jnp.take_along_axis(table, index[:, None, None], axis=1)[:, 0]


def interval_on_host(
    knots: np.ndarray, x: np.ndarray, table: np.ndarray, intervals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same with NumPy."""
    index = np.minimum((x[:, None] >= knots[:, 1:]).sum(axis=1), intervals - 1)
    rows = np.arange(len(knots))
    return knots[rows, index], table[rows, index]
