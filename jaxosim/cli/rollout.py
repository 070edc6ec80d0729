"""The main job behind `jaxosim rollout`: a batch of worlds under given controls, chunk by chunk.

The control steps are run in equal chunks, each one compiled call: long enough for the compiled loop
to matter, short enough for a progress bar to move.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxosim.arrays.linalg import matvec
from jaxosim.batching import batched, world_mesh, world_sharding
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.pytree import array, pytree
from jaxosim.simulation import find_initial_state, rollout, warn_without_equilibrium
from jaxosim.types import Model, Options, Params, State

HELD_STEPS = 5  # control steps that random controls are held: 50 ms
SINE_FREQUENCY = 1.0  # Hz
_LONGEST_CHUNK = 10  # control steps


@dataclass(frozen=True)
class ControlSignal:
    """The controls over time: `kind` is "random", "constant" or "sine"."""

    kind: str
    value: float = 0.0  # of a constant one

    @classmethod
    def parse(cls, text: str) -> "ControlSignal":
        """The pattern that the words of the command line name.

        Raises:
          ValueError: they name none; the message says what there is.
        """
        kind, colon, number = text.partition(":")
        if kind in ("random", "sine") and not colon:
            return cls(kind)
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if kind == "constant" and 0.0 <= value <= 1.0:
            return cls(kind, value)
        raise ValueError(f"{text!r} is none of random, sine, constant:X (X from 0 to 1)")

    def during(self, step: jax.Array, key: jax.Array, step_size: float, like: jax.Array):
        """What is held during a control step.

        Random controls are uniform in [0, 1] for each world and control and drawn anew every
        `HELD_STEPS`. A sine goes through all of [0, 1] and is sampled at the beginning of the step;
        the controls are spread over one period, and so are the worlds.

        Args:
          step: number of the control step, from 0.
          key: seed of the random ones.
          step_size: (s) of a control step.
          like: `[world, control]` whose shape and dtype the answer has.

        Returns:
          `[world, control]` (1).
        """
        if self.kind == "constant":
            return jnp.full_like(like, self.value)
        if self.kind == "random":
            key = jax.random.fold_in(key, step // HELD_STEPS)
            return jax.random.uniform(key, like.shape, like.dtype)
        worlds, controls = (np.arange(count) / max(count, 1) for count in like.shape)
        phase = jnp.asarray(controls - worlds[:, None], like.dtype)
        turns = phase + step.astype(like.dtype) * (SINE_FREQUENCY * step_size)
        return 0.5 + 0.5 * jnp.sin(2 * np.pi * turns)


@dataclass(frozen=True)
class Job:
    """What to run; `seconds` are rounded to whole control steps, one at least."""

    batch: int
    seconds: float
    controls: ControlSignal
    seed: int = 0
    dtype: str = "float32"
    options: Options = Options()

    @property
    def step_count(self) -> int:
        """Number of control steps."""
        return max(1, round(self.seconds / self.options.step_size))

    @property
    def chunk(self) -> int:
        """Control steps of one compiled call: the largest divisor of all that is short enough."""
        sizes = range(_LONGEST_CHUNK, 0, -1)
        return next(size for size in sizes if self.step_count % size == 0)

    def key(self) -> jax.Array:
        """The random key of its seed."""
        return jax.random.key(self.seed)


@pytree
class Record:
    """What the control steps of a chunk gave."""

    states: State  # [step, world, ...] after each step
    controls: jax.Array = array("step", "world", "control", unit="1")
    root_position: jax.Array = array("step", "world", 3, unit="m")  # root body's origin, in ground
    finite: jax.Array = array("world", unit="1")  # whether every number is


@dataclass(frozen=True)
class Compiled:
    """A compiled chunk of control steps with its first arguments."""

    job: Job
    call: Callable[..., tuple[State, Record]]
    params: Params
    state: State  # [world, ...]
    root_position: np.ndarray  # [3] before the first step
    seconds: float  # that compiling took


@dataclass(frozen=True)
class Result:
    """What a rollout gave, on the host.

    Attributes:
      time: `[time]` (s) in double precision, which the states' own need not have.
      states: fields `[time, world, ...]`, the initial state first; None if they were not kept.
      controls: `[time - 1, world, control]`, entry k is held from sample k to k + 1; or None.
      root_position: `[time, world, 3]` (m) origin of the root body, in ground.
      finite: `[world]` whether every number stayed finite.
      seconds: that the control steps took, compiling and copying left out.
    """

    time: np.ndarray
    states: State | None
    controls: np.ndarray | None
    root_position: np.ndarray
    finite: np.ndarray
    seconds: float


def prepare(model: Model, params: Params, job: Job) -> Compiled:
    """Work out the initial state of every world and compile a chunk of control steps.

    The worlds are distributed over as many devices as divide their number.
    """
    start = time.perf_counter()
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, job.dtype), params)
    mesh = world_mesh(num_envs=job.batch)
    place = world_sharding(mesh)
    begin = jax.jit(functools.partial(_begin, model, job), out_shardings=(place, None, None))
    state, found, position = begin(params)
    warn_without_equilibrium(model, found)
    chunk = jax.jit(functools.partial(_run_chunk, model, job, mesh), out_shardings=(place, None))
    call = chunk.lower(params, state, jnp.int32(0), job.key()).compile()
    seconds = time.perf_counter() - start
    return Compiled(job, call, params, state, np.asarray(position), seconds)


def run(compiled: Compiled, keep: bool, advance: Callable[[int], object]) -> Result:
    """Run all chunks.

    Args:
      compiled: from `prepare`.
      keep: whether to keep states and controls, or only what the report needs.
      advance: called with the number of control steps that have just been done.
    """
    job, state, seconds = compiled.job, compiled.state, 0.0
    key, records = job.key(), []
    for first_step in range(0, job.step_count, job.chunk):
        start = time.perf_counter()
        arguments = compiled.params, state, jnp.int32(first_step), key
        state, record = jax.block_until_ready(compiled.call(*arguments))
        seconds += time.perf_counter() - start
        kept = (record.states, record.controls) if keep else (None, None)
        records.append(jax.device_get((*kept, record.root_position, record.finite)))
        advance(job.chunk)
    states, controls, positions, finite = zip(*records, strict=True)
    first_position = np.broadcast_to(compiled.root_position, (1, *positions[0].shape[1:]))
    return Result(
        time=np.round(np.arange(job.step_count + 1) * job.options.step_size, 9),
        states=_joined(compiled.state, states) if keep else None,
        controls=np.concatenate(controls) if keep else None,
        root_position=np.concatenate([first_position, *positions]),
        finite=np.all(finite, axis=0),
        seconds=seconds,
    )


def _begin(model: Model, job: Job, params: Params) -> tuple[State, jax.Array, jax.Array]:
    """The initial state of all worlds, which muscles have an equilibrium, the root body's place."""
    one, found = find_initial_state(model, params)
    state = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], job.batch, axis=0), one)
    return state, found, root_position(model, params, one)


