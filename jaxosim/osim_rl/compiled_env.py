"""The compiled functions behind the stateful classes, shared by all objects of one kind."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.registry import make
from jaxosim.fused import fused, using
from jaxosim.simulation import init_integrator, step_with_state

WithSamples = Callable[[Any, Any], Any]
"""`(task state, samples) -> task state`: puts numbers drawn on the host in their place."""


def manager_step(env: Env, es: EnvState, action: jax.Array) -> EnvState:
    """A control step of a task as OpenSim's Manager takes it under osim-rl.

    The first evaluation after a change of controls still uses the previous ones.

    Args:
      env: the task, whose integrator is adaptive.
      es: the world before.
      action: `[action]` (1).
    """
    with using(env.options.kernel):
        return _manager_step(env, es, action)


@fused(static_argnums=(0,), unless=operator.attrgetter("draws_in_step"))
def _manager_step(env: Env, es: EnvState, action: jax.Array) -> EnvState:
    """The same as one kernel."""
    controls, params, before = env.controls_of(action), env.params_of(es), es.integrator_state
    state, after = step_with_state(
        env.model, params, es.state, controls, before, env.options, before.controls
    )
    return env.finish_step(es, state, controls, after)


@dataclasses.dataclass(frozen=True, eq=False)
class CompiledEnv:
    """A task and its functions; each is compiled when it is first called.

    Attributes:
      env: the functional task.
      reset: `(params, q, u, controls, samples) -> EnvState`; params are None where they are the
        task's own, which are compiled in: a kernel takes a third less time with these.
      step: `(EnvState, action) -> EnvState`.
      describe: `(EnvState) -> StateDescription`.
      move: `(EnvState, State) -> EnvState`, the same world in another state.
      request: arguments of `compiled_env`, with which another process makes them anew.
    """

    env: Env
    reset: Callable[..., Any]
    step: Callable[..., Any]
    describe: Callable[..., Any]
    move: Callable[..., Any]
    request: tuple[str | Env, WithSamples, tuple[tuple[str, Any], ...]]

    def __reduce__(self) -> Any:
        """Pickled as the request; a copy is the same object, compiled already."""
        return compiled_env, self.request


def compiled_env(
    name: str | Env, with_samples: WithSamples, options: tuple[tuple[str, Any], ...]
) -> CompiledEnv:
    """A task and its compiled functions, made once for each mode of x64.

    Args:
      name: of the task, or the task itself.
      with_samples: where the numbers drawn on the host go.
      options: keywords of `make`.
    """
    return _compiled_env(name, with_samples, options, jnp.result_type(float))


@functools.cache
def _compiled_env(
    name: str | Env, with_samples: WithSamples, options: tuple[tuple[str, Any], ...], dtype: Any
) -> CompiledEnv:
    """A task whose numbers have the dtype that is now JAX's default."""
    env = make(name, **dict(options))

    def reset(params, q, u, controls, samples):
        # The pose is an argument of the program, so that it is not compiled in.
        given = dataclasses.replace(
            env,
            randomize=None if params is None else lambda nominal, key: params,
            randomize_pose=lambda model, q0, u0, key: (q, u),
        )
        es = given.reset(jax.random.key(0))
        es = dataclasses.replace(
            es,
            task_state=with_samples(es.task_state, samples),
            integrator_state=init_integrator(es.state, controls),
        )
        return given.with_state(es, es.state)

    return CompiledEnv(
        env=env,
        reset=jax.jit(reset),
        step=jax.jit(functools.partial(manager_step, env)),
        describe=jax.jit(env.describe),
        move=jax.jit(env.with_state),
        request=(name, with_samples, options),
    )
