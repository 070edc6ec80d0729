"""Recorded episodes of the original classes, put row by row into ours.

Every recorded state takes the place of what our integrator would have reached, so that observation,
reward and ending are compared alone, without the drift of a trajectory.
"""

import dataclasses
import functools
import math
import random

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.envs.target_field import SinkDraw, first_field, follow
from jaxosim.envs.targets import CHANGE_COUNT, TargetTrack
from jaxosim.simulation import IntegratorState
from tests.episodes import EPISODES, flat

PATTERNS = {"sine": 1, "random": 2}  # and the seed of NumPy's and Python's generators
L2M2019_SEED = 7
ENVS = {
    "Arm2D": ("Arm2DEnv", {}),
    "L2Run": ("L2RunEnv", {}),
    **{
        f"Prosthetics-{model}-{leg}-difficulty{difficulty}": (
            "ProstheticsEnv",
            {"variant": model, "prosthetic": leg == "pros", "difficulty": difficulty},
        )
        for model in ("3D", "2D")
        for leg in ("pros", "intact")
        for difficulty in (0, 1)
    },
    **{
        f"L2M2019-{model}-difficulty{difficulty}": (
            "L2M2019Env",
            {"variant": model, "difficulty": difficulty},
        )
        for model, difficulty in (("3D", 1), ("3D", 2), ("3D", 3), ("2D", 1))
    },
}
_LONGEST = 128  # rows; all episodes are padded to it and share one program


def load(name, pattern):
    """The arrays of an episode."""
    with np.load(EPISODES / f"{name}--{pattern}.npz") as file:
        return {key: file[key] for key in file.files}


@functools.cache
def env_of(name):
    """Our environment."""
    kind, options = ENVS[name]
    return jaxosim.make(kind, **options)


def osim_rl_track(seed, step_count):
    """The numbers of Round 2 in the order in which osim-rl draws them."""
    numpy_draws, draws = np.random.RandomState(seed), random.Random(seed)
    steps = np.cumsum(numpy_draws.poisson(300, CHANGE_COUNT))
    speed, heading = np.zeros(CHANGE_COUNT), np.zeros(CHANGE_COUNT)
    for change in np.flatnonzero(steps < step_count):
        speed[change] = draws.choice([-1, 1]) * draws.uniform(-0.5, 0.5)
        heading[change] = draws.choice([-1, 1]) * draws.uniform(-math.pi / 8, math.pi / 8)
    return TargetTrack(
        step=jnp.asarray(steps, jnp.int32),
        speed_change=jnp.asarray(speed),
        heading_change=jnp.asarray(heading),
    )


def osim_rl_sink(draws, turn):
    """The numbers of a sink in the order in which osim-rl draws them."""
    ranges = ((5, 7), (-turn, turn), (-math.pi, math.pi), (2, 4))
    numbers = [jnp.asarray(draws.uniform(*both)) for both in ranges]
    return SinkDraw(radius=numbers[0], turn=numbers[1], phase=numbers[2], stay=numbers[3])


def seeded_task(name, pattern, env, es):
    """The task's memory after osim-rl's reset, its numbers drawn as osim-rl draws them."""
    seed = PATTERNS[pattern]
    if name == "Arm2D":
        draws = random.Random(seed)
        angle = draws.uniform(math.pi * 9 / 8, math.pi * 12 / 8)
        radius = draws.uniform(0.5, 0.65)
        return jnp.asarray([math.cos(angle) * radius, math.sin(angle) * radius])
    if name.startswith("Prosthetics"):
        track = osim_rl_track(seed, env.time_limit + 1)
        return dataclasses.replace(es.task_state, track=track)
    if name.startswith("L2M2019"):
        draws = np.random.RandomState(L2M2019_SEED)
        turn = {1: 0.0, 2: math.pi / 2, 3: math.pi}[env.difficulty]
        sinks = [osim_rl_sink(draws, turn) for _ in range(2)]
        field = first_field(*sinks, es.key)
        field, _ = follow(field, jnp.zeros(3), env.difficulty, 0.01)
        return dataclasses.replace(es.task_state, field=field)
    return es.task_state


@functools.cache
def _program(env):
    """Ours at every row of an episode: compiled once for an environment."""

    @jax.jit
    def run(es, rows, excitations):
        first = env.with_state(es, jax.tree.map(lambda x: x[0], rows))

        def arrive(es, given):
            state, excitation = given
            memory = IntegratorState(step=es.integrator_state.step, controls=excitation)
            after = env.finish_step(es, state, excitation, memory)
            return after, after

        later = jax.tree.map(lambda x: x[1:], rows)
        _, after = jax.lax.scan(arrive, first, (later, excitations))
        every = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, after)
        return every, jax.lax.map(env.describe, every)

    return run


@functools.cache
def start_of(env):
    """Our reset, with a key that does not matter."""
    return jax.jit(env.reset)(jax.random.key(0))


@functools.cache
def replay(name, pattern):
    """Ours at every row of an episode: (recorded arrays, stacked EnvStates, descriptions)."""
    data, env = load(name, pattern), env_of(name)
    es = start_of(env)
    es = dataclasses.replace(es, task_state=seeded_task(name, pattern, env, es))
    count = len(data["q"])
    pad = _LONGEST - count
    fields = {
        field: np.pad(data[field], ((0, pad), (0, 0)), mode="edge")
        for field in ("q", "u", "activation", "fiber_length")
    }
    coordinates = len(env.model.coordinate_names)  # the arm's target has three more
    fields |= {field: fields[field][:, :coordinates] for field in ("q", "u")}
    rows = jaxosim.State(
        time=jnp.zeros(_LONGEST),
        normalized_tendon_force=jnp.zeros((_LONGEST, 0)),
        force_states=jnp.zeros((_LONGEST, 0)),
        **{key: jnp.asarray(value) for key, value in fields.items()},
    )
    actions = np.clip(np.pad(data["actions"], ((0, pad), (0, 0)), mode="edge"), 0, 1)
    excitations = jnp.asarray(actions[: _LONGEST - 1, env.muscle_order])
    ours = _program(env)(es, rows, excitations)
    return data, *jax.tree.map(
        lambda x: (
            x[:count] if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else np.asarray(x)[:count]
        ),
        ours,
    )


def entries(name, pattern):
    """Our description at every row, `[row, entry]`, entries as recorded."""
    data, es, info = replay(name, pattern)
    env = env_of(name)
    names = [str(entry) for entry in data["description_names"]]
    rows = []
    for row in range(len(data["q"])):
        here, there = jax.tree.map(lambda x: x[row], (es, info))  # noqa: B023
        entry = env.to_dict(here, there)
        field = entry.pop("v_tgt_field", None)
        one = flat(entry)
        if field is not None:
            one |= {f"v_tgt_field/{i}": value for i, value in enumerate(field.reshape(-1))}
        assert sorted(one) == sorted(names)
        rows.append([one[entry] for entry in names])
    return np.array(rows)
