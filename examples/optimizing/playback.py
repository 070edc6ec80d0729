"""Play a rollout's excitations in live OpenSim: the same model, start and numbers.

Used by `optimize_excitations.py`; needs the extra `opensim`.
"""

import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.opensim.library import opensim
from jaxosim.opensim.model import OpenSimModel

FIELDS = ("q", "u", "activation", "fiber_length", "normalized_tendon_force", "force_states")


def play(
    model: jaxosim.Model,
    params: jaxosim.Params,
    start: jaxosim.State,
    excitations: np.ndarray,
    accuracy: float = 5e-5,
) -> jaxosim.State:
    """Simulate in OpenSim what `jaxosim.rollout` does: each row is held for a control step.

    Args:
      model: read from a file that OpenSim reads too.
      params: only the stiffness of the springs is used; other parameters are the file's.
      start: one world; OpenSim starts at time zero.
      excitations: `[time, muscle]` (1).
      accuracy: of OpenSim's integrator, a new one for each control step.

    Returns:
      The states after each control step, `[time, ...]`.
    """
    stiffness = np.asarray(params.springs.stiffness, float)

    def set_stiffness(live: opensim.Model) -> None:
        for name, value in zip(model.springs.names, stiffness, strict=True):
            force = live.updForceSet().get(name)
            opensim.SpringGeneralizedForce.safeDownCast(force).setStiffness(value)

    seconds = jaxosim.Options().step_size
    live = OpenSimModel(model.source, set_stiffness).trajectory(
        np.asarray(excitations, float),
        dt=seconds,
        accuracy=accuracy,
        start={name: np.asarray(getattr(start, name), float) for name in FIELDS},
    )
    fields = {name: jnp.asarray(live[name][1:], jnp.float32) for name in FIELDS}
    time = jnp.asarray(np.arange(1, len(excitations) + 1) * seconds, jnp.float32)
    return jaxosim.State(time=time, **fields)
