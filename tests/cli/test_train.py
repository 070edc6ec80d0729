"""`jaxosim train`: a run in a folder, resumed, and what is refused."""

import re

import numpy as np
import pytest

import jaxosim
from jaxosim.cli.main import main
from jaxosim.envs import registry
from jaxosim.learning.curve import read_curve
from jaxosim.learning.policy import load_policy
from tests.learning.pendulum import TEXT, Pendulum

RECIPE = """
task = "SmallPendulum"
episodes = 4
[env]
model = {model!r}
time_limit = 9
[evaluation]
model = {model!r}
time_limit = 2
[integrator]
substeps = 2
step_size = 0.05
[networks]
hidden = [8]
bias = 0.0
[[stages]]
learner = "ppo"
[stages.unroll]
worlds = 8
horizon = 4
given_count = 8
own_count = 8
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "pendulum.osim").write_text(TEXT)
    path = folder / "small.toml"
    path.write_text(RECIPE.format(model=str(folder / "pendulum.osim")))
    if "SmallPendulum" not in registry.ENVS:
        jaxosim.register("SmallPendulum", Pendulum)
    yield str(path)
    del registry.ENVS["SmallPendulum"]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, arguments)])
    return (ended.value.code, *capsys.readouterr())


@pytest.fixture
def without_films(monkeypatch):
    monkeypatch.setattr("jaxosim.cli.train.render_motion", lambda motion, out: out)


@pytest.mark.slow
def test_a_run_is_kept_in_a_folder_and_resumed(recipe, tmp_path, capsys, without_films):
    out = tmp_path / "run"
    task = "SmallPendulum", "--recipe", recipe, "--out", out
    status, shown, progress = run(capsys, *task, "--decisions", 64)
    assert status == 0, progress
    said = " ".join(shown.split())
    assert re.search(r"best return -?[\d.]+, evaluated after 32 of 64 decisions", said)
    assert "completed" in progress
    assert "small; a stage begins" in " ".join(progress.split())
    assert len(read_curve(out / "curve.csv")) == 2
    status, shown, progress = run(capsys, *task, "--decisions", 96, "--resume")
    assert status == 0, progress
    rows = read_curve(out / "curve.csv")
    assert [row["decisions"] for row in rows] == [32, 64, 96]
    assert load_policy(out / "policy.npz").about["settings"]["task"] == "SmallPendulum"
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    with np.load(out / "episode.npz") as file:
        assert file["controls"].shape == (len(file["time"]) - 1, 1, 1)
        assert np.allclose(np.diff(file["time"]), 0.05)
        assert len(file["time"]) <= 1 + 2  # of the evaluation


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (("Nothing",), "no recipe for 'Nothing'"),
        (("SmallPendulum", "--recipe", "{recipe}", "--learner", "shac"), "expected a stage of the"),
        (("L2RunEnv", "--recipe", "{recipe}"), "small is for SmallPendulum"),
        (("SmallPendulum", "--recipe", "{recipe}", "--minutes", "0"), "'--minutes'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(recipe, tmp_path, capsys, arguments, complaint):
    words = [word.format(recipe=recipe) for word in arguments]
    status, _, said = run(capsys, *words, "--out", tmp_path / "run")
    assert status == 2 and complaint in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_there_is_nothing_to_resume_in_an_empty_folder(recipe, tmp_path, capsys):
    status, _, said = run(
        capsys, "SmallPendulum", "--recipe", recipe, "--out", tmp_path / "run", "--resume"
    )
    assert status == 1 and "holds no run: expected" in said
