"""The example of a trainer of one's own: the recipe's task, logits for actions, and a run."""

import os
import pathlib
import re
import runpy
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.learning.numpy_policy import load_numpy_policy

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "train_ppo.py"
RECIPE = """
task = "Arm2DEnv"
[env]
time_limit = 8
[env.reward]
effort = -1.0
[integrator]
method = "euler"
substeps = 50
[[stages]]
learner = "ppo"
"""


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rejax", None)
    with pytest.raises(SystemExit, match=r"rejax is missing: pip install 'jaxosim\[rejax\]'"):
        runpy.run_path(str(SCRIPT))


def test_its_actions_are_those_of_our_own_policies():
    pytest.importorskip("rejax", reason="rejax is not installed (extra `rejax`)")
    script = runpy.run_path(str(SCRIPT))
    env = jaxosim.make("L2RunEnv")
    policy = load_numpy_policy("walk_planar")
    logits = np.random.default_rng(0).normal(size=(3, env.action_size))
    own = [script["excitations"](env, jnp.asarray(row)) for row in logits]
    np.testing.assert_allclose(np.stack(own), policy.action(logits), atol=1e-6)
    assert script["BIAS"] == policy.bias


@pytest.mark.slow
@pytest.mark.trainer
def test_it_trains_by_a_recipe_and_writes_what_it_learned(tmp_path):
    pytest.importorskip("rejax", reason="rejax is not installed (extra `rejax`)")
    (tmp_path / "small.toml").write_text(RECIPE)
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), "small.toml", "--worlds", "4"),
            *("--updates", "3", "--every", "2", "--out", "learned.npz"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    returns = re.findall(r"update (\d), \d+ s: eval_return (-\d\.\d+)", done.stdout)
    assert [number for number, _ in returns] == ["2", "3"]
    effort = 8 * 0.1**2  # of excitations near sigmoid(-2.2), which the recipe's reward counts
    assert all(float(value) == pytest.approx(-effort, abs=0.06) for _, value in returns)
    with np.load(tmp_path / "learned.npz") as file:
        assert file["actor/params/action_mean/kernel"].shape == (128, 6)
        assert all(np.isfinite(file[name]).all() for name in file.files)
