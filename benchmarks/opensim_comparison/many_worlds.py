"""A batch of worlds on all cores of this process."""

import time
from collections.abc import Sequence

import jax
import numpy as np
from kernels import batched, placed, sharding_of
from timing import compiled
from workload import repeat_world, walker

from jaxosim.envs.episode import EnvState
from jaxosim.types import Options


class ManyWorlds:
    """Walkers stepped together; one compiled call is one control step of all of them.

    Attributes:
      compile_seconds: that tracing and compiling took.
    """

    def __init__(self, options: Options, start: EnvState, worlds: int) -> None:
        """Place the worlds and compile their step with the best settings for `options.kernel`.

        Args:
          options: how a control step is integrated.
          start: one world at the beginning of an episode.
          worlds: a multiple of the number of devices.
        """
        env = walker(options)
        self._kernel, self._worlds = options.kernel, worlds
        self._start = placed(self._kernel, repeat_world(start, worlds))
        action = self._placed(np.zeros((worlds, env.action_size)))
        step = batched(self._kernel, env.step)
        sharding = sharding_of(self._kernel)
        program = compiled(step, self._start, action, kernel=self._kernel, out_shardings=sharding)
        self._step = program.call
        self.compile_seconds = program.trace + program.compile

    def _placed(self, actions: np.ndarray) -> jax.Array:
        return placed(self._kernel, actions.astype(self._start.state.q.dtype))

    def run(self, actions: np.ndarray) -> float:
        """Seconds that an episode takes.

        Args:
          actions: `[step, world, action]` (1).
        """
        ready = jax.block_until_ready([self._placed(action) for action in actions])
        es = self._start
        start = time.perf_counter()
        for action in ready:
            es = self._step(es, action)
        jax.block_until_ready(es)
        return time.perf_counter() - start

    def trajectories(self, excitations: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Coordinates after each control step from reset, by the program that is timed.

        Args:
          excitations: `[step, muscle]` (1) each.

        Returns:
          `[step, coordinate]` (rad | m) for each.
        """
        followed: list[np.ndarray] = []
        while len(followed) < len(excitations):
            left = np.stack(excitations[len(followed) :], axis=1)
            count = min(left.shape[1], self._worlds)
            filled = left[:, np.arange(self._worlds) % count]
            es, samples = self._start, []
            for action in filled:
                es = self._step(es, self._placed(action))
                samples.append(np.asarray(es.state.q)[:count])
            followed.extend(np.stack(samples, axis=1))
        return followed
