"""A soleus, and several muscles that differ from it in some properties."""

import jax.numpy as jnp
import numpy as np

from jaxosim.muscles.thelen2003 import Properties

SOLEUS = {
    "max_isometric_force": 2191.74098360656,
    "optimal_fiber_length": 0.076,
    "tendon_slack_length": 0.346,
    "pennation_angle_at_optimal": 0.08726646,
    "max_contraction_velocity": 15.0,
    "activation_time_constant": 0.01,
    "deactivation_time_constant": 0.04,
    "fmax_tendon_strain": 0.049,
    "fmax_muscle_strain": 1.0,
    "kshape_active": 0.45,
    "kshape_passive": 9.0,
    "af": 0.25,
    "flen": 1.4,
    "fv_linear_extrap_threshold": 0.95,
    "maximum_pennation_angle": float(np.arccos(0.1)),
    "minimum_activation": 0.01,
    "default_activation": 0.05,
    "default_fiber_length": 0.1,
}


def muscles(count=1, **changes):
    """Properties of `count` equal muscles, some of them changed."""
    values = SOLEUS | changes
    return Properties(
        **{k: jnp.broadcast_to(jnp.asarray(v, float), (count,)) for k, v in values.items()}
    )
