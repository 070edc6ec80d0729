"""The options that make a training task, from data such as a file of settings.

    [env]
    observation = "heading"
    [env.reward]
    velocity = 1.0
    alive = 0.25
    height = {weight = -5.0, least = 0.85}
    [env.ended]
    height = 0.7
    [env.targets]
    low = 0.5
    [env.push]
    speed = 0.3
    [env.starts]
    count = 1024
    rest = 0.3

`training_task` makes a task of it.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxosim.checks import check_count, check_share
from jaxosim.envs import rewards
from jaxosim.envs.base import Env
from jaxosim.envs.endings import Fallen
from jaxosim.envs.gait_cycle import textbook_gait
from jaxosim.envs.heading_observation import heading_observation
from jaxosim.envs.poses import concatenated, cycle_poses, rest_poses
from jaxosim.envs.pushes import RandomPush
from jaxosim.envs.registry import make
from jaxosim.envs.start_pool import make_pool
from jaxosim.envs.targets import WideTargets
from jaxosim.types import State

OBSERVATIONS = {"heading": heading_observation}
_RECORDS: dict[str, Callable[..., Any]] = {
    "ended": Fallen,
    "push": RandomPush,
    "targets": WideTargets,
}


def training_task(name: str, data: Mapping[str, Any], **options: Any) -> Env:
    """A task with options that are data.

    Args:
      name: of the task.
      data: options of the task. Beside plain ones: `observation` may be "heading"; `reward` gives
        the weight of each term of `rewards.TERMS`, and `scale`, or for a term `weight` and its
        settings; `ended`, `push` and `targets` are settings of `Fallen`, `RandomPush` and
        `WideTargets`; `starts` are arguments of `walking_starts`.
      **options: further options of the task, as for `make`.

    Raises:
      ValueError, TypeError: there is no such task, option, term or setting.
    """
    given = dict(data)
    starts = given.pop("starts", None)
    chosen = given.get("observation")
    if isinstance(chosen, str) and chosen in OBSERVATIONS:
        given["observation"] = OBSERVATIONS[chosen]
    if "reward" in given:
        given["reward"] = reward_of(given["reward"])
    for option, kind in _RECORDS.items():
        if option in given:
            given[option] = _called(option, kind, given[option])
    env = make(name, **given, **options)
    if starts is None:
        return env
    return make(env, starts=_called("starts", functools.partial(walking_starts, env), starts))


def reward_of(data: Mapping[str, Any]) -> rewards.WeightedReward:
    """A weighted reward of data.

    Args:
      data: weight of each term, or a table of its `weight` and settings; and `scale`.

    Raises:
      ValueError: there is no such term or setting.
    """
    given = dict(data)
    scale = given.pop("scale", 1.0)
    terms = {}
    for name, value in given.items():
        if not isinstance(value, Mapping):
            terms[name] = value
            continue
        settings = dict(value)
        weight, function = settings.pop("weight", None), rewards.TERMS.get(name)
        if weight is None or function is None:
            raise ValueError(
                f"reward.{name}: expected a weight, of a term of {', '.join(rewards.TERMS)}"
            )
        _check_settings(f"reward.{name}", function, settings)
        terms[name] = (weight, functools.partial(function, **settings))
    return rewards.weighted(terms, scale=scale)


def walking_starts(
    env: Env,
    *,
    count: int = 1024,
    rest: float = 0.3,
    speed: float = 1.25,
    spread: float = 0.25,
    seed: int = 0,
) -> State:
    """A pool of starts of a walker: its initial pose at rest, and poses of the textbook gait.

    Poses that the noise took out of the muscles' reach are left out.

    Args:
      env: the task.
      count: poses.
      rest: (1) share of the starts at rest; the others are in motion.
      speed: (m/s) of the gait.
      spread: (1) standard deviation of the speed, relative to it.
      seed: of phases, speeds and noise.

    Raises:
      ValueError: the share is not in [0, 1], or the task has no walker.
    """
    check_count("count", count)
    check_share("rest", rest)
    resting = round(rest * count)
    cycle = textbook_gait(env.model, speed)
    moving = cycle_poses(env, cycle, count - resting, seed=seed + 1, spread=spread)
    poses = concatenated(rest_poses(env, resting, seed=seed), moving)
    assert env.params is not None
    return make_pool(env.model, env.params, poses, drop=True)


def _called(option: str, kind: Callable[..., Any], given: Any) -> Any:
    """A record of settings.

    Raises:
      ValueError: the settings are no table, or one has no such name.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{option}: expected a table of settings, got {given!r}")
    _check_settings(option, kind, given)
    return kind(**given)


def _check_settings(where: str, kind: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse settings that nobody reads.

    Raises:
      ValueError: there is one.
    """
    known = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is not parameter.empty
    ]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(
            f"{where}: has no {', '.join(unknown)}; expected {', '.join(known) or 'none'}"
        )
