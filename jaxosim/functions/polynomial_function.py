"""PolynomialFunction of one argument.

Source: OpenSim `PolynomialFunction`; see docs/theory/joints.md, "Functions".
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
    padded,
    read_coefficients,
)
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "polynomial_function"
TAG = "PolynomialFunction"


@dataclass(frozen=True)
class Spec:
    """f of one argument; coefficients from the highest power to the lowest."""

    coefficients: tuple[float, ...]


@pytree
class Params:
    """Coefficients, lowest power first, padded with zeros to the highest power of all."""

    coefficients: jax.Array = array("function", "power", unit="mixed")


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    return Spec(read_coefficients(reader, element, (1.0,)))


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many numbers it has."""
    return len(spec.coefficients)


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[None, Params]:
    """Structure and numbers of functions, each with a factor."""
    rows = [scale * np.array(spec.coefficients[::-1], float) for spec, scale in specs]
    return None, Params(coefficients=padded(rows, 0.0, max([2, *map(len, rows)])))


def evaluate(structure: None, params: Params, x: jax.Array) -> Values:
    """Horner's scheme for value and two derivatives; trip count is the highest power, 1 mostly."""
    coefficients = params.coefficients
    value = coefficients[:, -1]
    derivative, half_second = jnp.zeros_like(x), jnp.zeros_like(x)
    value = value + jnp.zeros_like(x)
    for power in range(coefficients.shape[1] - 2, -1, -1):
        half_second = half_second * x + derivative
        derivative = derivative * x + value
        value = value * x + coefficients[:, power]
    return value, derivative, 2 * half_second


def evaluate_on_host(structure: None, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    powers = np.asarray(params.coefficients)
    exponent = np.arange(powers.shape[1])
    value = np.sum(powers * x[:, None] ** exponent, axis=1)
    return value, np.sum(powers[:, 1:] * exponent[1:] * x[:, None] ** exponent[:-1], axis=1)
