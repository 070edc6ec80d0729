"""Recipes: what is in them is used, and what nobody reads is refused."""

import math

import pytest

import jaxosim
from jaxosim.learning.numpy_policy import load_numpy_policy, policy_names
from jaxosim.learning.ppo import PPO
from jaxosim.learning.recipes import find_recipe, load_recipe, plan_of, recipe_names
from jaxosim.learning.shac import SHAC

TEXT = """
task = "Arm2DEnv"
interval = 500
evaluation_seed = 7
[env]
time_limit = 50
[evaluation]
time_limit = 70
[integrator]
step_size = 0.02
[networks]
hidden = [32]
[[stages]]
learner = "shac"
decisions = 1000
noise = 0.4
betas = [0.8, 0.9]
[stages.unroll]
worlds = 64
[[stages]]
learner = "ppo"
[stages.env]
time_limit = 60
"""


def written(folder, text):
    path = folder / "arm.toml"
    path.write_text(text)
    return path


def test_a_plan_has_what_the_recipe_says_and_else_the_defaults(tmp_path):
    plan = plan_of(load_recipe(written(tmp_path, TEXT)), seed=3)
    assert plan.env.time_limit == 50 and plan.env.options == jaxosim.Options(step_size=0.02)
    assert plan.evaluation.time_limit == 70 and plan.evaluation.options == plan.env.options
    assert plan.env_of(0) is plan.env and plan.trainer(0).env is plan.env
    assert plan.env_of(1).time_limit == 60 and plan.env_of(1) is plan.trainer(1).env
    assert plan.trainer(0).evaluation_env is plan.trainer(1).evaluation_env is plan.evaluation
    first, second = (stage.learner for stage in plan.stages)
    assert isinstance(first, SHAC) and isinstance(second, PPO)
    assert (first.noise, first.betas, first.unroll.worlds) == (0.4, (0.8, 0.9), 64)
    assert first.unroll.horizon == SHAC().unroll.horizon and second == PPO()
    assert [stage.decisions for stage in plan.stages] == [1000, math.inf]
    assert plan.evaluation_seed == plan.trainer(1).evaluation_seed == 7
    assert plan.networks.hidden == (32,) and plan.interval == 500 and plan.seed == 3
    assert plan.settings["recipe"] == "arm" and plan.settings["settings"]["task"] == "Arm2DEnv"


def test_the_path_of_a_motion_is_relative_to_the_recipe(tmp_path):
    text = TEXT.replace("[evaluation]", '[env.motion]\nfile = "gait.mot"\n[evaluation]')
    recipe = load_recipe(written(tmp_path, text))
    assert recipe.data["env"]["motion"]["file"] == str(tmp_path / "gait.mot")


def test_the_stages_of_one_learner_can_be_chosen(tmp_path):
    recipe = load_recipe(written(tmp_path, TEXT))
    assert [type(stage.learner) for stage in plan_of(recipe, learner="ppo").stages] == [PPO]
    only = load_recipe(written(tmp_path, TEXT.rpartition("[[stages]]")[0]))
    with pytest.raises(ValueError, match="arm: expected a stage of the learner 'ppo', has none"):
        plan_of(only, learner="ppo")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('task = "Arm2DEnv"', "", "arm.toml: expected task, got None"),
        ("interval", "intervall", "arm.toml: has no intervall; expected task, symmetric"),
        ("[networks]", "[[networks]", "arm.toml: expected TOML"),
        ('learner = "ppo"', 'learner = "sac"', r"expected learner as one of \('shac', 'ppo'\)"),
        ("noise", "nois", "stages.shac: has no nois; expected unroll, discount"),
        ("worlds", "world", "unroll: has no world; expected worlds, horizon"),
        ("hidden", "width", "networks: has no width; expected hidden"),
        ("step_size", "step", "integrator: has no step; expected method"),
        ("time_limit = 50", 'time_limit = "long"', "time_limit: expected a positive whole number"),
        ("time_limit = 60", "time = 60", "Arm2DEnv has no option time"),
        ("time_limit = 70", "time = 70", "Arm2DEnv has no option time"),
        ("Arm2DEnv", "Arm3DEnv", "did you mean Arm2DEnv"),
        ("[env]\ntime_limit", "env", "arm.toml: expected env as a table, got 50"),
    ],
)
def test_what_nobody_reads_is_refused(tmp_path, old, new, message):
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises((ValueError, TypeError), match=message):
        plan_of(load_recipe(path))


def test_stages_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(ValueError, match="arm.toml: expected stages as tables, got 3"):
        load_recipe(written(tmp_path, 'task = "Arm2DEnv"\nstages = [3]'))


def test_recipes_are_found_by_name_and_task(tmp_path):
    with pytest.raises(ValueError, match="recipe: expected one of .*, or a .toml file, got 'none'"):
        load_recipe("none")
    with pytest.raises(ValueError, match="expected one for L2RunEnv, arm is for Arm2DEnv"):
        find_recipe("L2RunEnv", written(tmp_path, TEXT))
    with pytest.raises(ValueError, match="no recipe for 'Arm2DEnv': expected one of"):
        find_recipe("Arm2DEnv")
    for name in recipe_names():
        assert load_recipe(name).name == name


@pytest.mark.parametrize("name", policy_names())
def test_a_policy_of_the_package_is_that_of_the_recipe_of_its_name(name):
    about = load_numpy_policy(name).about
    assert about["settings"] == load_recipe(name).data and about["recipe"] == name
    assert {"seed", "decisions", "seconds", "cpu_seconds", "score", "versions"} <= set(about)
