"""Random states of a model for the benchmarks that need no OpenSim, drawn on the device."""

import jax
import jax.numpy as jnp

from jaxosim import Model, Params, State

_WIDEST = (2 * jnp.pi, 2.0)  # (rad, m) beyond that a range says nothing about the joint
_NARROW = (0.5, 0.3)  # used instead, around the default
_MARGIN = 0.2  # of the range, on both sides: beyond the joint limits


def random_state(model: Model, params: Params, key: jax.Array) -> tuple[State, jax.Array]:
    """One world and its excitation: full ranges and beyond, any activation, fibers 0.5 to 1.5.

    The vertical coordinate of a model with contact keeps to 0.2 m around its default, which has
    feet in the air, on the ground and in it.
    """
    keys = jax.random.split(key, 5)
    numbers = params.coordinates
    low, high = numbers.range[:, 0], numbers.range[:, 1]
    widest = jnp.where(model.rotational, _WIDEST[0], _WIDEST[1])
    narrow = jnp.where(model.rotational, _NARROW[0], _NARROW[1])
    middle, half = (low + high) / 2, (high - low) * (0.5 + _MARGIN)
    wide = (high - low > widest) | ~jnp.isfinite(high - low)
    middle, half = jnp.where(wide, numbers.default_value, middle), jnp.where(wide, narrow, half)
    shape, dtype = numbers.default_value.shape, numbers.default_value.dtype
    q = middle + half * jax.random.uniform(keys[0], shape, dtype, -1.0, 1.0)
    u = 3 * jax.random.normal(keys[1], shape, dtype)
    muscles = params.muscles.optimal_fiber_length
    activation = jax.random.uniform(keys[2], muscles.shape, dtype, 0.01, 1.0)
    stretch = jax.random.uniform(keys[3], muscles.shape, dtype, 0.5, 1.5)
    state = State(
        time=jnp.zeros((), dtype),
        q=jnp.where(model.locked, numbers.default_value, q),
        u=jnp.where(model.locked, 0.0, u),
        activation=activation,
        fiber_length=stretch * muscles,
        normalized_tendon_force=params.degroote_fregly2016.default_normalized_tendon_force,
        force_states=params.default_force_states,
    )
    return state, jax.random.uniform(keys[4], muscles.shape, dtype)


def random_states(model: Model, params: Params, count: int, seed: int) -> tuple[State, jax.Array]:
    """A batch of them."""
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.vmap(lambda key: random_state(model, params, key))(keys)
