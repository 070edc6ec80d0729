"""One world's step with auto-reset, whose cost stays bounded when a trainer vmaps it.

A trainer vmaps the step of one world, and `vmap` turns every condition into both of its branches: a
whole reset would be worked out for every world at every step. So the batched step is given as the
rule by which this step is vmapped.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from jaxosim.envs.base import Env
from jaxosim.envs.batch import BatchEnv
from jaxosim.envs.episode import EnvState


def begin(env: Env, key: jax.Array) -> EnvState:
    """The beginning of an episode, in the form in which `autoreset_step` carries it."""
    return jax.tree.map(lambda x: x[0], BatchEnv(env, 1).reset(key))


def autoreset_step(env: Env) -> Callable[[EnvState, jax.Array], EnvState]:
    """A step `(state, action) -> state` that begins a new episode where one has ended.

    Its `info` is that of `BatchEnv.step`; vmapped, it is `BatchEnv.step`.
    """

    @custom_vmap
    def step(es: EnvState, action: jax.Array) -> EnvState:
        batch = jax.tree.map(lambda x: x[None], (es, action))
        return jax.tree.map(lambda x: x[0], BatchEnv(env, 1).step(*batch))

    @step.def_vmap
    def batched(axis_size: int, in_batched: Any, es: EnvState, action: jax.Array) -> Any:
        def spread(leaf: jax.Array, has_world: bool) -> jax.Array:
            return leaf if has_world else jnp.broadcast_to(leaf, (axis_size, *leaf.shape))

        worlds = jax.tree.map(spread, (es, action), tuple(in_batched))
        after = BatchEnv(env, axis_size).step(*worlds)
        return after, jax.tree.map(lambda _: True, after)

    return step
