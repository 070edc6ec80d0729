"""What the classes of actuators with one control have in common.

The actuation is the control times `optimal_force`. Nothing is clipped: `min_control` and
`max_control` are for optimizers and learners.

Source: OpenSim `ScalarActuator`; see docs/theory/actuators.md, "Controls".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ControlSpec


@dataclass(frozen=True, kw_only=True)
class ActuatorSpec:
    """Properties that all classes have, with the defaults of OpenSim 4.6."""

    name: str
    optimal_force: float = 1.0
    min_control: float = -math.inf
    max_control: float = math.inf
    applies_force: bool = True

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """The one control."""
        return (ControlSpec(self.name, self.min_control, self.max_control),)


class _Driven(Protocol):
    names: tuple[str, ...]
    control: np.ndarray  # [actuator]


def read_properties(context: Context, element: Element) -> dict[str, Any]:
    """What the file says of the properties of `ActuatorSpec`."""
    return {
        "name": element.name,
        "optimal_force": context.number(element, "optimal_force", 1.0),
        "min_control": context.number(element, "min_control", -math.inf, allow_infinite=True),
        "max_control": context.number(element, "max_control", math.inf, allow_infinite=True),
        "applies_force": context.boolean(element, "appliesForce", True),
    }


def actuation(structure: _Driven, optimal_force: jax.Array, controls: jax.Array) -> jax.Array:
    """Control times optimal force, `[actuator]`."""
    return optimal_force * take(controls, structure.control)


def rows(structure: _Driven, acts_on: Sequence[str]) -> list[tuple[str, str]]:
    """Rows of a `force.Description`."""
    return list(zip(structure.names, acts_on, strict=True))
