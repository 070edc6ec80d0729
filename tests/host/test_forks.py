"""Processes forked before and after JAX has been used."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

# Calls are made in a forked process, which is ended after 20 s if JAX waits for its lost threads.
PROGRAM = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import jax, jax.numpy as jnp, numpy as np
import jaxosim
from jaxosim import osim_rl
from jaxosim.osim_rl import Arm2DEnv

def in_a_fork(call):
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            call()
            print("worked", flush=True)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    print("status", os.waitpid(child, 0)[1], flush=True)

def load():
    model, params = jaxosim.load_model("arm2dof6musc")
    float(jnp.sum(params.gravity))
"""
BEFORE = "in_a_fork(load)"
AFTER = """
jax.config.update("jax_disable_most_optimizations", True)
model, params = jaxosim.load_model("arm2dof6musc")
state = jax.eval_shape(lambda p: jaxosim.initial_state(model, p), params)
state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state)
env, key = Arm2DEnv(), jax.random.key(0)
in_a_fork(lambda: jaxosim.initial_state(model, params))
in_a_fork(lambda: jaxosim.step(model, params, state, state.activation))
in_a_fork(lambda: jaxosim.rollout(model, params, state, state.activation[None]))
in_a_fork(lambda: jaxosim.state_derivative(model, params, state, state.activation))
in_a_fork(lambda: jaxosim.describe(model, params, state, state.activation))
in_a_fork(lambda: jaxosim.make("L2RunEnv").reset(key))
in_a_fork(env.reset)
in_a_fork(lambda: Arm2DEnv().reset())
"""


def lines_of(calls):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM + calls],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    return result.stdout.splitlines()


def test_a_process_forked_before_jax_is_used_works():
    assert lines_of(BEFORE) == ["worked", "status 0"]


def test_a_process_forked_after_jax_was_used_says_spawn_at_once():
    lines = lines_of(AFTER)
    assert lines[1::2] == ["status 0"] * 8
    assert len(lines) == 16 and len(set(lines[::2])) == 1
    assert lines[0].startswith("this process was forked from one that had used JAX")
    assert 'get_context("spawn")' in lines[0] and "SubprocVecEnv" in lines[0]
