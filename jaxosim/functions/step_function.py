"""StepFunction: from one value to another along a polynomial of fifth degree.

Source: OpenSim `StepFunction`, Simbody `Function::Step`; see docs/theory/joints.md, "Functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.safe import clip
from jaxosim.functions.function import HostValues, Reader, ReadInner, Values
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree

FIELD = "step_function"
TAG = "StepFunction"


@dataclass(frozen=True)
class Spec:
    """start_value up to transition_start_time, end_value from transition_end_time on."""

    transition_start_time: float
    transition_end_time: float
    start_value: float
    end_value: float


@pytree
class Params:
    """Begin, length (either may be negative) and values of each transition."""

    start: jax.Array = array("function", unit="mixed")
    duration: jax.Array = array("function", unit="mixed")
    value: jax.Array = array("function", unit="mixed")
    change: jax.Array = array("function", unit="mixed")


def read(reader: Reader, element: Element, read_inner: ReadInner) -> Spec:
    """What the file says of one function."""
    defaults = {
        "transition_start_time": 0.99,
        "transition_end_time": 1.01,
        "start_value": 0.0,
        "end_value": 1.0,
    }
    spec = Spec(**{tag: reader.number(element, tag, value) for tag, value in defaults.items()})
    if spec.transition_start_time == spec.transition_end_time:
        raise element.error(
            "expected a transition_start_time other than the transition_end_time, both are "
            f"{spec.transition_start_time}"
        )
    return spec


def argument_count(spec: Spec) -> int:
    """How many arguments it takes."""
    return 1


def length(spec: Spec) -> int:
    """How many numbers it has."""
    return 4


def build(specs: Sequence[tuple[Spec, float]]) -> tuple[None, Params]:
    """Structure and numbers of functions, each with a factor."""
    start = np.array([spec.transition_start_time for spec, _ in specs], float)
    end = np.array([spec.transition_end_time for spec, _ in specs], float)
    low, high = (
        np.array([scale * getattr(spec, tag) for spec, scale in specs], float)
        for tag in ("start_value", "end_value")
    )
    return None, Params(start=start, duration=end - start, value=low, change=high - low)


def evaluate(structure: None, params: Params, x: jax.Array) -> Values:
    """The step and two derivatives, both zero outside the transition and at its ends."""
    t = clip((x - params.start) / params.duration, 0.0, 1.0)
    rest = t * (1 - t)
    rate = params.change / params.duration
    return (
        params.value + params.change * (t * t * t * (10 + t * (6 * t - 15))),
        30 * rest * rest * rate,
        60 * rest * (1 - 2 * t) * rate / params.duration,
    )


def evaluate_on_host(structure: None, params: Params, x: np.ndarray) -> HostValues:
    """Values and slopes with NumPy."""
    duration, change = np.asarray(params.duration), np.asarray(params.change)
    t = np.clip((x - np.asarray(params.start)) / duration, 0.0, 1.0)
    value = np.asarray(params.value) + change * t**3 * (10 + t * (6 * t - 15))
    return value, 30 * (t * (1 - t)) ** 2 * change / duration
