"""A challenge as data: a TOML file names the task, the hidden seeds and the limits."""

import dataclasses
import datetime
import json
import math
import tomllib
from pathlib import Path
from typing import Any

from jaxosim.serve.errors import ChallengeError

_LARGEST_SEED = 2**32 - 1  # of NumPy's older generator, which osim-rl draws from
_GRADED = (
    *("task", "options", "seeds", "accuracy", "precision", "project", "obs_as_dict", "modules"),
)
_PRECISIONS = ("float64", "float32")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server allows.

    Attributes:
      body_bytes: size of a request.
      body_seconds: (s) in which a request's body has to arrive.
      step_seconds: (s) after which a request that is still being worked on is answered with 503.
      idle_seconds: (s) without a request after which a submission is closed.
      open_per_token: submissions of one token that are open at a time.
      daily_per_token: submissions of one token begun within 24 hours.
      worlds: open submissions of all, each a world in memory.
      requests_per_second: of one token, on average.
      refusals_per_minute: requests with a wrong token, of one address.
      motions_per_minute: pages with a motion that are made anew, each some seconds of work.
      connections: open at a time.
    """

    body_bytes: int = 1_000_000
    body_seconds: float = 10.0
    step_seconds: float = 60.0
    idle_seconds: float = 600.0
    open_per_token: int = 4
    daily_per_token: int = 50
    worlds: int = 256
    requests_per_second: float = 2000.0
    refusals_per_minute: float = 60.0
    motions_per_minute: float = 10.0
    connections: int = 1024


@dataclasses.dataclass(frozen=True)
class Challenge:
    """What is graded.

    Attributes:
      name: for the leaderboard.
      task: a registered environment.
      seeds: of the episodes, in order; hidden from those who take part.
      options: keywords of `jaxosim.make` for the task.
      accuracy: local error of the reference integrator.
      precision: of all numbers.
      project: whether clients see the observation; else the state description.
      obs_as_dict: where the task has an observation in both forms, the dictionary.
      modules: Python modules that register tasks, imported when the server starts.
      opens: before it no submission can be begun.
      closes: after it no submission can be begun.
      limits: what the server allows.
      database: file of the results.
    """

    name: str
    task: str
    seeds: tuple[int, ...]
    options: tuple[tuple[str, Any], ...] = ()
    accuracy: float = 5e-5
    precision: str = "float64"
    project: bool = True
    obs_as_dict: bool = True
    modules: tuple[str, ...] = ()
    opens: datetime.datetime | None = None
    closes: datetime.datetime | None = None
    limits: Limits = Limits()
    database: Path = Path("results.sqlite")

    def graded(self) -> str:
        """All that a score depends on, as JSON; results of another one are another challenge's."""
        return json.dumps({name: getattr(self, name) for name in _GRADED}, sort_keys=True)


def challenge_of(graded: str) -> Challenge:
    """The challenge that `Challenge.graded` has described."""
    found = json.loads(graded)
    options = tuple((name, _hashable(value)) for name, value in found.pop("options"))
    seeds, modules = tuple(found.pop("seeds")), tuple(found.pop("modules"))
    return Challenge(name=found["task"], seeds=seeds, modules=modules, options=options, **found)


