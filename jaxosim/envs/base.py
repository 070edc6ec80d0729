"""The interface of every task: `reset(key)` and `step(state, action)`, pure, for one world.

A task defines its observation, reward, termination and initial state; `Env` has what all tasks
share: the simulation of a control step, evaluated in osim-rl's order, and an episode's bookkeeping.

Source: osim-rl `OsimEnv.step`.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxosim import checks
from jaxosim.envs.copying import Copied
from jaxosim.envs.episode import EnvState, Snapshot, Terms, Transition, step_info
from jaxosim.envs.model_source import read_model
from jaxosim.envs.observation import Block, tree_of, vector_of
from jaxosim.envs.pushes import Push, pushed
from jaxosim.envs.spaces import Spaces
from jaxosim.envs.starts import Beginning, beginning_in_pool, beginning_in_pose, check_pool
from jaxosim.fused import fused, using
from jaxosim.host.forks import check_process
from jaxosim.osim_rl.constants import OSIM_RL_STEP
from jaxosim.outputs import StateDescription, describe, to_dict
from jaxosim.pytree import all_finite, tree_where
from jaxosim.simulation import (
    IntegratorState,
    init_integrator,
    step_with_state,
    warn_without_equilibrium,
)
from jaxosim.types import Model, Options, Params, State

_OBSERVATIONS = ("vector", "dict")
_FUNCTIONS = ("reward", "ended", "push", "randomize_pose", "randomize")  # options


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Env(Copied, Spaces):
    """A task: hashed by identity, so compiled once; its options are the keywords of `make`.

    Attributes:
      draws_in_step: of the class: whether its control step draws random numbers, for which kernels
        have no rules. Then the mechanics alone are one.
      options: how a control step is integrated.
      time_limit: control steps after which an episode is truncated; if None, as many as last as
        long as the task's own.
      action_repeat: control steps for which one action is held; their rewards are summed.
      observation: "vector", or "dict" for nested dictionaries of the same entries; or `(Env) ->
        blocks`, an observation in place of the task's own.
      reward: `(Transition) -> terms or scalar`, in place of the task's own reward.
      ended: `(Snapshot) -> bool`, ends the episode in place of the task's own termination.
      starts: a pool of states, `[start]` leading in every array, of which each episode begins in
        one drawn at random, as it is; the task's own initial pose if None.
      pool_share: (1) of the episodes that begin in a state of the pool, not in the initial pose.
      push: `(model, state, key) -> state`, changes the state before each decision.
      randomize_pose: `(model, q, u, key) -> (q, u)`, changes the initial pose of each episode.
      randomize: `(params, key) -> params`, draws each episode's numbers.
      model: a bundled name, the path of an `.osim` file, or a pair `(Model, Params)`; if None, the
        task's own model. `env.model` is the Model.
      params: model parameters to use; those of `model` if None. `env.params` are the Params.
    """

    draws_in_step: ClassVar[bool] = False
    options: Options = Options()
    time_limit: int | None = None
    action_repeat: int = 1
    observation: str | Callable[[Any], Sequence[Block]] = "vector"
    reward: Callable[[Transition], Terms | jax.Array] | None = None
    ended: Callable[[Snapshot], jax.Array] | None = None
    starts: State | None = dataclasses.field(default=None, repr=False)
    pool_share: float = 1.0
    push: Push | None = None
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
        checks.check_kind("options", self.options, Options)
        limit = self.time_limit
        if limit is None:
            limit = max(1, round(self.default_time_limit * OSIM_RL_STEP / self.options.step_size))
        checks.check_count("time_limit", limit)
        checks.check_count("action_repeat", self.action_repeat)
        if not callable(self.observation):
            checks.check_choice("observation", self.observation, _OBSERVATIONS)
        checks.check_share("pool_share", self.pool_share)
        checks.check_functions(self, _FUNCTIONS)
        given = self.model_name if self.model is None else self.model
        model, params = read_model(given, self.params)
        if self.starts is not None:
            check_pool("starts", self.starts, model)
            if self.randomize_pose is not None:
                raise ValueError("randomize_pose: expected None beside starts, which are not moved")
        for name, value in {"time_limit": limit, "model": model, "params": params}.items():
            object.__setattr__(self, name, value)

    # ------------------------------------------------------------------ what a task gives

    @property
    def model_name(self) -> str:
        """Name or path of the task's own model."""
        raise NotImplementedError(f"{type(self).__name__} has no model of its own: give `model`")

    @property
    def default_time_limit(self) -> int:
        """Control steps of 0.01 s of an episode; as many seconds with longer ones."""
        raise NotImplementedError(f"{type(self).__name__} has no time limit: give `time_limit`")

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

    def target_velocity(self, now: EnvState | Snapshot) -> jax.Array | None:
        """Target velocity of the pelvis now, `[3]` (m/s) in ground; None if the task has none."""
        return None

    def target_heading(self, now: EnvState | Snapshot) -> jax.Array:
        """Where the pelvis should point, an angle (rad) from forward to the right."""
        return jnp.zeros_like(now.state.time)

    # ------------------------------------------------------------------------ the contract

    def reset(self, key: jax.Array, starts: State | None = None) -> EnvState:
        """The beginning of an episode.

        Args:
          key: JAX random key, of either kind; everything random in the episode comes from it.
          starts: a pool in place of the option `starts`, such as one that grows while learning.

        Raises:
          ValueError, ModelMismatchError: while tracing, if `starts` is no pool of this model.
        """
        check_process()
        own, pose_key, params_key, task_key = jax.random.split(key, 4)
        # Without the barrier XLA would work out the equilibrium while compiling, for minutes.
        params = jax.lax.optimization_barrier(self._nominal)
        params = params if self.randomize is None else self.randomize(params, params_key)
        state, controls, found, description = self._begin(params, pose_key, self._pool(starts))
        task = self.init_task(task_key, state, description)
        snapshot = Snapshot(state, description, task, controls, self)
        zero, no = jnp.zeros_like(state.time), jnp.zeros((), bool)
        transition = Transition(
            before=state,
            after=snapshot,
            controls=controls,
            previous_controls=controls,
            terminated=no,
            truncated=no,
            describe_before=lambda: description,
        )
        return EnvState(
            obs=self._shaped(vector_of(self.observation_blocks, snapshot)),
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
            return self._decision(pushed(es, self.model, self.push), action)

    @fused(static_argnums=(0,), unless=operator.attrgetter("draws_in_step"))
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
        snapshot = Snapshot(state, description, es.task_state, controls, self)
        ended = self._has_ended(snapshot)
        transition = Transition(
            before=es.state,
            after=snapshot,
            controls=controls,
            previous_controls=es.integrator_state.controls,
            terminated=ended,
            truncated=limit & ~ended,
            describe_before=lambda: self.describe(es),
        )
        terms, task = self._terms(transition)
        vector = vector_of(self.observation_blocks, snapshot._replace(task_state=task))
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
        controls = es.integrator_state.controls
        description = describe(self.model, self.params_of(es), state, controls)
        snapshot = Snapshot(state, description, es.task_state, controls, self)
        vector = vector_of(self.observation_blocks, snapshot)
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

    def _begin(self, params: Params, key: jax.Array, pool: State | None) -> Beginning:
        """The beginning of an episode, in a state of the pool or in the task's own pose."""
        if pool is None:
            return self._own_beginning(params, key)
        pool_key, choice_key = jax.random.split(key)
        drawn = beginning_in_pool(self.model, params, pool, pool_key)
        if self.pool_share == 1.0:
            return drawn
        is_drawn = jax.random.uniform(choice_key, (), params.gravity.dtype) < self.pool_share
        return tree_where(is_drawn, drawn, self._own_beginning(params, pool_key))

    def _own_beginning(self, params: Params, key: jax.Array) -> Beginning:
        """The beginning in the task's own pose, or what `randomize_pose` makes of it."""
        if self.randomize is None and self.randomize_pose is None and self._is_concrete:
            warn_without_equilibrium(self.model, self._usual_beginning.has_equilibrium)
            return self._usual_beginning
        pose = self._varied_pose(*self.initial_pose(params), key)
        return beginning_in_pose(self.model, params, *pose)

    @functools.cached_property
    def _usual_beginning(self) -> Beginning:
        """Where every episode begins if nothing about it is random; a reset then compiles fast."""
        begin = functools.partial(beginning_in_pose, self.model)
        with jax.ensure_compile_time_eval():
            return jax.jit(begin)(self._nominal, *self.initial_pose(self._nominal))

    def _pool(self, starts: State | None) -> State | None:
        """Where episodes may begin: the states given, those of the option, or None."""
        if starts is not None:
            check_pool("starts", starts, self.model)
        return self.starts if starts is None else starts

    def _has_ended(self, now: Snapshot) -> jax.Array:
        """Whether the episode ends here: by the option `ended`, or by the task: bool."""
        return self.is_terminated(now.description) if self.ended is None else self.ended(now)

    def _shaped(self, vector: jax.Array) -> Any:
        """The observation in the form that was asked for."""
        return tree_of(self.observation_names, vector) if self.observation == "dict" else vector

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
