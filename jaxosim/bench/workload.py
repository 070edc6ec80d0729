"""The job that the benchmarks share: whole steps of osim-rl's prosthetic walker.

A step is 10 ms with everything an agent gets: observation, reward, ending. Actions are uniform in
[0, 1], drawn anew for every world and muscle each 50 ms. Who falls is carried on.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

import jaxosim

TASK = "ProstheticsEnv"
MODEL = "gait14dof22musc_pros"
HELD = 5  # steps that an action is held


def walker(options: jaxosim.Options | None = None) -> jaxosim.Env:
    """The task, integrated as asked."""
    return jaxosim.make(TASK, difficulty=0, options=options or jaxosim.Options())


@functools.cache
def begin(env: jaxosim.Env) -> jaxosim.EnvState:
    """One world at the beginning of an episode; the same however the task is integrated."""
    return jax.jit(env.reset)(jax.random.key(0))


def spread(one: jaxosim.EnvState, worlds: int, mesh: Mesh | None = None) -> jaxosim.EnvState:
    """A world many times over, dealt out over the mesh."""
    batch = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
    return batch if mesh is None else jax.device_put(batch, jaxosim.world_sharding(mesh))


def start(env: jaxosim.Env, worlds: int, mesh: Mesh | None = None) -> jaxosim.EnvState:
    """All worlds at the beginning of an episode, dealt out over the mesh."""
    return spread(begin(env), worlds, mesh)


def actions(env: jaxosim.Env, worlds: int, steps: int, seed: int = 0) -> jax.Array:
    """`[step, world, action]` (1), the same for the first worlds whatever their number."""

    def one(world):
        key = jax.random.fold_in(jax.random.key(seed), world)
        drawn = jax.random.uniform(key, (-(-steps // HELD), env.action_size))
        return jnp.repeat(drawn, HELD, axis=0)[:steps]

    return jax.jit(jax.vmap(one, out_axes=1))(jnp.arange(worlds))


def step_of(
    env: jaxosim.Env, mesh: Mesh | None = None, batch_size: int | None = None
) -> Callable[[jaxosim.EnvState, jax.Array], jaxosim.EnvState]:
    """One step of all worlds, of (EnvState, `[world, action]`)."""
    return jaxosim.batched(env.step, mesh=mesh, batch_size=batch_size)
