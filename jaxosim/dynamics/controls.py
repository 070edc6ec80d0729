"""The controls at work at an instant: those that are given, and those of the model's controllers.

Source: OpenSim `Model::computeControls`; see docs/theory/actuators.md, "Controllers".
"""

import jax

from jaxosim.controllers import present
from jaxosim.controllers.controller import MuscleMotion
from jaxosim.types import Model, Params


def total_controls(
    model: Model,
    params: Params,
    time: jax.Array,
    controls: jax.Array,
    lengthening_speed: jax.Array,
) -> jax.Array:
    """Given controls plus what each controller adds.

    Args:
      model: static structure.
      params: model parameters.
      time: (s).
      controls: `[control]` (1) that are given.
      lengthening_speed: `[muscle]` (m/s) of the muscles' paths.
    """
    own = params.muscles
    for one in present(model):
        max_speed = own.optimal_fiber_length * own.max_contraction_velocity
        controls = controls + one.evaluate(
            getattr(model, one.FIELD),
            getattr(params, one.FIELD),
            time,
            MuscleMotion(lengthening_speed, max_speed),
            len(model.control_names),
        )
    return controls
