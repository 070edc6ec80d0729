"""Episodes in a live OpenSim under a policy: osim-rl's control steps, the action held for several.

A policy is any function of an observation; what it observes is worked out from osim-rl's state
description, so nothing here needs jaxosim's mechanics. Episodes are distributed over processes,
each with a world of its own.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from jaxosim.opensim.osim_rl_rules import Description, Rules

Policy = Callable[[np.ndarray], np.ndarray]
Observer = Callable[[Description, np.ndarray, Rules, int], np.ndarray]
"""From a description, the latest action, the rules and the number of control steps so far to the
policy's observation."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Episode:
    """Where an episode begins, and by which rules it is scored.

    Attributes:
      values: q, u, activation, fiber_length, as for `OpenSimModel.initial_state`.
      action: `[action]` (1) in force before the first one.
      rules: observation, reward, ending and targets.
    """

    values: Mapping[str, np.ndarray]
    action: np.ndarray
    rules: Rules


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """What all episodes have in common.

    Attributes:
      path: of the `.osim` file.
      order: `[control]` for each control its place in the action.
      hold: control steps for which an action is held.
      limit: control steps of an episode.
      accuracy: of OpenSim's integrator.
    """

    path: str
    order: np.ndarray
    hold: int
    limit: int
    accuracy: float = 5e-5


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """How an episode went.

    Attributes:
      score: sum of rewards.
      steps: control steps until it ended.
      terminated: whether it ended in a fall.
      states: q, u, activation, fiber_length at the beginning and after each control step,
        `[step + 1, ...]`.
    """

    score: float
    steps: int
    terminated: bool
    states: Mapping[str, np.ndarray]


def play_episode(
    world: Any, setting: Setting, policy: Policy, observe: Observer, episode: Episode
) -> Outcome:
    """Play one episode to its end.

    Args:
      world: an `OpenSimWorld`.
      setting: of all episodes.
      policy: decides.
      observe: gives the policy its observation.
      episode: the one to play.
    """
    rules, action = episode.rules, np.asarray(episode.action, float)
    controls = np.clip(action, 0.0, 1.0)[setting.order]
    world.begin(episode.values, accuracy=setting.accuracy, controls=controls)
    now, samples, score, terminated = world.describe(), [world.read()], 0.0, False
    while world.step_count < setting.limit and not terminated:
        if world.step_count % setting.hold == 0:
            decided = policy(observe(now, action, rules, world.step_count))
            action = np.clip(np.asarray(decided, float), 0.0, 1.0)
        world.integrate(action[setting.order])
        before, now = now, world.describe()
        score += rules.reward(before, now, world.step_count)
        terminated = rules.is_done(now)
        samples.append(world.read())
    names = ("q", "u", "activation", "fiber_length")
    return Outcome(
        score=score,
        steps=world.step_count,
        terminated=terminated,
        states={name: np.stack([sample[name] for sample in samples]) for name in names},
    )


_player: dict[str, Any] = {}  # of this process: what `_prepare` made


def _prepare(setting: Setting, policy: Policy, observe: Observer) -> None:
    """Make the world of a process."""
    from jaxosim.opensim.osim_rl_world import OpenSimWorld

    world = OpenSimWorld(setting.path)
    _player.update(world=world, setting=setting, policy=policy, observe=observe)


def _play(episode: Episode) -> Outcome:
    """Play an episode in the world of this process."""
    return play_episode(**_player, episode=episode)


def play(
    setting: Setting,
    policy: Policy,
    observe: Observer,
    episodes: Sequence[Episode],
    *,
    processes: int | None = None,
) -> Iterator[Outcome]:
    """Play episodes, several at a time; their outcomes in the order of the episodes.

    Args:
      setting: of all episodes.
      policy: decides; can be pickled.
      observe: gives the policy its observation; can be pickled.
      episodes: to be played.
      processes: at the same time; as many as cores if None.
    """
    count = min(processes or os.cpu_count() or 1, len(episodes))
    spawn = multiprocessing.get_context("spawn")
    made = (setting, policy, observe)
    with ProcessPoolExecutor(count, spawn, initializer=_prepare, initargs=made) as pool:
        yield from pool.map(_play, episodes)
