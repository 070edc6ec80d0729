"""Many worlds of a task at once, and a new episode for every world whose own has ended.

A reset costs several control steps, so it must not be worked out for every world at every step. The
finished worlds are gathered to the front and reset in chunks of fixed size, as many chunks as it
takes: none where no world has finished. The cost is that of the resets needed, rounded up to a
chunk (`benchmarks/autoreset.py` measures it).
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxosim.batching import batched, sharded
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.pytree import tree_where
from jaxosim.types import State

_CHUNKS = 64  # of which a device's share consists, by default


@dataclasses.dataclass(frozen=True, eq=False)
class BatchEnv:
    """A batch of worlds of one task, with auto-reset; every array of its EnvState leads with world.

    Where a world's episode ends, `step` returns the reward, `done`, `info` and `metrics` of its
    last step, and everything else of a new episode; of `info` also `has_equilibrium`, which is
    about the episode that goes on. `info` has three entries more: of all worlds
    the `final_observation` before the reset (that is `obs`, where no episode has ended), and
    `final_return` and `final_length`, sum of rewards and control steps of the episode so far.

    Attributes:
      env: the task, or its name.
      num_envs: number of worlds.
      reset_batch_size: worlds that are reset together; a 64th of a device's share if None.
      mesh: the devices over which the worlds are distributed, from `world_mesh`; one if None.
      batch_size: worlds computed side by side, as for `batched`.
    """

    env: Env
    num_envs: int
    reset_batch_size: int | None = None
    mesh: Mesh | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        """Find the task, check the sizes.

        Raises:
          ValueError: there is no such task, the sizes are not positive, a chunk is larger than a
            device's share, or the worlds cannot be distributed evenly.
        """
        object.__setattr__(self, "env", make(self.env))
        devices = 1 if self.mesh is None else self.mesh.size
        if self.num_envs < 1 or self.num_envs % devices:
            raise ValueError(
                f"num_envs: expected a positive multiple of the {devices} devices, got "
                f"{self.num_envs}"
            )
        share = self.num_envs // devices
        if self.reset_batch_size is not None and not 1 <= self.reset_batch_size <= share:
            raise ValueError(
                f"reset_batch_size: expected 1 to {share}, the worlds of a device, got "
                f"{self.reset_batch_size}"
            )

    def reset(self, key: jax.Array, starts: State | None = None) -> EnvState:
        """All worlds at the beginning of an episode of their own.

        Args:
          key: one JAX random key; each world draws from a key split from it.
          starts: a pool for all worlds, as for `Env.reset`.
        """
        reset = batched(self.env.reset, (0, None), mesh=self.mesh, batch_size=self.batch_size)
        es = reset(jax.random.split(key, self.num_envs), starts)
        return _with_final(es, es)

    def step(self, es: EnvState, action: jax.Array, starts: State | None = None) -> EnvState:
        """One decision in every world; the finished ones begin anew.

        Args:
          es: from `reset` or `step`.
          action: `[world, action]` (1).
          starts: a pool for the episodes that begin, as for `Env.reset`.
        """
        return sharded(self._step_share, self.mesh, (0, 0, None))(es, action, starts)

    def _step_share(self, es: EnvState, action: jax.Array, starts: State | None) -> EnvState:
        """One decision in every world of one device."""
        before = dataclasses.replace(es, info={key: es.info[key] for key in _own_info(es)})
        after = batched(self.env.step, batch_size=self.batch_size)(before, action)
        fresh = self.reset_finished(after, starts)
        last = _with_final(after, after)
        begun = {"has_equilibrium": fresh.info["has_equilibrium"]}
        return dataclasses.replace(
            fresh,
            reward=last.reward,
            done=last.done,
            info={**last.info, **begun},
            metrics=last.metrics,
        )

    def reset_finished(self, es: EnvState, starts: State | None = None) -> EnvState:
        """The batch with a new episode in every world that is done.

        Args:
          es: of all worlds, or of one device's share, as `Env.step` leaves them: without the three
            entries more.
          starts: a pool for the episodes that begin, as for `Env.reset`.
        """
        worlds, count = len(es.done), jnp.sum(es.done)
        chunk = self.reset_batch_size or -(-worlds // _CHUNKS)
        order = jnp.argsort(~es.done, stable=True)  # the finished ones first
        padded = jnp.concatenate([order, jnp.full(chunk, worlds, order.dtype)])

        def unfinished(carry: tuple[jax.Array, EnvState]) -> jax.Array:
            return carry[0] < count

        def one_chunk(carry: tuple[jax.Array, EnvState]) -> tuple[jax.Array, EnvState]:
            start, batch = carry
            places = jax.lax.dynamic_slice_in_dim(padded, start, chunk)
            keys = jax.vmap(lambda key: jax.random.split(key)[1])(
                es.key[jnp.minimum(places, worlds - 1)]
            )
            new = jax.vmap(self.env.reset, (0, None))(keys, starts)
            batch = jax.tree.map(lambda a, b: a.at[places].set(b, mode="drop"), batch, new)
            return start + chunk, batch

        # The gradient of an episode ends with it: nothing differentiable enters the loop.
        start = (jnp.zeros((), count.dtype), jax.lax.stop_gradient(es))
        fresh = jax.lax.while_loop(unfinished, one_chunk, start)[1]
        return tree_where(es.done, fresh, es)


_FINAL = ("final_observation", "final_return", "final_length")


def _own_info(es: EnvState) -> list[str]:
    """The names in `info` that come from the task."""
    return [key for key in es.info if key not in _FINAL]


def _with_final(es: EnvState, last: EnvState) -> EnvState:
    """The same state, `info` extended by how the episodes stood."""
    final = (last.obs, last.episode_return, last.step_count)
    info = {**es.info, **dict(zip(_FINAL, final, strict=True))}
    return dataclasses.replace(es, info=info)
