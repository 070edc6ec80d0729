"""ModelSpec functions → `FunctionBank` and `FunctionParams`: sorted by kind, padded, fitted."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Sequence

import numpy as np

from jaxosim.errors import OsimFormatError
from jaxosim.functions import FunctionBank, FunctionParams, knot_distances, simm_spline_cubics
from jaxosim.models.spec import (
    ConstantSpec,
    FunctionSpec,
    LinearFunctionSpec,
    MultiplierFunctionSpec,
    PiecewiseLinearFunctionSpec,
    PolynomialFunctionSpec,
    SimmSplineSpec,
)

# Bound of tables whose rows are padded to the longest, in entries: 32 MB of indices.
LARGEST_TABLE = 4_000_000


def unscaled(function: FunctionSpec) -> tuple[FunctionSpec, float]:
    """The function inside any MultiplierFunctions, and the product of their scales."""
    scale = 1.0
    while isinstance(function, MultiplierFunctionSpec):
        scale *= function.scale
        function = function.function
    return function, scale


def _powers(function: FunctionSpec) -> list[float] | None:
    """Coefficients, lowest power first, or None for a function that is not a polynomial."""
    inner, scale = unscaled(function)
    match inner:
        case ConstantSpec():
            powers = [inner.value]
        case LinearFunctionSpec():
            powers = [inner.coefficients[-1], *inner.coefficients[:1]][: len(inner.coefficients)]
        case PolynomialFunctionSpec():
            powers = list(reversed(inner.coefficients))
        case _:
            return None
    return [scale * power for power in powers]


def _padded(rows: Sequence[np.ndarray], fill: float, width: int) -> np.ndarray:
    """Rows of different lengths in one array, the missing places filled."""
    table = np.full((len(rows), width, *rows[0].shape[1:]), fill) if rows else np.zeros((0, width))
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def _padded_knots(rows: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Knots of different numbers in one array; the missing ones are as the last."""
    padded = [np.pad(row, (0, width - len(row)), mode="edge") for row in rows]
    return np.stack(padded) if padded else np.zeros((0, width))


def _knots(
    functions: Sequence[FunctionSpec], indices: Sequence[int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Knots and scaled ordinates of the functions with these indices."""
    xs, ys = [], []
    for index in indices:
        inner, scale = unscaled(functions[index])
        assert isinstance(inner, SimmSplineSpec | PiecewiseLinearFunctionSpec)
        xs.append(np.array(inner.x, dtype=float))
        ys.append(scale * np.array(inner.y, dtype=float))
    return xs, ys


def _length(function: FunctionSpec) -> int:
    """How many coefficients or knots a function has."""
    inner, _ = unscaled(function)
    match inner:
        case SimmSplineSpec() | PiecewiseLinearFunctionSpec():
            return len(inner.x)
        case PolynomialFunctionSpec():
            return len(inner.coefficients)
        case _:
            return 2


def _check_size(source: str, functions: Sequence[FunctionSpec]) -> None:
    """Refuse functions whose table, every row as long as the longest, would have no place."""
    longest = max(functions, key=_length, default=ConstantSpec(0.0))
    length = _length(longest)
    if len(functions) * length > LARGEST_TABLE:
        kind = type(unscaled(longest)[0]).__name__.removesuffix("Spec")
        raise OsimFormatError(
            f"{source}: expected the number of functions times the longest {kind} to be at most "
            f"{LARGEST_TABLE}, found {len(functions)} times {length}"
        )


def compile_functions(
    functions: Sequence[FunctionSpec], source: str = ""
) -> tuple[FunctionBank, FunctionParams]:
    """Sort functions of one argument by kind and fit their coefficients.

    Args:
      functions: in the order in which their arguments will be given.
      source: the file, for messages.

    Returns:
      Structure and numbers.

    Raises:
      OsimFormatError: one is so long that tables of all as long as it have no place.
    """
    powers = [_powers(function) for function in functions]
    polynomial = [i for i, p in enumerate(powers) if p is not None]
    kinds = [unscaled(function)[0] for function in functions]
    spline = [i for i, kind in enumerate(kinds) if isinstance(kind, SimmSplineSpec)]
    lines = [i for i, kind in enumerate(kinds) if isinstance(kind, PiecewiseLinearFunctionSpec)]
    for members in (polynomial, spline, lines):
        _check_size(source, [functions[i] for i in members])
    rows = [np.array(p, dtype=float) for p in powers if p is not None]
    spline_x, spline_y = _knots(functions, spline)
    cubics = [simm_spline_cubics(x, y) for x, y in zip(spline_x, spline_y, strict=True)]
    lines_x, lines_y = _knots(functions, lines)
    segments = [
        np.stack([y[:-1], np.diff(y) / knot_distances(x)], axis=1)
        for x, y in zip(lines_x, lines_y, strict=True)
    ]
    knot_width = max([2, *map(len, spline_x)])
    line_width = max([2, *map(len, lines_x)])
    place = np.argsort(np.array([*polynomial, *spline, *lines], dtype=int))
    bank = FunctionBank(
        order=place,
        polynomial=np.array(polynomial, dtype=int),
        spline=np.array(spline, dtype=int),
        piecewise=np.array(lines, dtype=int),
        spline_intervals=np.array([len(x) - 1 for x in spline_x], dtype=int),
        piecewise_intervals=np.array([len(x) - 1 for x in lines_x], dtype=int),
    )
    params = FunctionParams(
        coefficients=_padded(rows, 0.0, max([2, *map(len, rows)])),
        spline_knots=_padded_knots(spline_x, knot_width),
        spline_last=np.array([x[-1] for x in spline_x]),
        spline_cubics=_padded(cubics, 0.0, knot_width).reshape(len(spline), knot_width, 4),
        piecewise_knots=_padded_knots(lines_x, line_width),
        piecewise_lines=_padded(segments, 0.0, line_width).reshape(len(lines), line_width, 2),
    )
    return bank, params
