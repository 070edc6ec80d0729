"""The programs that `check.py` compares, and what they are given."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sampling import random_states

import jaxosim
from jaxosim.fused import using

MODEL = "gait14dof22musc_pros"
COMPARED = 512  # worlds
KI = 1024
TASKS = (  # the most important first; a batch of each has the compared worlds at its front
    *(("derivative", 16 * KI), ("env", 64 * KI), ("gradient", 16 * KI), ("step", 16 * KI)),
    *(("env", 16 * KI), ("env", 256 * KI), ("gradient", 64 * KI), ("env", 4 * KI)),
    *(("derivative", 256 * KI), ("gradient", 4 * KI), ("env", 1 * KI), ("gradient", 1 * KI)),
    *(("gradient", 256 * KI), ("derivative", 1 * KI)),
)
QUICK_COMPARED = 32
QUICK_TASKS = (("derivative", 64), ("env", 64), ("derivative", 128))


@dataclasses.dataclass(frozen=True)
class Case:
    """A function of one world, a batch of its arguments, and what of its result is compared."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    compared: Callable[[Any], dict[str, Any]]


@functools.cache
def model_and_params() -> tuple[Any, Any]:
    """The model; the same objects for all batches, so that they share their kernels."""
    return jaxosim.load_model(MODEL)


@functools.cache
def env_and_start() -> tuple[Any, Any]:
    """The task, and one world at the beginning of an episode, worked out on the CPU."""
    env = jaxosim.make("ProstheticsEnv", difficulty=0)
    with jax.default_device(jax.local_devices(backend="cpu")[0]), using("xla"):
        return env, jax.jit(env.reset)(jax.random.key(0))


def draw(path: Path, worlds: int) -> None:
    """Random states and excitations, in single precision, for all processes."""
    model, params = model_and_params()
    states, excitations = random_states(model, params, worlds, 0)
    arrays = {f.name: getattr(states, f.name) for f in dataclasses.fields(states)}
    single = {k: np.asarray(v, np.float32) for k, v in arrays.items()}
    temporary = path.with_suffix(".part.npz")
    single["excitations"] = np.asarray(excitations, np.float32)
    np.savez(temporary, **single)  # pyright: ignore[reportArgumentType]
    temporary.rename(path)


def case_of(program: str, path: Path, batch: int) -> Case:
    """A program's function and a batch for it, in JAX's default precision."""
    model, params = model_and_params()
    states, excitations = _tiled(path, batch)

    def numbers(state: Any) -> dict[str, Any]:
        return {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}

    if program == "derivative":
        function = functools.partial(jaxosim.state_derivative, model, params)
        return Case(function, (states, excitations), numbers)
    if program == "step":
        function = functools.partial(jaxosim.step, model, params)
        return Case(function, (states, excitations), numbers)
    if program == "gradient":

        def score(state: Any, excitation: jax.Array) -> jax.Array:
            after = jaxosim.step(model, params, state, excitation)
            return jnp.sum(after.q) + jnp.sum(after.u)

        return Case(
            jax.grad(score, argnums=(0, 1)),
            (states, excitations),
            lambda slopes: {**numbers(slopes[0]), "excitation": slopes[1]},
        )
    return _env_case(states, excitations)


def _env_case(states: Any, excitations: jax.Array) -> Case:
    """A decision of a task from random states, by random actions."""
    env, one = env_and_start()
    batch = len(excitations)
    es = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), one)
    es = dataclasses.replace(es, state=states)
    return Case(
        env.step,
        (es, excitations),
        lambda es: {"obs": es.obs, "reward": es.reward, "q": es.state.q, "u": es.state.u},
    )


def _tiled(path: Path, batch: int) -> tuple[Any, jax.Array]:
    """A batch that repeats the compared worlds."""
    kept = np.load(path)
    dtype = jnp.zeros(()).dtype
    arrays = {
        name: jnp.asarray(np.resize(kept[name], (batch, *kept[name].shape[1:])), dtype)
        for name in kept.files
    }
    excitations = arrays.pop("excitations")
    return jaxosim.State(**arrays), excitations