def read_challenge(path: Path) -> Challenge:
    """Read a challenge file.

    Raises:
      ChallengeError: it is none; the message names file, key and what was expected.
      OSError: it cannot be read.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChallengeError(f"{path}: expected TOML: {error}") from error
    table = _Table(path, data)
    seeds = table.seeds()
    episodes = table.number("episodes", int, len(seeds), 1, len(seeds))
    precision = table.text("precision", "float64")
    if precision not in _PRECISIONS:
        raise table.wrong("precision", f"one of {', '.join(_PRECISIONS)}", precision)
    limits, standard = table.inner("limits"), Limits()
    found = {
        field.name: limits.number(
            field.name, type(getattr(standard, field.name)), getattr(standard, field.name)
        )
        for field in dataclasses.fields(Limits)
    }
    limits.refuse_others()
    options = table.take("options", {})
    if not isinstance(options, dict):
        raise table.wrong("options", "a table", options)
    challenge = Challenge(
        name=table.text("name", path.stem),
        task=table.text("task"),
        seeds=seeds[:episodes],
        options=tuple((name, _hashable(value)) for name, value in sorted(options.items())),
        accuracy=table.number("accuracy", float, 5e-5, 1e-12, 1e-1),
        precision=precision,
        project=table.flag("project"),
        obs_as_dict=table.flag("obs_as_dict"),
        modules=table.texts("modules"),
        opens=table.moment("opens"),
        closes=table.moment("closes"),
        limits=Limits(**found),
        database=path.parent / table.text("database", f"{path.stem}.sqlite"),
    )
    table.refuse_others()
    return challenge


def _hashable(value: Any) -> Any:
    """Lists as tuples, so that a program is compiled once for them."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


class _Table:
    """A table of the file, whose keys are taken out one by one; what is left is an error."""

    def __init__(self, path: Path, data: dict[str, Any], prefix: str = "") -> None:
        self._path, self._data, self._prefix = path, dict(data), prefix

    def take(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return self._data.pop(key, default)

    def wrong(self, key: str, expected: str, got: Any) -> ChallengeError:
        """The error for a value."""
        return ChallengeError(
            f"{self._path}: {self._prefix}{key}: expected {expected}, got {got!r}"
        )

    def inner(self, key: str) -> "_Table":
        """A table in this one."""
        found = self.take(key, {})
        if not isinstance(found, dict):
            raise self.wrong(key, "a table", found)
        return _Table(self._path, found, f"{self._prefix}{key}.")

    def text(self, key: str, default: str | None = None) -> str:
        """A string, not empty."""
        found = self.take(key, default)
        if not isinstance(found, str) or not found.strip():
            raise self.wrong(key, "a string", found)
        return found

    def flag(self, key: str) -> bool:
        """True, unless it is set to false."""
        found = self.take(key, True)
        if not isinstance(found, bool):
            raise self.wrong(key, "true or false", found)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of strings."""
        found = self.take(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.wrong(key, "an array of strings", found)
        return tuple(found)

    def number(self, key: str, kind: type, default: Any, low: Any = 0, high: Any = math.inf) -> Any:
        """A positive number of a kind, within bounds."""
        found = self.take(key, default)
        is_kind = isinstance(found, int if kind is int else int | float)
        if not is_kind or isinstance(found, bool) or not low <= found <= high or found <= 0:
            what = "a whole number" if kind is int else "a number"
            bounds = f"from {low} to {high}" if high < math.inf else "above 0"
            raise self.wrong(key, f"{what} {bounds}", found)
        return kind(found)

    def seeds(self) -> tuple[int, ...]:
        """The seeds; osim-rl takes 0 for no seed."""
        found = self.take("seeds", [])
        if not isinstance(found, list) or not found:
            raise self.wrong("seeds", "an array of whole numbers", found)
        for seed in found:
            if (
                not isinstance(seed, int)
                or isinstance(seed, bool)
                or not 1 <= seed <= _LARGEST_SEED
            ):
                raise self.wrong("seeds", f"whole numbers from 1 to {_LARGEST_SEED}", seed)
        return tuple(found)

    def moment(self, key: str) -> datetime.datetime | None:
        """A time with its offset."""
        found = self.take(key)
        if found is not None and (not isinstance(found, datetime.datetime) or not found.tzinfo):
            raise self.wrong(key, "a time with an offset, such as 2026-12-01T09:00:00Z", found)
        return found

    def refuse_others(self) -> None:
        """Raise for keys that nobody has taken."""
        if self._data:
            names = ", ".join(f"{self._prefix}{key}" for key in self._data)
            raise ChallengeError(f"{self._path}: unknown key {names}")
