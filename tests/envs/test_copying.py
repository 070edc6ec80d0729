"""Tasks in pickles and copies: at any moment, in any process, and exact."""

import copy
import os
import pickle
import subprocess
import sys

import chex
import jax
import numpy as np
import pytest

import jaxosim

OPTIONS = jaxosim.Options(method="euler", substeps=20)
WAYS = {
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
SOME_WAYS = [pytest.param(n, marks=[] if n == "pickle" else pytest.mark.thorough) for n in WAYS]
LARGER = [
    pytest.param(name, marks=pytest.mark.thorough)
    for name in ("L2RunEnv", "ProstheticsEnv", "L2M2019Env")
]
# Reads a task, a state and an action, and writes the next state, in another process.
ELSEWHERE = """
import pickle, sys, jax
jax.config.update("jax_enable_x64", True)
task, es, action = pickle.load(sys.stdin.buffer)
pickle.dump(jax.jit(task.step)(es, action), sys.stdout.buffer)
"""


@pytest.mark.parametrize("way", SOME_WAYS)
@pytest.mark.parametrize("name", ["Arm2DEnv", *LARGER])
def test_a_task_is_copied_at_any_moment(name, way):
    env = jaxosim.make(name, options=OPTIONS, time_limit=7)
    fresh = WAYS[way](env)
    assert env.observation_low.shape == (env.observation_size,)
    jax.eval_shape(env.reset, jax.random.key(0))  # fills what is cached
    for made in (fresh, WAYS[way](env)):
        assert made.observation_names == env.observation_names
        assert (made.options, made.time_limit) == (OPTIONS, 7)
        chex.assert_trees_all_equal(made.params, env.params)
        shapes = (jax.eval_shape(one.reset, jax.random.key(0)) for one in (made, env))
        chex.assert_trees_all_equal_shapes_and_dtypes(*shapes)


def test_a_batch_is_pickled_after_use():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS)
    batch = jaxosim.BatchEnv(env, 3)
    jax.eval_shape(batch.reset, jax.random.key(0))
    assert pickle.loads(pickle.dumps(batch)).env.observation_names == env.observation_names


@pytest.mark.thorough
def test_a_pickled_task_goes_on_in_another_process_to_the_bit():
    env = jaxosim.make("Arm2DEnv", options=OPTIONS)
    es, action = jax.jit(env.reset)(jax.random.key(3)), np.full(6, 0.3)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=pickle.dumps((env, es, action)),
        stdout=subprocess.PIPE,
        env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        timeout=300,
        check=True,
    )
    there, here = pickle.loads(done.stdout), jax.jit(env.step)(es, action)
    for a, b in zip(jax.tree.leaves(there), jax.tree.leaves(here), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)
