"""XLA's programs are kept by what a user starts, and by nothing behind the back of a program."""

import json
import os
import subprocess
import sys

import pytest

REPORT = """
import json, random
import jax, numpy as np
import jaxosim
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
def report(*numbers):
    hits, misses = (sum(e.endswith(f"cache_{kind}") for e in events) for kind in ("hits", "misses"))
    bits = [np.asarray(n).tobytes().hex() for n in jax.tree.leaves(numbers)]
    print(json.dumps([jax.config.jax_compilation_cache_dir, hits, misses, bits]))
"""
OSIM_RL = """
from jaxosim.osim_rl import Arm2DEnv
env = Arm2DEnv()
np.random.seed(0), random.seed(0)
report(env.reset(), env.step(np.full(6, 0.3))[:2])
"""
LIBRARY = """
model, params = jaxosim.load_model("arm2dof6musc")
state = jaxosim.initial_state(model, params)
env = jaxosim.make("Arm2DEnv")
report(jax.jit(env.reset)(jax.random.key(0)).obs)
"""
XLA = """
jaxosim.use_compilation_cache()
env = jaxosim.make("Arm2DEnv", options=jaxosim.Options(kernel="xla"))
report(jax.jit(env.reset)(jax.random.key(0)).obs)
"""
CALL = "jaxosim.use_compilation_cache(); report()"


def run(program, directory, **variables):
    """What `report` said in a process of its own: folder, hits, misses, numbers."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment |= {"JAXOSIM_CACHE_DIR": str(directory), **variables}
    command = [sys.executable, "-c", REPORT + program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.thorough
@pytest.mark.parametrize("program", [OSIM_RL, XLA], ids=["osim-rl", "xla"])
def test_a_second_process_compiles_nothing_and_has_the_same_bits(program, tmp_path):
    first, second = run(program, tmp_path), run(program, tmp_path)
    assert first[0] == second[0] and first[0].startswith(str(tmp_path / "programs"))
    assert first[2] > 0  # programs compiled and kept
    assert second[1] > 0 and second[2] == 0
    assert first[3] == second[3]


@pytest.mark.thorough
def test_damaged_and_foreign_files_are_no_error(tmp_path):
    first = run(OSIM_RL, tmp_path)
    kept = list((tmp_path / "programs").rglob("*-cache"))
    assert kept
    for number, path in enumerate(kept):
        path.write_bytes([b"", b"not a program", path.read_bytes()[:-100]][number % 3])
    assert run(OSIM_RL, tmp_path)[3] == first[3]


@pytest.mark.thorough
def test_functions_of_the_library_keep_nothing(tmp_path):
    assert run(LIBRARY, tmp_path)[0] is None
    assert not (tmp_path / "programs").exists()


def test_a_folder_that_the_user_has_chosen_is_left_alone(tmp_path):
    chosen = str(tmp_path / "chosen")
    told = run(CALL, tmp_path, JAX_COMPILATION_CACHE_DIR=chosen)
    assert told[0] == chosen and not (tmp_path / "programs").exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    for directory in ("", tmp_path / "file"):
        assert run(CALL, directory)[0] is None
