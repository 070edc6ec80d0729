"""Two materials in contact, combined, and the friction between them.

Source: OpenSim `HuntCrossleyForce`; Simbody `HuntCrossleyForceImpl`; see docs/theory/contact.md,
"Materials" and "Force".
"""

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.forces.hunt_crossley_records import Params, Structure
from jaxosim.pytree import array, pytree


@pytree
class MaterialPair:
    """Two materials combined, one row per pair of surfaces."""

    stiffness: jax.Array = array("pair", unit="N^(2/3)/m^(4/3)")  # k, of both in series
    share: jax.Array = array("pair", unit="1")  # s1: part of the depth taken by the first surface
    dissipation: jax.Array = array("pair", unit="s/m")
    static_friction: jax.Array = array("pair", unit="1")
    dynamic_friction: jax.Array = array("pair", unit="1")
    viscous_friction: jax.Array = array("pair", unit="s/m")
    transition_velocity: jax.Array = array("pair", unit="m/s")


def combine_materials(structure: Structure, params: Params) -> MaterialPair:
    """Combination rules: K^(2/3) in series, dissipation by share of depth, harmonic friction."""
    first, second = (structure.material[side] for side in (structure.first, structure.second))
    k1, k2 = (jnp.cbrt(params.stiffness[side] ** 2) for side in (first, second))
    share = k2 / (k1 + k2)

    def harmonic(values: jax.Array) -> jax.Array:
        a, b = values[first], values[second]
        return safe_divide(2 * a * b, a + b)

    return MaterialPair(
        stiffness=k1 * share,
        share=share,
        dissipation=params.dissipation[first] * share + params.dissipation[second] * (1 - share),
        static_friction=harmonic(params.static_friction),
        dynamic_friction=harmonic(params.dynamic_friction),
        viscous_friction=harmonic(params.viscous_friction),
        transition_velocity=params.transition_velocity[structure.pair_element],
    )


def friction_per_slip(material: MaterialPair, slip: jax.Array) -> jax.Array:
    """Friction coefficient divided by slip speed (s/m): finite at zero slip."""
    v_t = material.transition_velocity
    ratio = slip / v_t
    dynamic, static = material.dynamic_friction, material.static_friction
    coefficient = dynamic + 2 * (static - dynamic) / (1 + ratio * ratio)
    return coefficient / clip(slip, low=v_t) + material.viscous_friction


def friction_rate(material: MaterialPair, slip: jax.Array) -> jax.Array:
    """Derivative of the friction coefficient by slip speed (s/m), zero where that falls."""
    v_t = material.transition_velocity
    ratio = slip / v_t
    dynamic, static = material.dynamic_friction, material.static_friction
    falling = 1 / (1 + ratio * ratio)
    coefficient = dynamic + 2 * (static - dynamic) * falling
    change = -4 * (static - dynamic) * ratio * falling * falling
    regular = jnp.where(ratio < 1, coefficient + change * ratio, change) / v_t
    return clip(regular + material.viscous_friction, low=0.0)
