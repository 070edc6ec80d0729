"""Pools of states made of poses: feet on the ground, muscles in equilibrium, worked out once.

`poses.py` has the poses. A pool is saved and loaded with `jaxosim.save_state` and `load_state`.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.batching import batched
from jaxosim.envs.contact_pose import contact_pose
from jaxosim.envs.poses import Poses
from jaxosim.errors import ModelMismatchError
from jaxosim.simulation import find_initial_state
from jaxosim.system import realize_position
from jaxosim.types import Model, Params, State

_NAMES_SHOWN = 5


def make_pool(
    model: Model,
    params: Params,
    poses: Poses,
    *,
    depth: float | None = 0.004,
    vertical: str = "pelvis_ty",
    drop: bool = False,
) -> State:
    """A pool of states in these poses, default activations.

    Args:
      model: static structure.
      params: model parameters.
      poses: in which episodes may begin.
      depth: (m) of the lowest contact sphere in the ground; the model is not lifted if None.
      vertical: the coordinate that lifts the model.
      drop: whether poses in which a muscle has no equilibrium are left out, or else refused.

    Raises:
      ValueError: no coordinate has that name, or no sphere can touch the ground.
      ModelMismatchError: the poses do not fit the model, or a muscle has no equilibrium in one of
        them; the message names it.
    """
    lifted = None
    if depth is not None:
        if vertical not in model.coordinate_names:
            raise ValueError(f"vertical: expected a coordinate of {model.source}, got {vertical!r}")
        lifted = model.coordinate_names.index(vertical)
        if not _ground_pairs(model).any():
            raise ValueError(f"{model.source}: expected spheres that can touch the ground")

    def start(q: jax.Array, u: jax.Array) -> tuple[State, jax.Array]:
        state, found = find_initial_state(model, params, q, u)
        if lifted is None or depth is None:
            return state, found
        lift = _lift_off(model, params, state) - depth
        return dataclasses.replace(state, q=state.q.at[lifted].add(lift)), found

    dtype = params.gravity.dtype
    q, u = (jnp.asarray(part, dtype) for part in poses)
    states, found = jax.jit(batched(start))(q, u)
    complete = np.asarray(found).all(axis=1)
    if not drop or not complete.any():
        _check_equilibrium(model, np.asarray(found))
    return jax.tree.map(lambda leaf: leaf[np.flatnonzero(complete)], states)


def _ground_pairs(model: Model) -> np.ndarray:
    """Which pairs of contact surfaces are of a half-space on ground and a sphere, `[pair]` bool."""
    contacts = model.contacts
    pairs = np.arange(contacts.pair_count)
    on_ground = np.asarray(contacts.geometry_body)[np.asarray(contacts.first, int)] < 0
    return (pairs < contacts.half_space_count) & on_ground


def _lift_off(model: Model, params: Params, state: State) -> jax.Array:
    """How far up (m) the model has to move for its lowest sphere to just touch the ground."""
    contact = contact_pose(model, params, realize_position(model, params, state))
    pairs = np.flatnonzero(_ground_pairs(model))
    return jnp.max(contact.depth[pairs] / contact.normal[pairs, 1])


def _check_equilibrium(model: Model, found: np.ndarray) -> None:
    """Refuse poses `[start, muscle]` in which a muscle has no equilibrium.

    Raises:
      ModelMismatchError: there is one.
    """
    starts = np.flatnonzero(~found.all(axis=1))
    if len(starts):
        names = [model.muscle_names[i] for i in np.flatnonzero(~found.all(axis=0))]
        remedy = "; drop=True leaves these out" if len(starts) < len(found) else ""
        raise ModelMismatchError(
            f"{model.source}: expected an equilibrium of fiber and tendon in all {len(found)} "
            f"poses, found none in {len(starts)} (first: {starts[:_NAMES_SHOWN].tolist()}) of "
            f"{', '.join(names[:_NAMES_SHOWN])}{remedy}"
        )


def mix_pools(
    pools: Sequence[State], shares: Sequence[float], count: int, *, seed: int = 0
) -> State:
    """One pool of several, each with its share.

    The states of a pool are taken equally often, at random where that does not come out even.

    Args:
      pools: `[start]` leads in each.
      shares: (1) of each; they sum to 1.
      count: states of the result.
      seed: of the choice of states.

    Raises:
      ValueError: the shares are not as many as the pools, negative, or do not sum to 1.
    """
    given = np.asarray(shares, float)
    if given.shape != (len(pools),) or (given < 0).any() or abs(given.sum() - 1.0) > 1e-6:
        raise ValueError(
            f"shares: expected one for each of {len(pools)} pools, none negative, with sum 1, got "
            f"{list(shares)}"
        )
    ends = np.round(np.cumsum(given) * count).astype(int)
    sizes = np.diff(ends, prepend=0)
    rng = np.random.default_rng(seed)
    rows = [
        np.resize(rng.permutation(len(pool.time)), size)
        for pool, size in zip(pools, sizes, strict=True)
    ]

    def joined(*leaves: jax.Array) -> jax.Array:
        return jnp.concatenate([leaf[own] for leaf, own in zip(leaves, rows, strict=True)])

    return jax.tree.map(joined, *pools)
