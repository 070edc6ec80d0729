"""The interface of every task: `reset(key)` and `step(state, action)`, pure, for one world.

A task defines its observation, reward, termination and initial state; `Env` has what all tasks
share: the simulation of a control step, evaluated in osim-rl's order, and an episode's bookkeeping.

Source: osim-rl `OsimEnv.step`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxosim import checks
from jaxosim.envs.actions import Actions
from jaxosim.envs.copying import Copied
from jaxosim.envs.episode import EnvState, Snapshot, Terms, Transition, step_info
from jaxosim.envs.model_source import read_model
from jaxosim.envs.observation import Block, bounds_of, names_of, tree_of, units_of, vector_of
from jaxosim.forks import check_process
from jaxosim.fused import fused, using
from jaxosim.outputs import StateDescription, describe, to_dict
from jaxosim.pytree import all_finite, tree_where
from jaxosim.simulation import (
    IntegratorState,
    find_initial_state,
    init_integrator,
    step_with_state,
    warn_without_equilibrium,
)
from jaxosim.types import Model, Options, Params, State

STARTING_CONTROL = 1.0  # osim-rl: in force until the first action
_OBSERVATIONS = ("vector", "dict")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Env(Copied):
    """A task: hashed by identity, so compiled once; its options are the keywords of `make`.

    Attributes:
      options: how a control step is integrated.
      time_limit: control steps after which an episode is truncated; the task's own if None.
      action_repeat: control steps for which one action is held; their rewards are summed.
      observation: "vector", or "dict" for nested dictionaries of the same entries.
      reward: `(Transition) -> terms or scalar`, in place of the task's own reward.
      randomize_pose: `(model, q, u, key) -> (q, u)`, changes the initial pose of each episode.
      randomize: `(params, key) -> params`, draws each episode's numbers.
      model: a bundled name, the path of an `.osim` file, or a pair `(Model, Params)`; if None, the
        task's own model. `env.model` is the Model.
      params: model parameters to use; those of `model` if None. `env.params` are the Params.
    """

    # Of every control, for tasks that do not take the bounds of their model's file.
    control_range: ClassVar[tuple[float, float] | None] = None

    options: Options = Options()
    time_limit: int | None = None
    action_repeat: int = 1
    observation: str = "vector"
    reward: Callable[[Transition], Terms | jax.Array] | None = None
    randomize_pose: (
        Callable[[Model, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]] | None
    ) = None
    randomize: Callable[[Params, jax.Array], Params] | None = None
    model: Any = dataclasses.field(default=None, repr=False)  # ModelSource; once made, a Model
    params: Params | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the options and read the model, once and outside any tracing.

        Raises:
          ValueError: an option is none of those expected.
          ModelMismatchError: `params` are those of another model.
          TypeError: the class compares by value, which arrays do not allow.
        """
        checks.check_hashed_by_identity(type(self))
        limit = self.default_time_limit if self.time_limit is None else self.time_limit
        checks.check_kind("options", self.options, Options)
        checks.check_count("time_limit", limit)
        checks.check_count("action_repeat", self.action_repeat)
        checks.check_choice("observation", self.observation, _OBSERVATIONS)
        checks.check_functions(self, ("reward", "randomize_pose", "randomize"))
        given = self.model_name if self.model is None else self.model
        model, params = read_model(given, self.params)
        for name, value in {"time_limit": limit, "model": model, "params": params}.items():
            object.__setattr__(self, name, value)

    # ------------------------------------------------------------------ what a task gives

    @property
    def model_name(self) -> str:
        """Name or path of the task's own model."""
        raise NotImplementedError(f"{type(self).__name__} has no model of its own: give `model`")

    @property
    def default_time_limit(self) -> int:
        """Control steps of an episode."""
        raise NotImplementedError(f"{type(self).__name__} has no time limit: give `time_limit`")

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The observation's entries, in observation order."""
        raise NotImplementedError

    def initial_pose(self, params: Params) -> tuple[jax.Array, jax.Array]:
        """Coordinates and speeds at reset, `[coordinate]`; the model's defaults."""
        coordinates = params.coordinates
        return coordinates.default_value, coordinates.default_speed_value

    def init_task(self, key: jax.Array, state: State, description: StateDescription) -> Any:
        """The task state at the beginning of an episode; drawn from the key."""
        return ()

    def reward_terms(self, transition: Transition) -> tuple[Terms, Any]:
        """Reward terms of a control step by name, and the task state after it."""
        raise NotImplementedError

    def is_terminated(self, description: StateDescription) -> jax.Array:
        """Whether the episode ends here, by failure or success: bool."""
        return jnp.zeros((), bool)

    def extend_state_desc(self, entries: dict[str, Any], es: EnvState) -> dict[str, Any]:
        """Add what the task's `get_state_desc()` has beyond the mechanics; on the host."""
        return entries

    def target_velocity(self, es: EnvState) -> jax.Array | None:
        """Target velocity of the pelvis now, `[3]` (m/s) in ground; None if the task has none."""
        return None

    @property
    def muscle_order(self) -> np.ndarray:
        """For each control its place in the action, `[control]`."""
        return np.arange(len(self.model.control_names))

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the action's entries."""
        return self.model.control_names

    # ------------------------------------------------------------------------- attributes

    @property
    def action_size(self) -> int:
        """Length of the action: one entry for each control."""
        return len(self.model.control_names)

    @property
    def observation_size(self) -> int:
        """Length of the observation vector."""
        return len(self.observation_names)

    @functools.cached_property
    def observation_names(self) -> tuple[str, ...]:
        """Names of the observation's entries, in observation order."""
        return names_of(self.blocks)

    @functools.cached_property
    def observation_units(self) -> tuple[str, ...]:
        """Units of the observation's entries, in observation order."""
        return units_of(self.blocks)

    @functools.cached_property
    def observation_low(self) -> np.ndarray:
        """Smallest values of the observation's entries, `[entry]`; −inf where unbounded."""
        return bounds_of(self.blocks)[0]

    @functools.cached_property
    def observation_high(self) -> np.ndarray:
        """Largest values of the observation's entries, `[entry]`; inf where unbounded."""
        return bounds_of(self.blocks)[1]

    @functools.cached_property
    def _actions(self) -> Actions:
        """How actions become controls."""
        return Actions.of(self.model, self.muscle_order, self.control_range)

    @property
    def action_low(self) -> np.ndarray:
        """Smallest controls, `[action]`; −inf where unbounded."""
        return self._actions.low

    @property
    def action_high(self) -> np.ndarray:
        """Largest controls, `[action]`; inf where unbounded."""
        return self._actions.high

    # ------------------------------------------------------------------------ the contract

    def reset(self, key: jax.Array) -> EnvState:
        """The beginning of an episode.

        Args:
          key: JAX random key, of either kind; everything random in the episode comes from it.
        """
        check_process()
        own, pose_key, params_key, task_key = jax.random.split(key, 4)
        if self.randomize is None and self.randomize_pose is None and self._is_concrete:
            params, (state, found, description) = self._nominal, self._usual_start
            warn_without_equilibrium(self.model, found)
        else:
            # Without the barrier XLA would work out the equilibrium while compiling, for minutes.
            params = jax.lax.optimization_barrier(self._nominal)
            params = params if self.randomize is None else self.randomize(params, params_key)
            state, found, description = self._start(params, pose_key)
        controls = self._initial_controls(state)
        task = self.init_task(task_key, state, description)
        snapshot = Snapshot(state, description, task)
        zero, no = jnp.zeros_like(state.time), jnp.zeros((), bool)
        transition = Transition(state, snapshot, controls, no, no)
        return EnvState(
            obs=self._shaped(vector_of(self.blocks, snapshot)),
            reward=zero,
            done=no,
            info=step_info(no, no, jnp.ones((), bool), found),
            metrics={name: zero for name in self._terms(transition)[0]},
            state=state,
            integrator_state=init_integrator(state, controls),
            task_state=task,
            params=None if self.randomize is None else params,
            key=own,
            step_count=jnp.zeros((), jnp.int32),
            episode_return=zero,
        )

    def step(self, es: EnvState, action: jax.Array) -> EnvState:
        """One decision of the agent: `action_repeat` control steps with one action.

        Args:
          es: from `reset` or `step`. One that is done is carried on, as osim-rl does.
          action: `[action]` (1), clipped to `action_low` and `action_high`.

        Raises:
          ValueError: while tracing, if the action has another shape.
        """
        check_process()
        with using(self.options.kernel):
            return self._decision(es, action)

    @fused(static_argnums=(0,))
    def _decision(self, es: EnvState, action: jax.Array) -> EnvState:
        """The same as one kernel."""
        controls = self.controls_of(action)
        if self.action_repeat == 1:
            return self._control_step(es, controls)

        def repeat(carry, _):
            now, stopped = carry
            after = tree_where(stopped, now, self._control_step(now, controls))
            gained = (after.reward, after.metrics)
            gained = jax.tree.map(lambda x: jnp.where(stopped, 0.0, x), gained)
            return (after, stopped | after.done), gained

        # The key is not carried: a fused kernel knows numbers only.
        start = (dataclasses.replace(es, key=None), jnp.zeros((), bool))
        (last, _), gained = jax.lax.scan(repeat, start, None, length=self.action_repeat)
        reward, metrics = jax.tree.map(lambda x: jnp.sum(x, axis=0), gained)
        return dataclasses.replace(last, reward=reward, metrics=metrics, key=es.key)

    def controls_of(self, action: jax.Array) -> jax.Array:
        """The controls `[control]` (1) of an action.

        Raises:
          ValueError: the action has another shape than `[action]`.
        """
        return self._actions.controls(action, self._nominal.gravity.dtype)

    def finish_step(
        self, es: EnvState, state: State, controls: jax.Array, integrator_state: IntegratorState
    ) -> EnvState:
        """Observation, reward and ending of a control step that led from `es` to a state.

        Args:
          es: before the control step.
          state: after it; if it is not finite, the world is held where it was and terminates.
          controls: `[control]` (1) during the control step.
          integrator_state: of the integrator, after it.
        """
        finite = all_finite(state)
        state = tree_where(finite, state, es.state)
        integrator_state = tree_where(finite, integrator_state, es.integrator_state)
        description = describe(self.model, self.params_of(es), state, controls)
        step_count = es.step_count + 1
        limit = step_count >= self._limit
        ended = self.is_terminated(description)
        snapshot = Snapshot(state, description, es.task_state)
        terms, task = self._terms(Transition(es.state, snapshot, controls, ended, limit & ~ended))
        vector = vector_of(self.blocks, snapshot._replace(task_state=task))
        finite = finite & all_finite((vector, terms))
        terms = {name: jnp.where(finite, term, 0.0) for name, term in terms.items()}
        reward = sum(terms.values(), start=jnp.zeros_like(state.time))
        ended = ended | ~finite
        return EnvState(
            obs=self._shaped(jnp.where(jnp.isfinite(vector), vector, 0.0)),
            reward=reward,
            done=ended | limit,
            info=step_info(ended, limit & ~ended, finite, es.info["has_equilibrium"]),
            metrics=terms,
            state=state,
            integrator_state=integrator_state,
            task_state=tree_where(finite, task, es.task_state),
            params=es.params,
            key=es.key,
            step_count=step_count,
            episode_return=es.episode_return + reward,
        )

    def with_state(self, es: EnvState, state: State) -> EnvState:
        """The same world, moved to another state of the mechanics; only `obs` follows."""
        description = describe(self.model, self.params_of(es), state, es.integrator_state.controls)
        vector = vector_of(self.blocks, Snapshot(state, description, es.task_state))
        return dataclasses.replace(es, obs=self._shaped(vector), state=state)

    def describe(self, es: EnvState) -> StateDescription:
        """Everything OpenSim can report about this world now."""
        return describe(self.model, self.params_of(es), es.state, es.integrator_state.controls)

    def to_dict(self, es: EnvState, description: StateDescription) -> dict[str, Any]:
        """osim-rl's `get_state_desc()` of one world, on the host.

        Args:
          es: the world.
          description: from `describe`, which is best jitted.
        """
        return self.extend_state_desc(to_dict(self.model, description), es)

    def params_of(self, es: EnvState) -> Params:
        """The numbers of this world."""
        return self._nominal if es.params is None else es.params

    # --------------------------------------------------------------------------- machinery

    @property
    def _nominal(self) -> Params:
        assert self.params is not None  # filled in when the task is made
        return self.params

    @property
    def _limit(self) -> int:
        assert self.time_limit is not None
        return self.time_limit

    @property
    def _is_concrete(self) -> bool:
        """Whether the numbers are known, and not those of a program that is being traced."""
        return not any(isinstance(x, Tracer) for x in jax.tree.leaves(self.params))

    @functools.cached_property
    def _usual_start(self) -> tuple[State, jax.Array, StateDescription]:
        """Where every episode begins if nothing about it is random; a reset then compiles fast."""
        with jax.ensure_compile_time_eval():
            return jax.jit(self._start)(self._nominal, jax.random.key(0))

    def _start(self, params: Params, key: jax.Array) -> tuple[State, jax.Array, StateDescription]:
        """A state at the beginning of an episode, the muscles in equilibrium, its description."""
        q, u = self.initial_pose(params)
        q, u = self._varied_pose(q, u, key)
        state, found = find_initial_state(self.model, params, q, u)
        return state, found, describe(self.model, params, state, self._initial_controls(state))

    def _initial_controls(self, state: State) -> jax.Array:
        """The controls before the first action, `[control]` (1): only muscles are at work."""
        controls = np.zeros(len(self.model.control_names))
        controls[self.model.muscle_control] = STARTING_CONTROL
        return jnp.asarray(controls, state.q.dtype)

    def _shaped(self, vector: jax.Array) -> Any:
        """The observation in the form that was asked for."""
        return vector if self.observation == "vector" else tree_of(self.observation_names, vector)

    def _terms(self, transition: Transition) -> tuple[Terms, Any]:
        """Reward terms, the user's if there are any, and the task state."""
        terms, task = self.reward_terms(transition)
        if self.reward is None:
            return terms, task
        custom = self.reward(transition)
        return (custom if isinstance(custom, Mapping) else {"reward": custom}), task

    def _varied_pose(
        self, q: jax.Array, u: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The initial pose with what `randomize_pose` makes of it; locked coordinates stay."""
        if self.randomize_pose is None:
            return q, u
        locked = self.model.locked
        new_q, new_u = self.randomize_pose(self.model, q, u, key)
        return jnp.where(locked, q, new_q), jnp.where(locked, u, new_u)

    def _control_step(self, es: EnvState, controls: jax.Array) -> EnvState:
        """One control step."""
        params = self.params_of(es)
        state, integrator_state = step_with_state(
            self.model, params, es.state, controls, es.integrator_state, self.options
        )
        return self.finish_step(es, state, controls, integrator_state)
