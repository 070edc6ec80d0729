"""Policies as pytrees, made for a task and read from files."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.sides import LATERAL, counterparts, side_of
from jaxosim.errors import ModelMismatchError
from jaxosim.learning.numpy_policy import Layers, Mirror, Policy, load_numpy_policy

__all__ = ["Mirror", "Policy", "initial_policy", "load_policy", "sagittal_mirror"]

_FORWARD_AND_UP, _SIDEWAYS = ("x", "y"), ("z", "vz", "az")  # components of vectors
_STATIC = ("observation_names", "action_names", "bias", "metadata")
jax.tree_util.register_dataclass(
    Policy,
    [field.name for field in dataclasses.fields(Policy) if field.name not in _STATIC],
    list(_STATIC),
)
jax.tree_util.register_dataclass(Mirror, ["entry", "sign", "action"], [])


def load_policy(source: str | os.PathLike[str]) -> Policy:
    """Read a policy, its arrays as JAX's.

    Args:
      source: a file that `Policy.save` wrote, or the name of a policy in the package.

    Raises:
      FileNotFoundError: there is neither such a file nor such a name; the message lists the names.
      TableFormatError: the file is no policy.
    """
    return jax.device_put(load_numpy_policy(source))


def initial_policy(env: Env, layers: Layers, *, bias: float, mirror: Mirror | None) -> Policy:
    """A policy of a task that does not normalize the observation yet.

    Args:
      env: the task.
      layers: weights of the network.
      bias: (1) added to the logits.
      mirror: of a symmetric model, or None.

    Raises:
      ModelMismatchError: an action of the task is unbounded.
    """
    low, high = env.action_low, env.action_high
    unbounded = ~(np.isfinite(low) & np.isfinite(high))
    if unbounded.any():
        names = [env.action_names[i] for i in np.flatnonzero(unbounded)]
        raise ModelMismatchError(
            f"{type(env).__name__}: expected actions with a smallest and a largest value, "
            f"{', '.join(names)} have none: give min_control and max_control in the model"
        )
    dtype = layers[0][0].dtype
    return Policy(
        layers=layers,
        mean=jnp.zeros(env.observation_size, dtype),
        deviation=jnp.ones(env.observation_size, dtype),
        low=jnp.asarray(low, dtype),
        high=jnp.asarray(high, dtype),
        mirror=mirror,
        observation_names=env.observation_names,
        action_names=env.action_names,
        bias=bias,
    )


def sagittal_mirror(env: Env) -> Mirror:
    """The reflection of a symmetric model in its sagittal plane, by the names of the entries.

    Signs change in the lateral components of vectors, in the other two of angular velocities, and
    in the pelvis's and the trunk's coordinates out of the plane.

    Raises:
      ModelMismatchError: an entry or action has no counterpart on the other side.
    """
    entry = counterparts("observation", env.observation_names)
    action = counterparts("action", env.action_names)
    own = [i for i, name in enumerate(env.action_names) if side_of(name) == "l"]
    other = [int(action[i]) for i in own]
    if len(own) + len(other) != len(action):
        raise ModelMismatchError(f"{type(env).__name__}: expected actions of two legs only")
    sign = [-1.0 if _changes_sign(name) else 1.0 for name in env.observation_names]
    return Mirror(
        entry=jnp.asarray(entry),
        sign=jnp.asarray(sign),
        action=jnp.asarray(np.argsort(own + other)),
    )


def _changes_sign(name: str) -> bool:
    """Whether an entry of the observation has the other sign in the reflection."""
    parts = name.split("/")
    if "angular_velocity" in parts:
        return parts[-1] in _FORWARD_AND_UP
    return parts[0] in LATERAL or parts[-1] in _SIDEWAYS
