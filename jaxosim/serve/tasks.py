"""The environment that a challenge names: osim-rl's class where there is one."""

import functools
import importlib
import inspect
import types
from typing import Any

import jax

from jaxosim import osim_rl
from jaxosim.envs.registry import ENVS, make
from jaxosim.osim_rl.compiled_env import CompiledEnv
from jaxosim.osim_rl.osim_env import OsimEnv
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.errors import ChallengeError

_RENAMED = {"variant": "model"}  # osim-rl's word for an option
# They would change what the classes are: a step of theirs is one control step, seen as a list.
_FIXED = ("action_repeat", "observation", "randomize", "randomize_pose", "options")


class TaskEnv(OsimEnv):
    """A registered task that osim-rl does not have, in the form of its classes.

    Attributes:
      generators: unlike theirs these draw one number an episode, the seed of the task's random key.
    """

    def compile_task(self, options: tuple[tuple[str, Any], ...]) -> CompiledEnv:
        """The task with its own reset and step."""
        assert isinstance(self.task_name, str)
        return _compiled_task(self.task_name, options)

    def draw(self) -> jax.Array:
        """The task's random key."""
        return jax.random.key(self.generators.python.getrandbits(31))


@functools.cache
def _compiled_task(name: str, options: tuple[tuple[str, Any], ...]) -> CompiledEnv:
    """A task whose reset takes a random key, and whose step is the task's own."""
    env = make(name, **dict(options))
    return CompiledEnv(
        env=env,
        reset=jax.jit(lambda params, q, u, controls, key: env.reset(key)),
        step=jax.jit(env.step),
        describe=jax.jit(env.describe),
        move=jax.jit(env.with_state),
        request=(name, TaskEnv.with_samples, options),
    )


def make_local(challenge: Challenge) -> OsimEnv:
    """The object that a participant would make of the challenge's task.

    Raises:
      ChallengeError: there is no such task or module, or the task has no such options.
    """
    for module in challenge.modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ChallengeError(f"modules: cannot import {module!r}: {error}") from error
    options = dict(challenge.options)
    fixed = [name for name in options if name in _FIXED]
    if fixed:
        raise ChallengeError(f"options: a challenge does not set {', '.join(fixed)}")
    if challenge.task not in ENVS:
        known = ", ".join(ENVS)
        raise ChallengeError(f"task: expected one of {known}, got {challenge.task!r}")
    local = _local_class(challenge.task, challenge.options)
    taken = inspect.signature(local).parameters
    given = {name: value for name, value in {"seed": None, **options}.items() if name in taken}
    try:
        return local(integrator_accuracy=challenge.accuracy, **given)
    except (TypeError, ValueError) as error:
        raise ChallengeError(f"options: {error}") from error


@functools.cache
def _local_class(task: str, options: tuple[tuple[str, Any], ...]) -> type[OsimEnv]:
    """The class with the options built in."""
    base: type[OsimEnv] = getattr(osim_rl, task) if task in osim_rl.__all__ else TaskEnv

    def task_options(self: Any) -> dict[str, Any]:
        return {**base.task_options(self), **dict(options)}

    known = {_RENAMED.get(name, name): value for name, value in options}
    attributes = {name: value for name, value in known.items() if hasattr(base, name)}
    attributes |= {"task_name": task, "task_options": task_options}
    local: type[OsimEnv] = types.new_class(
        task, (base,), exec_body=lambda own: own.update(attributes)
    )
    return local


def action_size(env: OsimEnv) -> int:
    """Length of an action."""
    return env.osim_model.compiled.env.action_size