def _run_chunk(
    model: Model,
    job: Job,
    mesh: Mesh,
    params: Params,
    state: State,
    first_step: jax.Array,
    key: jax.Array,
) -> tuple[State, Record]:
    """`job.chunk` control steps of all worlds: the states they end in, and what each step gave."""
    like = jnp.zeros((job.batch, len(model.control_names)), state.q.dtype)
    hold = functools.partial(
        job.controls.during, key=key, step_size=job.options.step_size, like=like
    )
    controls = jax.vmap(hold)(first_step + jnp.arange(job.chunk, dtype=jnp.int32))
    roll = functools.partial(rollout, model, params, options=job.options)
    by_world = batched(roll, mesh=mesh)(state, jnp.swapaxes(controls, 0, 1))
    states = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), by_world)
    locate = jax.vmap(jax.vmap(functools.partial(root_position, model, params)))
    finite = [
        jnp.all(jnp.isfinite(leaf), axis=(0, *range(2, leaf.ndim)))
        for leaf in jax.tree.leaves(states)
    ]
    record = Record(
        states=states,
        controls=controls,
        root_position=locate(states),
        finite=jnp.all(jnp.stack(finite), axis=0),
    )
    return jax.tree.map(lambda leaf: leaf[-1], states), record


def _joined(initial: State, chunks: tuple[State, ...]) -> State:
    """The initial state `[world]` and the chunks `[step, world]` as one trajectory on the host."""
    first = jax.tree.map(lambda leaf: np.asarray(leaf)[None], initial)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), first, *chunks)


def root_body(model: Model) -> int:
    """The body whose joint comes first in the tree: the pelvis of a gait model."""
    return int(model.tree.body[0])


def root_position(model: Model, params: Params, state: State) -> jax.Array:
    """Origin of the root body, `[3]` (m), expressed in ground."""
    instance = realize_instance(model, params)
    pose = realize_pose(model, instance, realize_joints(model, params, state.q))
    return pose.origin + matvec(pose.rotation[0], instance.body_position[root_body(model)])
