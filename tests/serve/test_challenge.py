"""Challenge files: what they say, and every mistake by name."""

import datetime

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.serve.challenge import challenge_of, read_challenge
from jaxosim.serve.errors import ChallengeError
from jaxosim.serve.tasks import make_local

WHOLE = """
name = "Walk"
task = "ProstheticsEnv"
seeds = [11, 12, 13]
episodes = 2
accuracy = 1e-4
opens = 2026-12-01T09:00:00Z
database = "walk.sqlite"

[options]
difficulty = 1
variant = "2D"

[limits]
worlds = 8
"""


def write(folder, text):
    path = folder / "walk.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_is_graded(tmp_path):
    challenge = read_challenge(write(tmp_path, WHOLE))
    assert challenge.seeds == (11, 12) and challenge.accuracy == 1e-4
    assert challenge.opens == datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
    assert challenge.database == tmp_path / "walk.sqlite"
    assert challenge.limits.worlds == 8 and challenge.limits.open_per_token == 4
    again = challenge_of(challenge.graded())
    assert again.graded() == challenge.graded() and again.options == challenge.options


def test_the_reference_method_at_osim_rl_s_accuracy_is_the_default(tmp_path):
    challenge = read_challenge(write(tmp_path, 'task = "Arm2DEnv"\nseeds = [1]'))
    options = make_local(challenge).osim_model.compiled.env.options
    assert (options.method, options.accuracy) == ("merson", 5e-5)


def test_options_reach_the_task(tmp_path):
    env = make_local(read_challenge(write(tmp_path, WHOLE)))
    task = env.osim_model.compiled.env
    assert (env.difficulty, env.model) == (1, "2D")
    assert (task.difficulty, task.variant, task.options.accuracy) == (1, "2D", 1e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task = ", "expected TOML"),
        ("seeds = [1]", "task: expected a string, got None"),
        ('task = "Arm2DEnv"', "seeds: expected an array"),
        ('task = "Arm2DEnv"\nseeds = [0]', "seeds: expected whole numbers from 1"),
        ('task = "Arm2DEnv"\nseeds = [1, true]', "seeds: expected whole numbers from 1"),
        ('task = "Arm2DEnv"\nseeds = [1]\nepisodes = 2', "episodes: expected a whole number from"),
        ('task = "Arm2DEnv"\nseeds = [1]\nprecision = "half"', "precision: expected one of"),
        ('task = "Arm2DEnv"\nseeds = [1]\nopens = "soon"', "opens: expected a time"),
        ('task = "Arm2DEnv"\nseeds = [1]\ncolor = 1', "unknown key color"),
        ('task = "Arm2DEnv"\nseeds = [1]\n[limits]\nworld = 1', "unknown key limits.world"),
        ('task = "Arm2DEnv"\nseeds = [1]\n[limits]\nworlds = -1', "limits.worlds: expected"),
        ('task = "Arm2DEnv"\nseeds = [1]\n[limits]\nworlds = true', "limits.worlds: expected"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(ChallengeError) as error:
        read_challenge(path)
    assert words in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('task = "Arm3DEnv"\nseeds = [1]', "task: expected one of"),
        ('task = "Arm2DEnv"\nseeds = [1]\nmodules = ["no_such"]', "cannot import 'no_such'"),
        ('task = "Arm2DEnv"\nseeds = [1]\n[options]\nspeed = 1', "has no option speed"),
        ('task = "ProstheticsEnv"\nseeds = [1]\n[options]\ndifficulty = 7', "difficulty"),
        ('task = "Arm2DEnv"\nseeds = [1]\n[options]\naction_repeat = 2', "does not set"),
    ],
)
def test_a_task_that_there_is_not_is_named(tmp_path, text, words):
    with pytest.raises(ChallengeError, match=words):
        make_local(read_challenge(write(tmp_path, text)))
