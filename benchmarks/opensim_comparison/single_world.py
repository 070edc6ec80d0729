"""A single world on a single core: the object of a process that may use no other."""

import os
import time
from typing import Any

import jax
import numpy as np
from timing import Program, compiled
from workload import walker

from jaxosim.envs.episode import EnvState
from jaxosim.types import Options


class SingleWorld:
    """A walker stepped in two ways: a call for each control step, or a scan over an episode."""

    def __init__(self) -> None:
        """Keep to one core and to the CPU, before JAX starts its threads."""
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        jax.config.update("jax_platforms", "cpu")
        self._programs: dict[Any, Program] = {}

    def prepare(self, options: Options, start: EnvState, actions: np.ndarray) -> dict[str, float]:
        """Compile both ways; seconds that each took.

        Args:
          options: how a control step is integrated.
          start: one world at the beginning of an episode, without its random key.
          actions: `[step, action]` (1) of an episode.
        """
        env = walker(options)
        self._start = jax.device_put(start)

        def episode(es: EnvState, actions: jax.Array) -> Any:
            def one(es, action):
                after = env.step(es, action)
                return after, (after.obs, after.reward, after.done)

            return jax.lax.scan(one, es, actions)

        programs = {
            "call": compiled(env.step, self._start, actions[0], kernel=options.kernel),
            "scan": compiled(episode, self._start, actions, kernel=options.kernel),
        }
        self._programs |= {(options, way): program for way, program in programs.items()}
        return {way: program.trace + program.compile for way, program in programs.items()}

    def run(self, options: Options, way: str, actions: np.ndarray) -> float:
        """Seconds that an episode takes.

        Args:
          options: as prepared.
          way: "call": after each control step the agent waits for observation and reward; "scan":
            it gets those of the whole episode.
          actions: `[step, action]` (1), as many as prepared.
        """
        program = self._programs[options, way].call
        start = time.perf_counter()
        if way == "scan":
            jax.block_until_ready(program(self._start, actions))
        else:
            es = self._start
            for action in actions:
                es = program(es, action)
                jax.block_until_ready((es.obs, es.reward, es.done))
        return time.perf_counter() - start
