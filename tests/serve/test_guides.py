"""The guides: a challenge from nothing to a graded submission, with the commands as they stand."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.cli import main
from jaxosim.learning.numpy_policy import load_numpy_policy
from jaxosim.serve.database import Database
from tests.serve.running import ROOT, process

HOLD = (ROOT / "docs" / "hold_a_challenge.md").read_text(encoding="utf-8")
PART = (ROOT / "docs" / "take_part.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def run(command, folder, port, token=""):
    """The output of a command of the guides."""
    words = shlex.split(command.replace(":8000", f":{port}").replace("TOKEN", token))
    words = [sys.executable, "-m", "jaxosim.cli", *words[1:]]
    done = subprocess.run(
        [str(ROOT / word) if word.startswith("examples/") else word for word in words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # six processes
def test_the_guides_lead_from_nothing_to_a_regraded_submission(tmp_path):
    (toml,) = blocks(HOLD, "toml")
    short = toml + "\n[options]\ntime_limit = 20\n"
    (tmp_path / "challenge.toml").write_text(short, encoding="utf-8")
    commands = [line.strip() for block in blocks(HOLD, "sh") for line in block.splitlines()]
    _, add, _, submit, regrade = commands
    token = run(add, tmp_path, 0).strip()
    with process(tmp_path / "challenge.toml") as (_, port):
        total = float(run(submit, tmp_path, port, token).split()[-1])
        program, _ = blocks(PART, "python")
        program = program.replace(":8000", f":{port}").replace("TOKEN", token)
        exec(compile(program, "take_part.md", "exec"), {})
    database = Database(tmp_path / "challenge.sqlite")
    ranked = database.ranking()
    first = database.submissions()[0]
    database.close()
    assert [one.name for one in ranked] == ["ann"] and ranked[0].complete
    assert first.total == pytest.approx(total, abs=1e-6)
    lines = run(regrade, tmp_path, 0).splitlines()
    assert len(lines) == 2 and all(line.endswith(": same") for line in lines)


def test_a_trained_policy_can_be_submitted():
    _, program = blocks(PART, "python")
    names = {}
    exec(compile(program, "take_part.md", "exec"), names)
    policy = load_numpy_policy("walk_planar")
    act = names["trained"]("walk_planar")
    observation = [0.1] * len(policy.observation_names)
    assert list(act(observation)) == list(policy(np.full(len(observation), 0.1)))


def test_every_key_and_limit_is_in_the_table():
    import dataclasses

    from jaxosim.serve.challenge import Challenge, Limits

    tables = set(re.findall(r"^\| (`.*?) \|", HOLD, flags=re.M))
    named = {name for cell in tables for name in re.findall(r"`\[?(\w+)\]?`", cell)}
    fields = {field.name for kind in (Challenge, Limits) for field in dataclasses.fields(kind)}
    assert named == fields | {"episodes"}
    for field in dataclasses.fields(Limits):
        row = re.search(rf"^\| `{field.name}` \| ([\d,]+) \|", HOLD, flags=re.M)
        assert float(row[1].replace(",", "")) == getattr(Limits(), field.name)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (None, "policy.py", "there is no Python file"),
        ("x = 1", "policy.py", "has no function 'policy'"),
        ("x = 1", "policy.py:x", "has no function 'x'"),
    ],
)
def test_a_policy_that_there_is_not_is_named(tmp_path, capsys, text, name, words):
    if text is not None:
        (tmp_path / "policy.py").write_text(text, encoding="utf-8")
    arguments = ["submit", str(tmp_path / name), "--url", "http://127.0.0.1:1", "--token", "x"]
    with pytest.raises(SystemExit) as end:
        main.main(arguments)
    assert end.value.code == 2 and words in capsys.readouterr().err


def test_a_policy_object_is_told_when_an_episode_begins(tmp_path, monkeypatch):
    from jaxosim.cli import submit

    class Fake:
        def __init__(self, url):
            self.left = 2

        def challenge(self):
            return {"env_id": "Arm2DEnv", "episodes": 2}

        def env_create(self, token, env_id):
            return [0.0]

        def env_step(self, action):
            return [[0.0], 0.0, True, {}]

        def env_reset(self):
            self.left -= 1
            return [0.0] if self.left else []

        def submit(self):
            return 0.0

    source = """
import pathlib
class Policy:
    def __init__(self, path): self.path = pathlib.Path(path)
    def reset(self): self.path.open("a").write("reset ")
    def __call__(self, observation): self.path.open("a").write("act "); return [0.0]
"""
    (tmp_path / "own.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(submit, "Client", Fake)
    said = tmp_path / "said"
    arguments = [f"{tmp_path / 'own.py'}:Policy", str(said), "--url", "http://x", "--token", "y"]
    with pytest.raises(SystemExit) as end:
        main.main(["submit", *arguments])
    assert end.value.code == 0
    assert pathlib.Path(said).read_text() == "reset act reset act "
