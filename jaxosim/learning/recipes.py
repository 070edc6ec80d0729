"""Recipes: a task, its options and rewards, and the learners' settings, as data.

A recipe is a TOML file. Its comments say where each number comes from. `task` is the task's name
and `[env]` its options, as `jaxosim.envs.training_options` reads them; `[integrator]` are the
`Options` of a decision; `[evaluation]` are the options of the task in which policies are evaluated,
`[env]` if there are none; `interval`, `episodes` and `evaluation_seed` are those of `Plan`;
`symmetric` says that the policy has one network for either leg; `[[stages]]` are the learners, one
after the other, with their settings, the decisions after which the next one begins, and in `env`
the options of the task that are others than those of `[env]`.
The path of a `motion` is relative to the recipe.
"""

import dataclasses
import math
import os
import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

from jaxosim.envs.base import Env
from jaxosim.envs.training_options import training_task
from jaxosim.learning.policy import sagittal_mirror
from jaxosim.learning.ppo import PPO
from jaxosim.learning.run import Plan, Stage
from jaxosim.learning.shac import SHAC
from jaxosim.learning.training import Networks
from jaxosim.learning.worlds import Unroll
from jaxosim.types import Options

_FOLDER = pathlib.Path(__file__).with_name("recipes")
_LEARNERS: dict[str, type[SHAC] | type[PPO]] = {"shac": SHAC, "ppo": PPO}
LEARNERS = tuple(_LEARNERS)
_KEYS = (
    *("task", "symmetric", "interval", "episodes", "evaluation_seed"),
    *("env", "evaluation", "integrator", "networks", "stages"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe as it was read.

    Attributes:
      name: of the file, without its suffix.
      data: what is in it.
    """

    name: str
    data: Mapping[str, Any]

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.data["task"]


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(source: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Args:
      source: a name from `recipe_names`, or the path of a TOML file.

    Raises:
      ValueError: there is no such recipe, or it is not as expected; the message says what was.
      OSError: the file cannot be read.
    """
    path = _FOLDER / f"{source}.toml"
    if not path.is_file():
        path = pathlib.Path(source)
    if path.suffix != ".toml" or not path.is_file():
        raise ValueError(
            f"recipe: expected one of {', '.join(recipe_names())}, or a .toml file, got "
            f"{os.fspath(source)!r}"
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected TOML: {error}") from error
    _check_keys(str(path), data, _KEYS)
    for key, kind in (("task", str), ("stages", list)):
        if not isinstance(data.get(key), kind) or not data[key]:
            raise ValueError(f"{path}: expected {key}, got {data.get(key)!r}")
    _find_motions(path, data)
    return Recipe(name=path.stem, data=data)


def _find_motions(path: pathlib.Path, data: dict[str, Any]) -> None:
    """Take the paths of motions as relative to the recipe.

    Args:
      path: of the recipe.
      data: of the recipe; is changed.

    Raises:
      ValueError: what has to be a table is none.
    """
    tables = [("env", data), ("evaluation", data), *(("env", stage) for stage in data["stages"])]
    for key, table in tables:
        if not isinstance(table, dict):
            raise ValueError(f"{path}: expected stages as tables, got {table!r}")
        options = table.get(key, {})
        if not isinstance(options, dict):
            raise ValueError(f"{path}: expected {key} as a table, got {options!r}")
        motion = options.get("motion")
        if isinstance(motion, dict) and isinstance(motion.get("file"), str):
            motion["file"] = str(path.parent / motion["file"])


def find_recipe(task: str, source: str | os.PathLike[str] | None = None) -> Recipe:
    """The recipe of a task: the given one, or the first of the package.

    Raises:
      ValueError: it is of another task, or there is none.
    """
    if source is not None:
        recipe = load_recipe(source)
        if recipe.task != task:
            raise ValueError(f"recipe: expected one for {task}, {recipe.name} is for {recipe.task}")
        return recipe
    all_of_them = [load_recipe(name) for name in recipe_names()]
    own = [recipe for recipe in all_of_them if recipe.task == task]
    if not own:
        known = ", ".join(f"{recipe.task} ({recipe.name})" for recipe in all_of_them)
        raise ValueError(f"no recipe for {task!r}: expected one of {known}, or --recipe FILE.toml")
    return own[0]


def env_of(recipe: Recipe, part: str = "env", changes: Mapping[str, Any] | None = None) -> Env:
    """A task of a recipe.

    Args:
      recipe: that has it.
      part: of the recipe that has its options: "env" or "evaluation".
      changes: options in place of those, such as a stage's.

    Raises:
      ValueError, TypeError: there is no such task or option; the message lists them.
    """
    data = recipe.data
    options = _record("integrator", Options, data.get("integrator", {}))
    return training_task(data["task"], {**data.get(part, {}), **(changes or {})}, options=options)


def plan_of(recipe: Recipe, *, learner: str | None = None, seed: int = 0) -> Plan:
    """What a run needs.

    Args:
      recipe: of the run.
      learner: "shac" or "ppo" for the stages of this learner alone; None for all.
      seed: of everything random.

    Raises:
      ValueError, TypeError: the recipe has an unknown value, or no stage of this learner.
    """
    data = recipe.data
    chosen = [one for one in data["stages"] if learner in (None, one.get("learner"))]
    if not chosen:
        raise ValueError(f"{recipe.name}: expected a stage of the learner {learner!r}, has none")
    env = env_of(recipe)
    return Plan(
        env=env,
        stages=tuple(_stage(recipe, one) for one in chosen),
        settings={
            "recipe": recipe.name,
            "learner": learner,
            "seed": seed,
            "settings": dict(data),
        },
        networks=_record("networks", Networks, data.get("networks", {})),
        mirror=sagittal_mirror(env) if data.get("symmetric") else None,
        interval=data.get("interval", Plan.interval),
        episodes=data.get("episodes", Plan.episodes),
        evaluation_seed=data.get("evaluation_seed", Plan.evaluation_seed),
        seed=seed,
        evaluation=env_of(recipe, "evaluation") if "evaluation" in data else None,
    )


def _stage(recipe: Recipe, data: Mapping[str, Any]) -> Stage:
    """A stage; every setting that it does not name has the learner's default."""
    given = dict(data)
    changes = given.pop("env", None)
    kind, decisions = given.pop("learner", None), given.pop("decisions", math.inf)
    if kind not in _LEARNERS:
        raise ValueError(f"stages: expected learner as one of {LEARNERS}, got {kind!r}")
    learner = _LEARNERS[kind]
    unroll = given.pop("unroll", {})
    _check_keys("unroll", unroll, [field.name for field in dataclasses.fields(Unroll)])
    usual = learner().unroll
    settings = _record(f"stages.{kind}", learner, given)
    return Stage(
        learner=dataclasses.replace(settings, unroll=dataclasses.replace(usual, **unroll)),
        decisions=decisions,
        env=None if changes is None else env_of(recipe, changes=changes),
    )


def _record(where: str, kind: Any, given: Mapping[str, Any]) -> Any:
    """A record of these values; lists become tuples, which can be hashed.

    Raises:
      ValueError: it has no such field.
    """
    _check_keys(where, given, [field.name for field in dataclasses.fields(kind)])
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def _check_keys(where: str, given: Mapping[str, Any], expected: Any) -> None:
    """Refuse names that nobody reads.

    Raises:
      ValueError: there is one.
    """
    unknown = [key for key in given if key not in expected]
    if unknown:
        raise ValueError(f"{where}: has no {', '.join(unknown)}; expected {', '.join(expected)}")
