"""Where episodes begin: in a pose, or in a state of a pool, `[start]` leading in every array."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxosim.checks import check_kind
from jaxosim.osim_rl.constants import STARTING_CONTROL
from jaxosim.outputs import StateDescription, describe
from jaxosim.pytree import check_dtypes, check_shapes
from jaxosim.simulation import find_initial_state
from jaxosim.types import Model, Params, State


class Beginning(NamedTuple):
    """The beginning of an episode."""

    state: State
    controls: jax.Array  # [control] (1), before the first action
    has_equilibrium: jax.Array  # [muscle] bool, whether fiber and tendon balance
    description: StateDescription


def beginning_in_pose(model: Model, params: Params, q: jax.Array, u: jax.Array) -> Beginning:
    """The beginning in a pose: default activations, muscles in equilibrium.

    Args:
      model: static structure.
      params: model parameters.
      q: `[coordinate]` (rad | m).
      u: `[coordinate]` (rad/s | m/s).
    """
    state, found = find_initial_state(model, params, q, u)
    controls = controls_at_reset(model, state, is_drawn=False)
    return Beginning(state, controls, found, describe(model, params, state, controls))


def beginning_in_pool(model: Model, params: Params, pool: State, key: jax.Array) -> Beginning:
    """The beginning in a state drawn from a pool, as it is.

    Args:
      model: static structure.
      params: model parameters.
      pool: `[start]` leads.
      key: JAX random key.
    """
    state = draw_start(pool, key, params.gravity.dtype)
    controls = controls_at_reset(model, state, is_drawn=True)
    found = jnp.ones(len(model.muscle_names), bool)
    return Beginning(state, controls, found, describe(model, params, state, controls))


def check_pool(option: str, pool: object, model: Model) -> None:
    """Refuse what is no pool of states of a model.

    Args:
      option: its name, for the message.
      pool: states with a leading axis.
      model: whose states they should be.

    Raises:
      ValueError: it is no State, or holds no states.
      ModelMismatchError: the states are those of another model, or hold no real numbers.
    """
    check_kind(option, pool, State)
    assert isinstance(pool, State)
    check_dtypes(pool)
    counts = {jnp.shape(leaf)[0] if jnp.ndim(leaf) else 0 for leaf in jax.tree.leaves(pool)}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(
            f"{option}: expected states with one leading axis [start], as vmap(initial_state) "
            f"returns them, got leading lengths {sorted(counts)}"
        )
    one = jax.eval_shape(lambda states: jax.tree.map(lambda leaf: leaf[0], states), pool)
    check_shapes(one, model.sizes)


def draw_start(pool: State, key: jax.Array, dtype: jnp.dtype) -> State:
    """One state of a pool, each as likely as the others, at time 0.

    Args:
      pool: `[start]` leads.
      key: JAX random key.
      dtype: of the state's numbers.
    """
    index = jax.random.randint(key, (), 0, len(pool.time))
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf)[index].astype(dtype), pool)
    return dataclasses.replace(state, time=jnp.zeros_like(state.time))


def controls_at_reset(model: Model, state: State, is_drawn: bool) -> jax.Array:
    """The controls before the first action, `[control]` (1): only muscles are at work.

    Args:
      model: of the state.
      state: in which an episode begins.
      is_drawn: whether it is of a pool; then they are those that hold its activations.
    """
    steady = state.activation if is_drawn else STARTING_CONTROL
    controls = jnp.zeros_like(state.q, shape=len(model.control_names))
    return controls.at[model.muscle_control].set(steady)
