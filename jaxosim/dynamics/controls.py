"""The controls at work at an instant: those that are given, and those of the model's controllers.

Source: OpenSim `Model::computeControls`; see docs/theory/actuators.md, "Controllers".
"""

import jax

from jaxosim.controllers import present
from jaxosim.types import Model, Params


def total_controls(model: Model, params: Params, time: jax.Array, controls: jax.Array) -> jax.Array:
    """Given controls `[control]` (1) plus what each controller adds at this time (s)."""
    for one in present(model):
        structure, numbers = getattr(model, one.FIELD), getattr(params, one.FIELD)
        controls = controls + one.evaluate(structure, numbers, time, len(model.control_names))
    return controls
