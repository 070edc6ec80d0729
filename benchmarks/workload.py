"""The workload that the benchmarks share: whole steps of osim-rl's prosthetic walker.

A step is 10 ms with everything an agent gets: observation, reward, ending. Actions are uniform in
[0, 1], redrawn for every world and muscle each 50 ms. Fallen worlds keep simulating.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

import jaxosim
from jaxosim.cli.rollout import HELD_STEPS

TASK = "ProstheticsEnv"
MODEL = "gait14dof22musc_pros"


def walker(options: jaxosim.Options | None = None) -> jaxosim.Env:
    """The task with these integrator options."""
    return jaxosim.make(TASK, difficulty=0, options=options or jaxosim.Options())


@functools.cache
def reset_world(env: jaxosim.Env) -> jaxosim.EnvState:
    """One world after reset; it does not depend on the integrator."""
    return jax.jit(env.reset)(jax.random.key(0))


def repeat_world(one: jaxosim.EnvState, worlds: int, mesh: Mesh | None = None) -> jaxosim.EnvState:
    """A world repeated, sharded over the mesh."""
    batch = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
    return batch if mesh is None else jax.device_put(batch, jaxosim.world_sharding(mesh))


def start(env: jaxosim.Env, worlds: int, mesh: Mesh | None = None) -> jaxosim.EnvState:
    """All worlds after reset, sharded over the mesh."""
    return repeat_world(reset_world(env), worlds, mesh)


def actions(env: jaxosim.Env, worlds: int, steps: int, seed: int = 0) -> jax.Array:
    """`[step, world, action]` (1), the same for the first worlds whatever their number."""

    def one(world):
        key = jax.random.fold_in(jax.random.key(seed), world)
        drawn = jax.random.uniform(key, (-(-steps // HELD_STEPS), env.action_size))
        return jnp.repeat(drawn, HELD_STEPS, axis=0)[:steps]

    return jax.jit(jax.vmap(one, out_axes=1))(jnp.arange(worlds))


def step_of(
    env: jaxosim.Env, mesh: Mesh | None = None, batch_size: int | None = None
) -> Callable[[jaxosim.EnvState, jax.Array], jaxosim.EnvState]:
    """One step of all worlds, of (EnvState, `[world, action]`)."""
    return jaxosim.batched(env.step, mesh=mesh, batch_size=batch_size)
