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
    [env.motion]
    file = "walk.mot"

`training_task` makes a task of it.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxosim.checks import check_count, check_share
from jaxosim.envs import rewards
from jaxosim.envs.base import Env
from jaxosim.envs.endings import Fallen
from jaxosim.envs.gait_cycle import GaitCycle, cycle_of_motion, textbook_gait
from jaxosim.envs.heading_observation import heading_observation
from jaxosim.envs.poses import concatenated, cycle_poses, rest_poses
from jaxosim.envs.pushes import RandomPush
from jaxosim.envs.registry import make
from jaxosim.envs.start_pool import make_pool
from jaxosim.envs.targets import WideTargets
from jaxosim.sto import coordinates_in, read_motion, read_table
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
        `WideTargets`; `starts` are arguments of `walking_starts`; `motion` those of
        `motion_cycle`, whose cycle then takes the place of the textbook's in `starts` and in the
        term `tracking`.
      **options: further options of the task, as for `make`.

    Raises:
      ValueError, TypeError: there is no such task, option, term or setting.
    """
    given = dict(data)
    starts, motion, reward = (given.pop(key, None) for key in ("starts", "motion", "reward"))
    chosen = given.get("observation")
    if isinstance(chosen, str) and chosen in OBSERVATIONS:
        given["observation"] = OBSERVATIONS[chosen]
    for option, kind in _RECORDS.items():
        if option in given:
            given[option] = _called(option, kind, given[option])
    env = make(name, **given, **options)
    cycle = None
    if motion is not None:
        cycle = _called("motion", functools.partial(motion_cycle, env), motion)
    changes = {}
    if reward is not None:
        changes["reward"] = reward_of(reward, cycle)
    if starts is not None:
        called = functools.partial(walking_starts, env, cycle)
        changes["starts"] = _called("starts", called, starts)
    return make(env, **changes)


def motion_cycle(
    env: Env,
    *,
    file: str = "",
    start: float | None = None,
    end: float | None = None,
    speed: float | None = None,
    coordinates: Sequence[str] | None = None,
) -> GaitCycle:
    """A gait cycle of a file, to begin in and to track.

    Args:
      env: the task.
      file: a `.mot` or `.sto` table of coordinates, in radians or degrees as its header says.
      start: (s) beginning of a period, such as a landing of the right foot; of the file if None.
      end: (s) its end, the next such landing; of the file if None.
      speed: (m/s) of the gait; that of the pelvis if None. On a treadmill the pelvis stays.
      coordinates: names of those to take, all that the file has if None.

    Raises:
      ValueError: no file is named, it does not contain the period or the coordinates, or the pelvis
        does not go forward and no speed is given.
      TableFormatError: the file is no table, or no column is a coordinate of the model.
      OSError: the file cannot be read.
    """
    model, params = env.model, env.params
    assert params is not None
    if not isinstance(file, str) or not file:
        raise ValueError(f"motion: expected a file, such as file = 'walk.mot', got {file!r}")
    table = read_table(file)
    states = read_motion(table, model, params)
    found = coordinates_in(table, model)
    missing = [name for name in coordinates or () if name not in found]
    if missing:
        raise ValueError(
            f"{table.source}: expected columns of the coordinates {', '.join(missing)}"
        )
    cycle = cycle_of_motion(
        model, states, start=start, end=end, coordinate_names=coordinates or found
    )
    speed = cycle.speed if speed is None else speed
    if not speed > 0.0:
        raise ValueError(
            f"{table.source}: expected a pelvis that goes forward, or `speed` (m/s), as on a "
            f"treadmill; pelvis_tx goes by {cycle.speed * cycle.period:g} m in the period"
        )
    return dataclasses.replace(cycle, speed=speed)


def reward_of(data: Mapping[str, Any], cycle: GaitCycle | None = None) -> rewards.WeightedReward:
    """A weighted reward of data.

    Args:
      data: weight of each term, or a table of its `weight` and settings; and `scale`.
      cycle: what `tracking` tracks; the textbook's gait if None.

    Raises:
      ValueError: there is no such term or setting.
    """
    given = dict(data)
    scale = given.pop("scale", 1.0)
    terms = {}
    for name, value in given.items():
        settings, weight, function = {}, value, rewards.TERMS.get(name)
        if isinstance(value, Mapping):
            settings = dict(value)
            weight = settings.pop("weight", None)
            if weight is None or function is None:
                raise ValueError(
                    f"reward.{name}: expected a weight, of a term of {', '.join(rewards.TERMS)}"
                )
            _check_settings(f"reward.{name}", function, settings)
        if name == "tracking" and cycle is not None:
            settings["cycle"] = cycle
        terms[name] = weight
        if function is not None and settings:
            terms[name] = (weight, functools.partial(function, **settings))
    return rewards.weighted(terms, scale=scale)


def walking_starts(
    env: Env,
    cycle: GaitCycle | None = None,
    *,
    count: int = 1024,
    rest: float = 0.3,
    speed: float = 1.25,
    spread: float = 0.25,
    seed: int = 0,
) -> State:
    """A pool of starts of a walker: its initial pose at rest, and poses of a gait.

    Poses that the noise took out of the muscles' reach are left out.

    Args:
      env: the task.
      cycle: the gait; the textbook's if None.
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
    gait = textbook_gait(env.model, speed) if cycle is None else cycle.at_speed(speed)
    moving = cycle_poses(env, gait, count - resting, seed=seed + 1, spread=spread)
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
