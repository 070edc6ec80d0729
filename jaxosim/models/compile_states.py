"""The state variables of forces other than muscles: their names, defaults and owners.

Source: OpenSim `Component::addStateVariable`; see docs/theory/actuators.md, "States".
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jaxosim.models.spec import ForceSpec, StateOwner
from jaxosim.structure import ForceStateStructure


class States(NamedTuple):
    """What `State.force_states` holds."""

    structure: ForceStateStructure
    default: np.ndarray  # [force_state] (mixed)
    row: dict[tuple[str, str], int]  # by owner and variable


def compile_states(forces: Iterable[ForceSpec]) -> States:
    """The state variables of all forces that have some, also of those that are switched off."""
    held = [
        (force.name, state)
        for force in forces
        if isinstance(force, StateOwner)
        for state in force.states
    ]
    owner, variable = tuple(name for name, _ in held), tuple(state.name for _, state in held)
    return States(
        structure=ForceStateStructure(owner, variable),
        default=np.array([state.default for _, state in held], float),
        row={key: row for row, key in enumerate(zip(owner, variable, strict=True))},
    )
