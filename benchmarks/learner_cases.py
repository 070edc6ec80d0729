"""What `learners.py` trains: the two tasks, the two learners, and the ablations of SHAC.

A case is a recipe of the package with one stage of one learner. What a learner shares with the
other (task, reward, starts, networks) is the recipe's; an ablation changes one thing of it.
"""

import ast
import copy
import dataclasses
from typing import Any

from jaxosim.envs.base import Env
from jaxosim.envs.training_options import training_task
from jaxosim.learning.recipes import Recipe, load_recipe, plan_of
from jaxosim.learning.shac import SHAC
from jaxosim.learning.training import Trainer
from jaxosim.osim_rl.constants import OSIM_RL_STEP
from jaxosim.types import Options

LEARNERS = ("shac", "ppo")
TASKS = {"planar": "walk_planar_fast", "prosthetic": "walk_prosthetic"}
_UNBOUNDED = 1e30  # medians
# Of the rewards of a decision, those whose sum over a second does not grow with their number.
_PER_EVENT = {"L2RunEnv": ("task", "feet_passing"), "ProstheticsEnv": ("step_length",)}
EPISODES = 32
_EVALUATION_SEED = 1000
_STARTS = {"count": 64, "rest": 1.0}

ABLATIONS: dict[str, dict[str, Any]] = {
    "rest only": {"starts": {"rest": 1.0}, "unroll": {"own_share": 0.0}},
    "no clipping": {"adjoint_bound": _UNBOUNDED},
    "horizon 4": {"unroll": {"horizon": 4}},
    "horizon 32": {"unroll": {"horizon": 32}},
    "10 ms": {"integrator": {"step_size": 0.01, "substeps": 3}},
    "20 ms": {"integrator": {"step_size": 0.02, "substeps": 5}},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What is trained.

    Attributes:
      task: a key of `TASKS`.
      learner: one of `LEARNERS`.
      ablation: a key of `ABLATIONS`, or None.
      settings: of the learner, in place of others; for trials. NAME=VALUE, in Python.
    """

    task: str
    learner: str
    ablation: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Such as "planar shac" or "planar shac, horizon 4"."""
        own = f"{self.task} {self.learner}"
        return ", ".join([own, *filter(None, [self.ablation]), *self.settings])


def recipe_of(case: Case) -> Recipe:
    """The recipe of a case: one stage, which goes on until the run is stopped.

    Raises:
      ValueError: there is no such task, learner or ablation.
    """
    for kind, known in (("task", TASKS), ("learner", LEARNERS), ("ablation", (None, *ABLATIONS))):
        if getattr(case, kind) not in known:
            expected = ", ".join(map(str, known))
            raise ValueError(f"{kind}: expected one of {expected}, got {getattr(case, kind)!r}")
    data = copy.deepcopy(dict(load_recipe(TASKS[case.task]).data))
    first = data["stages"][0]
    unroll = dict(first.get("unroll", {}))
    stage: dict[str, Any] = {"learner": "ppo"}  # with its defaults
    if case.learner == "shac":
        stage = {name: value for name, value in first.items() if name != "decisions"}
    for name, _, value in (text.partition("=") for text in case.settings):
        stage[name] = ast.literal_eval(value)
    changes = dict(ABLATIONS.get(case.ablation or "", {}))
    stage["unroll"] = unroll | stage.get("unroll", {}) | changes.pop("unroll", {})
    data["env"]["starts"] |= changes.pop("starts", {})
    if "integrator" in changes:
        stage["unroll"] |= _in_shorter_decisions(data, stage, changes.pop("integrator"))
    data["stages"] = [stage | changes]
    return Recipe(name=case.name, data=data)


def _in_shorter_decisions(
    data: dict[str, Any], stage: dict[str, Any], integrator: dict[str, Any]
) -> dict[str, Any]:
    """Give a recipe shorter decisions; what is counted in decisions lasts as long as before.

    The horizon stays the same number of decisions.

    Args:
      data: of the recipe; is changed.
      stage: is changed.
      integrator: of the shorter decision.

    Returns:
      Settings of the unroll.
    """
    share = integrator["step_size"] / data["integrator"]["step_size"]
    data["integrator"] = integrator
    env = data["env"]
    env["time_limit"] = round(env["time_limit"] / share)
    for term in _PER_EVENT[data["task"]]:
        env["reward"][term] /= share
    usual = SHAC()
    stage["discount"] = usual.discount**share
    return {"correlation": usual.unroll.correlation**share}


def trainer_of(case: Case) -> Trainer:
    """The trainer of a case, evaluated by `evaluation_env`."""
    recipe = recipe_of(case)
    return dataclasses.replace(
        plan_of(recipe).trainer(0),
        evaluation_env=evaluation_env(recipe),
        episodes=EPISODES,
        evaluation_seed=_EVALUATION_SEED,
    )


def evaluation_env(recipe: Recipe) -> Env:
    """The task by osim-rl's rules: own reward, targets, ending and control steps of 10 ms.

    An action is held for a decision. Episodes begin in osim-rl's own pose with noise: without it
    all are alike, and all of them or none are completed.
    """
    hold = round(recipe.data["integrator"]["step_size"] / OSIM_RL_STEP)
    own = {"action_repeat": hold, "starts": _STARTS}
    return training_task(recipe.task, {**recipe.data["evaluation"], **own}, options=Options.fast())
