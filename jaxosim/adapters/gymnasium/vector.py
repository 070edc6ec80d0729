"""Many worlds of a task as a `gymnasium.vector.VectorEnv`, in both modes of auto-reset.

The batch itself begins a new episode in the step that ends one: that is Gymnasium's same-step mode.
In next-step mode the new episode is already there, but held back for one step: its world is shown
as it ended, and the next action does not move it.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from jaxosim.adapters.gymnasium.env import (
    PICTURE_SIZE,
    checked_render_mode,
    compiled,
    decisions_per_second,
)
from jaxosim.adapters.gymnasium.spaces import (
    action_space,
    checked_action,
    observation_space,
    within,
)
from jaxosim.batching import world_mesh
from jaxosim.envs.base import Env
from jaxosim.envs.batch import BatchEnv
from jaxosim.envs.episode import EnvState
from jaxosim.host.forks import check_process
from jaxosim.pytree import tree_where
from jaxosim.viewer.window import render_world

_MODES = (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP)


@functools.cache
def _batch(env: Any, num_envs: int) -> tuple[Any, Any]:
    """Reset and step of a batch on all devices that divide it, compiled when first called."""
    batch = BatchEnv(env, num_envs, mesh=world_mesh(num_envs=num_envs))
    return jax.jit(batch.reset), jax.jit(batch.step)


@jax.jit
def _hold(held: jax.Array, before: EnvState, after: EnvState) -> EnvState:
    """The batch after a step in which the held worlds did not move."""
    return tree_where(held, before, after)


class GymnasiumVectorEnv(VectorEnv):
    """A batch of worlds; `info` holds the reward's terms by name.

    Where an episode has begun, in `reset` or `step`, it holds `has_equilibrium` instead: `[muscle]`
    bool, of which muscles fiber and tendon balance.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        num_envs: int,
        name: str | Env,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        render_size: tuple[int, int] = PICTURE_SIZE,
        **options: Any,
    ) -> None:
        """Read the model; programs are compiled at the first reset and step.

        Args:
          num_envs: number of worlds.
          name: of the task, or the task itself; see `jaxosim.make`.
          autoreset_mode: same-step or next-step, as Gymnasium defines them.
          render_mode: "rgb_array" for pictures of all worlds (extra `video`), or None.
          render_size: width and height of a picture in pixels.
          **options: keywords of `jaxosim.make`.

        Raises:
          ValueError: an option has an unknown value.
          TypeError: the task has no such option.
          ImportError: the extra that `render_mode` needs is not installed.
        """
        mode = AutoresetMode(autoreset_mode)
        if mode not in _MODES:
            raise ValueError(f"autoreset_mode: expected same-step or next-step, got {mode}")
        self.num_envs, self.mode = num_envs, mode
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self._picture_size = render_size
        self.functional = compiled(name, options)
        self._env = env = self.functional.env
        rate = decisions_per_second(env)
        self.metadata = {**self.metadata, "render_fps": rate, "autoreset_mode": mode}
        self.single_observation_space = self._bounds = observation_space(env)
        self.single_action_space = action_space(env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._action_size = env.action_size
        self._reset, self._step = _batch(env, num_envs)
        self.state: EnvState | None = None
        self._ended = np.zeros(num_envs, bool)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: all but the compiled programs."""
        programs = ("_env", "_reset", "_step")
        return {name: value for name, value in vars(self).items() if name not in programs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the programs anew."""
        vars(self).update(state)
        self._env = self.functional.env
        self._reset, self._step = _batch(self._env, self.num_envs)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode in every world.

        Args:
          seed: of this and all later episodes; a list is taken as a whole.
          options: none are known.
        """
        if isinstance(seed, list):
            given = [0 if one is None else one for one in seed]
            seed = int(np.random.SeedSequence(given).generate_state(1)[0])
        check_process()
        super().reset(seed=seed)
        self.state = es = self._reset(jax.random.key(int(self.np_random.integers(2**31))))
        self._ended = np.zeros(self.num_envs, bool)
        return within(es.obs, self._bounds), _begun(es, np.ones(self.num_envs, bool))

    def step(
        self, actions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One decision in every world.

        Raises:
          RuntimeError: before the first reset.
          ValueError: NaN among the actions, or a wrong shape.
        """
        if self.state is None:
            raise RuntimeError("there is no batch yet: call reset() first")
        check_process()
        actions = checked_action(actions, (self.num_envs, self._action_size))
        after = self._step(self.state, actions)
        held = self._ended
        if held.any():  # in next-step mode only
            after = _hold(jnp.asarray(held), self.state, after)
        self.state = after
        shown = (after.reward, after.info["terminated"], after.info["truncated"], after.metrics)
        reward, terminated, truncated, terms = jax.tree.map(np.asarray, shown)
        moved = ~held
        reward = np.where(moved, reward, 0.0)
        terminated, truncated = terminated & moved, truncated & moved
        ended = terminated | truncated
        if self.mode is AutoresetMode.NEXT_STEP:
            # A held world's final observation is that of the episode before; now the new one shows.
            seen = np.where(held[:, None], after.obs, after.info["final_observation"])
            self._ended = ended
            info = _masked(terms, moved) | (_begun(after, held) if held.any() else {})
            return within(seen, self._bounds), reward, terminated, truncated, info
        info = _masked(terms, ~ended)
        if ended.any():
            final = np.full(self.num_envs, None, object)
            last = within(after.info["final_observation"], self._bounds)
            for world in np.flatnonzero(ended):
                final[world] = last[world]
            info |= {"final_obs": final, "_final_obs": ended}
            info |= {"final_info": _masked(terms, ended), "_final_info": ended}
            info |= _begun(after, ended)
        return within(after.obs, self._bounds), reward, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture of every world, each `[height, width, 3]` of uint8; None without a mode.

        A world whose episode has just ended is shown as the next one begins, in both modes.

        Raises:
          RuntimeError: before the first reset.
        """
        if self.render_mode is None:
            return None
        if self.state is None:
            raise RuntimeError("there is no batch yet: call reset() first")
        worlds = [
            jax.tree.map(lambda leaf, w=world: leaf[w], self.state)
            for world in range(self.num_envs)
        ]
        return tuple(render_world(self._env, es, self._picture_size) for es in worlds)


def _begun(es: EnvState, mask: np.ndarray) -> dict[str, Any]:
    """What `reset` says of some worlds."""
    return _masked({"has_equilibrium": np.asarray(es.info["has_equilibrium"])}, mask)


def _masked(entries: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Entries of some worlds, in Gymnasium's form: each name with its mask, zero elsewhere."""
    info: dict[str, Any] = {}
    for name, values in entries.items():
        shaped = mask.reshape(mask.shape + (1,) * (values.ndim - 1))
        info[name] = np.where(shaped, values, np.zeros((), values.dtype))
        info[f"_{name}"] = mask.copy()
    return info
