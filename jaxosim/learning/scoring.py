"""A policy scored by osim-rl's own rules: in jaxosim, and from the same starts in live OpenSim.

Control steps are osim-rl's, of 10 ms; an action is held for several of them where the policy was
trained with longer ones. Both sides begin in the same states, muscles included, with the same
targets.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.batching import batched
from jaxosim.envs.arm2d import Arm2DEnv
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.envs.heading_observation import (
    HeadingLayout,
    heading_observation,
    observe_dictionary,
)
from jaxosim.envs.l2run import L2RunEnv
from jaxosim.envs.prosthetics import ProstheticsEnv
from jaxosim.envs.registry import make
from jaxosim.envs.targets import velocity_at
from jaxosim.learning.evaluation import check_policy, decisions, trajectories
from jaxosim.learning.gait import Gait, distance_along_ground, gait_of, is_walker
from jaxosim.learning.policy import Policy
from jaxosim.osim_rl.constants import OSIM_RL_STEP
from jaxosim.types import Options, State

_STATES = ("q", "u", "activation", "fiber_length")
_IN_OPENSIM = (ProstheticsEnv, L2RunEnv, Arm2DEnv)  # whose rules are known there


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """An episode that was played.

    Attributes:
      score: sum of osim-rl's rewards.
      seconds: (s) until it ended.
      completed: whether it ran to the time limit.
      distance: (m) that the pelvis went along the ground; NaN where the model has none.
      gait: measures of the motion; None where the episode was too short for any, or the model is no
        walker.
    """

    score: float
    seconds: float
    completed: bool
    distance: float
    gait: Gait | None


def scoring_env(
    policy: Policy, task: str, *, hold: int, options: Options | None = None, **task_options: Any
) -> Env:
    """The task as osim-rl has it, with the observation that a policy takes.

    Args:
      policy: to be scored.
      task: its name.
      hold: control steps of 10 ms for which an action is held.
      options: how a control step is integrated; `Options.accurate()` if None.
      **task_options: of the task.

    Raises:
      ValueError: the policy takes neither the task's own observation nor the heading observation,
        or has other actions; or there is no such task or value of an option.
      TypeError: the task has no such option.
    """
    chosen = Options.accurate() if options is None else options
    made = functools.partial(make, task, action_repeat=hold, options=chosen, **task_options)
    env = made()
    if policy.observation_names != env.observation_names:
        env = made(observation=heading_observation)
    check_policy(env, policy)
    return env


def hold_of(policy: Policy) -> int:
    """Control steps of 10 ms in one of those that a policy was trained with, by its metadata.

    Raises:
      ValueError: the metadata names a step that is no number of seconds up to one.
    """
    found: Any = policy.about
    for table in ("settings", "integrator"):
        found = found.get(table) if isinstance(found, dict) else None
    step = found.get("step_size", OSIM_RL_STEP) if isinstance(found, dict) else OSIM_RL_STEP
    if not isinstance(step, int | float) or not 0 < step <= 1:
        raise ValueError(f"expected a policy of control steps up to 1 s, its metadata say {step!r}")
    return max(1, round(step / OSIM_RL_STEP))


def begin(env: Env, episodes: int, seed: int, pool: State | None = None) -> EnvState:
    """Beginnings of episodes, `[episode]`.

    Args:
      env: the task.
      episodes: number of them.
      seed: of targets and whatever else is drawn.
      pool: of states; episode i begins in the state i modulo their number. None for the task's
        own start.
    """
    keys = jax.random.split(jax.random.key(seed), episodes)
    if pool is None:
        return jax.jit(batched(env.reset))(keys)
    rows = np.arange(episodes) % len(pool.time)
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[rows][:, None], pool)
    return jax.jit(batched(env.reset))(keys, own)


def score(env: Env, policy: Policy, start: EnvState) -> list[Scored]:
    """Play episodes in jaxosim.

    Args:
      env: from `scoring_env`.
      policy: decides, without noise.
      start: from `begin`.
    """
    last, states, _ = jax.device_get(jax.jit(functools.partial(trajectories, env))(policy, start))
    return [
        _scored(
            env,
            float(last.episode_return[episode]),
            int(steps),
            bool(last.info["terminated"][episode]),
            states.q[: decisions(env, int(steps)) + 1, episode],
        )
        for episode, steps in enumerate(last.step_count)
    ]


def score_in_opensim(
    env: Env, policy: Policy, start: EnvState, *, processes: int | None = None
) -> Iterator[Scored]:
    """Play the same episodes in live OpenSim, one after the other as they end.

    Args:
      env: from `scoring_env`.
      policy: as for `score`.
      start: as for `score`.
      processes: at the same time; as many as cores if None.

    Raises:
      ValueError: osim-rl's rules are not known in OpenSim for this task.
      MissingExtraError: OpenSim is not installed, or does not load.
    """
    check_opensim(env)
    from jaxosim.opensim.play import Episode, Setting, play

    host = jax.device_get(dataclasses.replace(start, key=None))
    order = np.asarray(env.muscle_order)
    episodes = [
        Episode(
            values={name: np.asarray(getattr(host.state, name)[i], float) for name in _STATES},
            action=np.asarray(host.integrator_state.controls[i], float)[np.argsort(order)],
            rules=own,
        )
        for i, own in enumerate(_rules(env, start))
    ]
    setting = Setting(path=env.model.source, order=order, hold=env.action_repeat, limit=_limit(env))
    plain = jax.tree.map(np.asarray, policy)
    outcomes = play(setting, plain, _observer(env), episodes, processes=processes)
    return (_scored_outcome(env, outcome) for outcome in outcomes)


def check_opensim(env: Env) -> None:
    """Refuse a task that cannot be scored in OpenSim here.

    Args:
      env: from `scoring_env`.

    Raises:
      ValueError: osim-rl's rules are not known in OpenSim for this task.
      MissingExtraError: OpenSim is not installed, or does not load.
    """
    if type(env) not in _IN_OPENSIM:
        known = ", ".join(task.__name__ for task in _IN_OPENSIM)
        raise ValueError(
            f"{type(env).__name__}: expected one of {known}: of no other task are observation and "
            "rewards known as functions of what OpenSim reports about two instants (those of "
            "L2M2019Env also depend on its field of targets and on the footsteps before)"
        )
    import_module("jaxosim.opensim.library")


def _scored_outcome(env: Env, outcome: Any) -> Scored:
    """The record of an episode that was played in OpenSim."""
    rows = np.arange(decisions(env, outcome.steps) + 1) * env.action_repeat
    q = outcome.states["q"][np.minimum(rows, outcome.steps)]
    return _scored(env, outcome.score, outcome.steps, outcome.terminated, q)


def _limit(env: Env) -> int:
    assert env.time_limit is not None
    return env.time_limit


def _scored(env: Env, total: float, steps: int, terminated: bool, q: np.ndarray) -> Scored:
    """The record of an episode, `q` `[decision + 1, coordinate]`."""
    seconds = env.options.step_size * env.action_repeat
    walks = is_walker(env.model)
    assert env.params is not None
    return Scored(
        score=total,
        seconds=steps * env.options.step_size,
        completed=not terminated,
        distance=distance_along_ground(env.model, q),
        gait=gait_of(env.model, env.params, q, seconds) if walks and len(q) > 1 else None,
    )


def _rules(env: Env, start: EnvState) -> Sequence[Any]:
    """osim-rl's rules for each episode."""
    from jaxosim.opensim.osim_rl_rules import Arm2DRules, L2RunRules, ProstheticsRules

    kind, count = type(env), len(start.done)
    if kind is L2RunEnv:
        return [L2RunRules()] * count
    if kind is Arm2DEnv:
        return [Arm2DRules(place) for place in np.asarray(start.task_state, float)]
    assert isinstance(env, ProstheticsEnv)
    if env.difficulty == 0:
        return [ProstheticsRules(speed=env.speed)] * count
    steps = jnp.arange(_limit(env) + 1)
    tracks = start.task_state.track
    targets = jax.jit(jax.vmap(jax.vmap(velocity_at, (None, 0)), (0, None)))(tracks, steps)
    return [ProstheticsRules(targets=own) for own in np.asarray(targets, float)]


def _observer(env: Env) -> Any:
    """What gives the policy its observation in OpenSim; can be pickled."""
    if env.observation is heading_observation:
        return functools.partial(_heading_observation, HeadingLayout.of(env))
    with_target = isinstance(env, ProstheticsEnv) and env.observe_target
    return functools.partial(_own_observation, with_target)


def _heading_observation(
    layout: HeadingLayout, described: Any, action: Any, rules: Any, step: int
) -> np.ndarray:
    """The heading observation from a description."""
    return observe_dictionary(layout, described, action, rules.target(step))


def _own_observation(
    with_target: bool, described: Any, action: np.ndarray, rules: Any, step: int
) -> np.ndarray:
    """The task's own observation from a description."""
    return np.array([*rules.observation(described), *(rules.target(step) if with_target else ())])
