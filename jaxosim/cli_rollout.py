"""The main job behind `jaxosim rollout`: excitations, compilation, a batch of worlds, the result.

The control steps are run in equal chunks, each one compiled call: long enough for the compiled loop
to matter, short enough for a progress bar to move.
"""

import contextlib
import functools
import importlib.metadata
import json
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim import sto
from jaxosim.types import Model, Options, Params, State

HELD_STEPS = 5  # a random excitation is held for 50 ms
SINE_FREQUENCY = 1.0  # Hz
_LONGEST_CHUNK = 10


@dataclass(frozen=True)
class Excitation:
    """How the muscles are excited: `kind` is "random", "constant" or "sine"."""

    kind: str
    value: float = 0.0  # of a constant one

    @classmethod
    def parse(cls, text: str) -> "Excitation":
        """From the words of the command line.

        Raises:
          ValueError: the text is none of the patterns; the message says what they are.
        """
        if text in ("random", "sine"):
            return cls(text)
        kind, _, number = text.partition(":")
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if kind == "constant" and 0.0 <= value <= 1.0:
            return cls(kind, value)
        raise ValueError(
            f"{text!r} is no excitation: give random, sine, or constant:X with X from 0 to 1"
        )

    def at(self, step: jax.Array, key: jax.Array, like: jax.Array) -> jax.Array:
        """Excitations that are held during a control step.

        Random ones are uniform in [0, 1] for every world and muscle, drawn anew every
        `HELD_STEPS` steps. A sine runs through all of [0, 1] at `SINE_FREQUENCY`, sampled at the
        beginning of the step; the muscles are spread over one period and so are the worlds.

        Args:
          step: number of the control step, from 0.
          key: seed of the random ones.
          like: `[world, muscle]`, of which shape and dtype are taken.

        Returns:
          `[world, muscle]` (1).
        """
        if self.kind == "constant":
            return jnp.full_like(like, self.value)
        if self.kind == "random":
            block_key = jax.random.fold_in(key, step // HELD_STEPS)
            return jax.random.uniform(block_key, like.shape, like.dtype)
        world_count, muscle_count = like.shape
        muscle_phase = np.arange(muscle_count) / max(muscle_count, 1)
        phase = muscle_phase - np.arange(world_count)[:, None] / world_count
        turns = SINE_FREQUENCY * Options().step_size * step.astype(like.dtype)
        return 0.5 + 0.5 * jnp.sin(2 * np.pi * (turns + phase.astype(like.dtype)))


@dataclass(frozen=True)
class Job:
    """What to run; `seconds` are rounded to whole control steps."""

    batch: int
    seconds: float
    excitation: Excitation
    seed: int = 0
    dtype: str = "float32"
    options: Options = Options()

    @property
    def step_count(self) -> int:
        """Number of control steps."""
        return max(1, round(self.seconds / self.options.step_size))

    @property
    def chunk(self) -> int:
        """Control steps of one compiled call: the largest divisor of all that is not too long."""
        sizes = range(min(_LONGEST_CHUNK, self.step_count), 0, -1)
        return next(size for size in sizes if self.step_count % size == 0)


@dataclass(frozen=True)
class Result:
    """What a rollout gave.

    Attributes:
      states: fields `[time, world, ...]`, the initial state first; None unless they were kept.
      excitation: `[step, world, muscle]`, entry k held from sample k to k + 1; None likewise.
      root_position: `[time, world, 3]` (m) origin of the root body, in ground.
      finite: `[world]` whether every number stayed finite.
      run_seconds: time for all control steps, compilation and copying left out.
    """

    states: State | None
    excitation: np.ndarray | None
    root_position: np.ndarray
    finite: np.ndarray
    run_seconds: float


@dataclass(frozen=True)
class Compiled:
    """A chunk of control steps, compiled for one model and job, and its first arguments."""

    job: Job
    call: Callable
    params: Params
    state: State  # [world]
    compile_seconds: float


def root_body(model: Model) -> int:
    """The body whose joint comes first in the tree: the pelvis of a gait model."""
    return int(model.tree.body[0])


def prepare(model: Model, params: Params, job: Job, keep: bool) -> Compiled:
    """Find the initial state of every world and compile a chunk of control steps.

    Args:
      model: structure.
      params: numbers; cast to the job's dtype.
      job: what to run.
      keep: whether the chunk gives back its states and excitations.
    """
    dtype = jnp.dtype(job.dtype)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    start = time.perf_counter()
    one = jax.jit(lambda numbers: jaxosim.initial_state(model, numbers))(params)
    state = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], job.batch, axis=0), one)
    run = jax.jit(functools.partial(_run_chunk, model, job, keep))
    call = run.lower(params, state, jnp.int32(0), jax.random.key(job.seed)).compile()
    return Compiled(job, call, params, state, time.perf_counter() - start)


def run(compiled: Compiled, advance: Callable[[int], object]) -> Result:
    """Run all chunks.

    Args:
      compiled: from `prepare`.
      advance: called with the number of control steps that have just been done.
    """
    job, state = compiled.job, compiled.state
    key = jax.random.key(job.seed)
    chunks, run_seconds = [], 0.0
    for first_step in range(0, job.step_count, job.chunk):
        start = time.perf_counter()
        state, output = jax.block_until_ready(
            compiled.call(compiled.params, state, jnp.int32(first_step), key)
        )
        run_seconds += time.perf_counter() - start
        chunks.append(jax.device_get(output))
        advance(job.chunk)
    return _gather(jax.device_get(compiled.state), chunks, run_seconds)
