"""The controls of a model: their names, bounds and owners, in OpenSim's order.

Source: OpenSim `Actuator`, `Model::getControls`; see docs/theory/actuators.md, "Controls".
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jaxosim.models.spec import ControlOwner, ForceSpec


class Controls(NamedTuple):
    """What forces are driven by."""

    names: tuple[str, ...]  # [control]
    minimum: np.ndarray  # [control] (1)
    maximum: np.ndarray  # [control] (1)
    first: dict[str, int]  # by the name of the force that owns it


def compile_controls(forces: Iterable[ForceSpec]) -> Controls:
    """The controls of all forces that have some, also of those that are switched off."""
    owners = [force for force in forces if isinstance(force, ControlOwner)]
    controls = [control for owner in owners for control in owner.controls]
    first = np.cumsum([0, *(len(owner.controls) for owner in owners)])
    return Controls(
        names=tuple(control.name for control in controls),
        minimum=np.array([control.min_control for control in controls], float),
        maximum=np.array([control.max_control for control in controls], float),
        first={owner.name: int(i) for owner, i in zip(owners, first[:-1], strict=True)},
    )
