"""Sine of one argument.

Source: OpenSim `Sine`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.functions.function import HostValues, Reader, ReadInner, Values
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "sine"
TAG = "Sine"


@dataclass(frozen=True)
class Spec:
    """f = amplitude · sin(omega x + phase) + offset."""

    amplitude: float
    omega: float
    phase: float
    offset: float


@pytree
class Params:
    """Amplitude, angular frequency, phase and offset of each function."""

    amplitude: jax.Array = array("function", unit="mixed")
    omega: jax.Array = array("function", unit="mixed")
    phase: jax.Array = array("function", unit="rad")
    offset: jax.Array = array("function", unit="mixed")


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    defaults = {"amplitude": 1.0, "omega": 1.0, "phase": 0.0, "offset": 0.0}
    return Spec(**{tag: reader.number(element, tag, value) for tag, value in defaults.items()})


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many numbers it has."""
    return 4


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[None, Params]:
    """Structure and numbers of functions, each with a factor."""
    return None, Params(
        amplitude=np.array([scale * spec.amplitude for spec, scale in specs], float),
        omega=np.array([spec.omega for spec, _ in specs], float),
        phase=np.array([spec.phase for spec, _ in specs], float),
        offset=np.array([scale * spec.offset for spec, scale in specs], float),
    )


def evaluate(structure: None, params: Params, x: jax.Array) -> Values:
    """The sine and two derivatives."""
    angle = params.omega * x + params.phase
    swing = params.amplitude * jnp.sin(angle)
    slope = params.amplitude * params.omega * jnp.cos(angle)
    return swing + params.offset, slope, -params.omega * params.omega * swing


def evaluate_on_host(structure: None, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    amplitude, omega = np.asarray(params.amplitude), np.asarray(params.omega)
    angle = omega * x + np.asarray(params.phase)
    value = amplitude * np.sin(angle) + np.asarray(params.offset)
    return value, amplitude * omega * np.cos(angle)
